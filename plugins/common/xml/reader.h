/* A reader from within: xml.c drives it token by token, sax.c gives the tokens to libxml2 and turns its callbacks into
 * events. libxml2 gets one whole token a call, so that after each tag its callbacks have been made: what a callback
 * asks for (xml_take_raw) holds from the next byte on.
 */
#ifndef XML_READER_H
#define XML_READER_H

#include <libxml/parser.h>

#include "lexer.h"
#include "words.h"

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

    size_t depth, names_used; /* of `names` */
    xml_raw_fn raw;
    enum xml_part part; /* of raw content: what is handed over next */
    size_t raw_depth;           /* of the element whose content is raw */
    const uint8_t *from, *here; /* of the input: raw content that was seen but not handed over, nor its lines counted */

    int64_t starts, ends; /* callbacks made */
    size_t scope_count;

    /* What follows outlives the document when the reader is used again: memory, and what libxml2 has made. */
    struct xml_reader *next; /* of those that wait for a document */
    xmlParserCtxtPtr sax;
    int64_t parsed; /* bytes of the documents before */
    struct xml_attribute *attributes;
    uint32_t *scratch;
    size_t attributes_room;
    char *values; /* of the element's attributes */
    size_t values_room;
    char *names; /* of elements that are open, as written */
    size_t names_room, name_at[READER_DEPTH + 1];
    struct xml_namespace scope[READER_SCOPE], visible[READER_SCOPE];
    size_t scope_at[READER_DEPTH + 1];
    struct words words;
};

int sax_open(struct xml_reader *); /* ACCORD_ENOMEM; also for one that has read a document before */
void sax_close(struct xml_reader *);
/* The reader's error, if any, after the callbacks that these bytes gave. */
int sax_feed(struct xml_reader *, const void *, size_t);
int sax_finish(struct xml_reader *);

#endif
