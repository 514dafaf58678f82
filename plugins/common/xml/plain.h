/* What is read without libxml2: tokens in which nothing is left to judge. ASCII names with at most one prefix that is
 * declared, attributes that each stand once, text of valid UTF-8 with references of known meaning, comments and
 * instructions as XML wants them. They give the very events that libxml2 would give.
 *
 * Whatever else comes is declined before any of it has been reported: whether it is an error, and which, libxml2 says,
 * and reads the rest of the document (sax_begin).
 */
#ifndef XML_PLAIN_H
#define XML_PLAIN_H

#include "reader.h"

enum { PLAIN_DECLINES = 1 };

/* A tag as parsed. */
struct plain_tag {
    struct names_entry *name;
    const uint8_t *after; /* its '>' */
    size_t count;         /* of r->found: attributes and declarations */
    size_t declared;      /* of them */
    size_t room;          /* for the attributes' values */
    int64_t lines;
    bool empty;
};

/* An attribute as written. */
struct plain_attribute {
    struct names_entry *name;
    const uint8_t *value;
    size_t size;
    bool mixed; /* not only characters that stand for themselves */
};

/* 0, an accord_error, or PLAIN_DECLINES. Start tags and empty ones; r->depth counts the element afterwards. */
int plain_start(struct xml_reader *, const struct lexer_token *);
/* The innermost element, whose end tag has been matched; it is still counted afterwards. */
int plain_end(struct xml_reader *);
/* Of an element: text, or CDATA without its marks. */
int plain_text(struct xml_reader *, const uint8_t *, size_t);
int plain_cdata(struct xml_reader *, const uint8_t *, size_t);
bool plain_comment(const struct lexer_token *);
bool plain_instruction(const struct lexer_token *);
/* Tags that are whole in the input and the text between them, as far as they are plain, within the root element. */
int plain_skim(struct xml_reader *, const uint8_t **at, const uint8_t *end);

/* plain_text.c: an attribute's value, in which the characters are resolved; the end of what was written, which is not
 * more than the value's size; NULL: declined. */
char *plain_value(char *to, const uint8_t *, size_t);

#endif
