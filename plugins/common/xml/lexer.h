/* Where the pieces of an XML document begin and end: tags, comments, CDATA, instructions, text. Bytes come in any pieces;
 * the tokens are the same however they were cut, so that whoever reads tokens behaves the same too.
 *
 * It knows XML 1.0 only as far as finding ends needs (sections 2.4 to 2.7, 3.1): quotes hide a '>'. It holds one token at
 * most, bounds it and counts a tag's attributes before anybody parses it. Every `<!` that is no comment and no CDATA
 * is refused: a document with a DOCTYPE gets no further than its third byte.
 */
#ifndef XML_LEXER_H
#define XML_LEXER_H

#include "xml.h"

/* Text and CDATA come in tokens of at most this many bytes, cut neither within a character, nor a "]]>", nor a CR LF. */
#define LEXER_PIECE 4096

enum lexer_kind {
    LEXER_MORE, /* no whole token is left */
    LEXER_TEXT, /* as written, references included; while `raw`, of any size and cut anywhere */
    LEXER_START,
    LEXER_EMPTY, /* <a/> */
    LEXER_END,
    LEXER_COMMENT,
    LEXER_INSTRUCTION, /* the XML declaration too */
    LEXER_CDATA_OPEN,
    LEXER_CDATA, /* its text, without the marks */
    LEXER_CDATA_CLOSE,
};

struct lexer_token {
    enum lexer_kind kind;
    const uint8_t *bytes; /* of the input, or held; until the next call */
    size_t size;
    bool held;
};

struct lexer {
    const struct xml_limits *limits;
    bool raw;    /* set by the reader: text is not looked at, nor bounded */
    int state;   /* where the next byte stands */
    size_t seen; /* bytes of the token that is begun, scanned and left over at the input's end */
    uint8_t quote;
    size_t attributes, value; /* of the tag so far; of the value that is open */
    uint8_t *held;            /* what came of a token in earlier pieces */
    size_t held_size, held_room, spent;
    char why[128];
};

void lexer_init(struct lexer *, const struct xml_limits *);
void lexer_fini(struct lexer *);
/* The next token of [*at, end), moving *at behind what was taken: 0, or an accord_error with `why` set. */
int lexer_next(struct lexer *, const uint8_t **at, const uint8_t *end, struct lexer_token *);
/* At the end of the document: what is still held as text (in `token`, LEXER_MORE: nothing), or ACCORD_EFORMAT. */
int lexer_finish(struct lexer *, struct lexer_token *);

/* For whoever reads the input itself for a while: nothing is begun nor held, so that it may go on anywhere in text. */
bool lexer_rests(const struct lexer *);
/* The size of a start tag that begins at `tag`; 0: it is not whole there, or lexer_next() would refuse it. */
size_t lexer_whole_tag(struct lexer *, const uint8_t *tag, const uint8_t *end);

/* Of a tag's token: its name, as written. */
const char *lexer_name(const struct lexer_token *, size_t *size);
bool lexer_is_space(uint8_t);

/* One attribute of a whole start tag, as written. */
struct lexer_attribute {
    const char *name, *value; /* value: between the quotes, references and all */
    size_t name_size, value_size;
};
/* The attribute at or after `*offset` of a tag, moving it; 1: there is one, 0: no more, ACCORD_EFORMAT: no attribute
 * stands there. Begin with 0. */
int lexer_attribute(const uint8_t *tag, size_t size, size_t *offset, struct lexer_attribute *);

#endif
