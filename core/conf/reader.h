/* One INI file as sections and entries, each with its line. inih splits the lines; everything that
 * Debian's inih would do silently (cut long lines, join indented ones, drop empty sections, merge repeated
 * ones) is decided here first, and refused with file and line where a person could have meant something
 * else.
 *
 *     line      at most READER_LINE_MAX bytes without its comment; UTF-8, no control character but tab
 *     [KIND]    or [KIND NAME]
 *     key = value
 *     ; or #    at the start of a line, or ` ;` behind a value, begins a comment
 */
#ifndef CONF_READER_H
#define CONF_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/arena.h"
#include "conf/conf.h"

#define READER_FILE_MAX     (256 * 1024)
#define READER_LINE_MAX     4000
#define READER_SECTIONS_MAX 512
#define READER_ENTRIES_MAX  256 /* in one section */

struct conf_entry {
    const char *key;
    const char *value;
    int line;
};

struct conf_section {
    char kind[CONF_NAME_MAX];
    char name[CONF_NAME_MAX]; /* "" when the header has none */
    int line;
    struct conf_entry *entries;
    size_t count;
};

struct conf_file {
    char name[256];          /* base name, as in the report */
    char path[512];
    char sha256[DIGEST_HEX]; /* of the bytes */
    struct conf_section *sections;
    size_t count;
    struct arena arena;
};

/* Reads a file of the folder. Mistakes go to the report, and what was understood is in *out all the same.
 * 0, or ACCORD_ENOMEM; a file that cannot be read is a reported error with no sections. Call conf_file_fini()
 * in any case. */
int conf_file_read(const char *folder, const char *name, struct conf_file *out, struct conf_report *);
/* The same for bytes in memory. */
int conf_file_parse(const char *name, const void *bytes, size_t size, struct conf_file *out,
                    struct conf_report *);
void conf_file_fini(struct conf_file *);

/* The first section of this kind (and name, unless NULL), or NULL. */
const struct conf_section *conf_file_section(const struct conf_file *, const char *kind, const char *name);
const struct conf_entry *conf_section_entry(const struct conf_section *, const char *key);
/* The key's line, or the section's when it has no such key. */
int conf_section_line(const struct conf_section *, const char *key);

#endif
