/* Reads an audit record back: one flat JSON object with texts, numbers and booleans. The bytes may come from
 * anywhere, so every line is limited to AUDIT_LINE_MAX and LINE_FIELDS_MAX. */
#ifndef AUDIT_LINE_H
#define AUDIT_LINE_H

#include <stdbool.h>

#include "util/buf.h"
#include "util/error.h"

#define LINE_FIELDS_MAX 1024
#define LINE_DATE_SIZE  11 /* "2025-03-14" and NUL */

/* The fields of one line, in order; all text lives in `text`. */
struct line {
    struct accord_pair *fields;
    size_t count;
    struct buf text;
};

/* Parses, decoding JSON escapes; ACCORD_EFORMAT when it is no flat object, or a name stands twice, or a text
 * holds a NUL. Call line_fini() in any case. */
int line_parse(struct line *, const char *bytes, size_t size, struct reason *why);
void line_fini(struct line *);
const char *line_get(const struct line *, const char *name); /* NULL: no such field */

/* The UTC date of the record, from the `@timestamp` that every record begins with. */
bool line_date(const char *bytes, size_t size, char date[LINE_DATE_SIZE]);
/* "2025-03-14": digits and hyphens in their places, a month and a day that can be. */
bool line_is_date(const char *text);

/* Reads a file of lines, however long they are: what passes AUDIT_LINE_MAX is skipped and said to be too long.
 * Not the owner of the descriptor; reads with pread(). */
struct line_reader {
    int fd;
    int64_t end;       /* of the line just read, its \n included: where the next one begins */
    const char *bytes; /* of the line just read, without \n; good until the next call */
    size_t size;
    bool whole; /* ended by \n */
    bool too_long;
    uint64_t number; /* of the line just read, from 1 */
    char *room;
    size_t from, to; /* unread bytes of `room` */
};
int line_reader_init(struct line_reader *, int fd, int64_t offset);
/* 1: a line; 0: the end; ACCORD_EIO. */
int line_read(struct line_reader *);
void line_reader_fini(struct line_reader *);

#endif
