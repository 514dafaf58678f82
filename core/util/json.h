/* Writes JSON objects into a buffer, in order, without building a tree. Text that is not UTF-8 has its bad
 * bytes replaced, so that the output is always valid; what may not be shown (util/text.h) is escaped, so that it
 * can be printed as it is. */
#ifndef UTIL_JSON_H
#define UTIL_JSON_H

#include "util/buf.h"

struct json {
    struct buf *buf;
    bool more; /* a comma is due */
};

struct json json_begin(struct buf *);
void json_end(struct json *);
void json_text(struct json *, const char *name, const char *value);
void json_text_if(struct json *, const char *name, const char *value); /* not when NULL or "" */
void json_number(struct json *, const char *name, int64_t value);
/* Appends `text` as a JSON string, with its quotes. */
void json_quote(struct buf *, const char *text);
/* It needs no escapes: nothing but printable ASCII, without quotes and backslashes. */
bool json_is_plain(const char *text, size_t size);

#endif
