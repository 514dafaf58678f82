/* Takes one section through its tables: unknown keys, missing keys and bad values go to the report, the rest
 * into the form. */
#ifndef CONF_SECTION_H
#define CONF_SECTION_H

#include "conf/reader.h"
#include "conf/schema.h"

/* What checking a file needs. Texts and lists of forms are copied into `arena`. */
struct checking {
    const struct conf_file *file;
    struct conf_report *report;
    struct arena *arena;
};

void check_error(const struct checking *, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void check_note(const struct checking *, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* `plugin`: the table that the section's further keys belong to. NULL: it has none, or none is known, in
 * which case `lenient` says that unknown keys shall not be reported (the unknown plugin has been).
 * `section` NULL: an absent one, for its defaults. `form` is filled from the schema's table. */
void section_take(const struct checking *, const struct schema *, const struct conf_section *,
                  const struct accord_option *plugin, bool lenient, void *form);
/* The plugin's options as written, with defaults filled in, in the table's order. 0 or ACCORD_ENOMEM. */
int section_pairs(struct arena *, const struct conf_section *, const struct accord_option *plugin,
                  struct accord_pair **pairs, size_t *count);
/* A duration for which records are kept (duration_keep_ms): as written, else the table's default, else
 * `otherwise`. */
int64_t section_keep(const struct schema *, const struct conf_section *, const char *key, int64_t otherwise);
/* "[link sftp]" */
const char *section_title(const struct conf_section *, char *to, size_t room);
/* Sections that may not stand in this kind of file, that lack a name or have one too many. */
void section_check_kinds(const struct checking *, enum schema_place);

#endif
