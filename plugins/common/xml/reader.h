/* A reader from within: xml.c drives it token by token. As long as all is plain, plain.c turns tokens into events. From the
 * first token on that it declines, sax.c gives them to libxml2 and turns its callbacks into the same events. libxml2
 * gets one whole token a call, so that after each tag its callbacks have been made: what a callback asks for
 * (xml_take_raw) holds from the next byte on.
 */
#ifndef XML_READER_H
#define XML_READER_H

#include <libxml/parser.h>

#include "lexer.h"
#include "names.h"

#define READER_DEPTH 256  /* libxml2's own limit, without XML_PARSE_HUGE */
#define READER_SCOPE 512  /* declarations in scope: libxml2 looks through them one by one */
#define READER_NAME  1024 /* bytes of an element's name */
#define READER_TEXT  (8 << 20)

struct xml_reader {
    struct xml_limits limits;
    struct xml_events events;
    void *arg;
    struct lexer lexer;

    int error; /* sticky; libxml2's own flags are not enough: xmlStopParser leaves them clean */
    char why[256];
    int64_t size, elements, line;
    int lead; /* bytes of a byte order mark seen; 3: it is over */
    bool begun, rooted, finished;
    size_t run;          /* bytes of text since the last tag */
    bool open_reference; /* text ends within one, as far as it has come */

    /* Elements that are open, as written. */
    size_t depth;
    char *names;
    size_t names_used, names_room, name_at[READER_DEPTH + 1];
    xml_raw_fn raw;
    enum xml_part part; /* of raw content: what is handed over next */
    size_t raw_depth;   /* of the element whose content is raw */
    const uint8_t *from,
        *here; /* of the input: raw content that was seen but not handed over, nor its lines counted */

    /* Declarations in scope, by the depth of their elements, and what the open element's attributes are made of. */
    struct xml_namespace scope[READER_SCOPE], visible[READER_SCOPE];
    size_t scope_count, scope_at[READER_DEPTH + 1];
    struct xml_attribute *attributes;
    char *values; /* of the element's attributes */
    size_t values_room;

    /* plain.c: */
    bool plain; /* it reads; false: libxml2 does */
    struct names kept;
    struct names_entry *open[READER_DEPTH + 1];
    uint64_t scope_version; /* another one whenever the scope has changed; from 1 */
    struct plain_attribute *found;

    /* sax.c: */
    xmlParserCtxtPtr sax; /* NULL: not begun */
    bool replays;         /* what it reads has been reported */
    int64_t starts, ends; /* callbacks made */
    uint32_t *words;      /* of the element's attributes, and of its own name */
};

/* xml.c: a start tag's name is counted and held to the limits; what an element's end or an empty one's tag leaves. */
int reader_open(struct xml_reader *, const char *name, size_t size);
void reader_settle(struct xml_reader *, bool closed);
int64_t reader_lines(const uint8_t *bytes, const uint8_t *end);

/* libxml2 takes over from plain.c, at this depth and among these declarations. Before the next token is fed. */
int sax_begin(struct xml_reader *);
void sax_close(struct xml_reader *);
/* The reader's error, if any, after the callbacks that these bytes gave. */
int sax_feed(struct xml_reader *, const void *, size_t);
int sax_finish(struct xml_reader *);

#endif
