/* XML from outside, read safely as it comes: libxml2's push parser behind limits, with namespaces resolved.
 *
 * What libxml2 alone would let through is refused here: every DOCTYPE (an entity reads files, an ATTLIST default
 * forges a marking), encodings other than UTF-8, elements with more attributes than the limit (libxml2 takes quadratic
 * time over them: they are counted before it sees them), depth, text and names beyond their limits, and whatever
 * libxml2 reports as an error although it goes on. Nothing is ever loaded from disk or network for a document.
 *
 * A reader takes bytes in any pieces and calls back in document order. After an error nothing is called any more, and
 * every further call gives the same error.
 */
#ifndef XML_XML_H
#define XML_XML_H

#include <accord/base.h>

/* All of them are needed; XML_LIMITS is good for messages of partners. */
struct xml_limits {
    int64_t size;      /* bytes of the document */
    size_t depth;      /* of elements; at most 256, libxml2's own limit */
    size_t attributes; /* of one element, namespace declarations among them */
    size_t text;       /* bytes of one run of text or CDATA, and of one attribute's value; at most 8 MiB */
    size_t tag;        /* bytes of one tag, comment or instruction as written */
    int64_t elements;  /* of the document */
};
#define XML_LIMITS                                                                                           \
    {                                                                                                        \
        .size = 256 << 20, .depth = 128, .attributes = 256, .text = 8 << 20, .tag = 1 << 20,                 \
        .elements = 10000000                                                                                 \
    }

struct xml_name {
    const char *space; /* namespace name; "" without */
    const char *local;
    const char *prefix; /* as written; "" without */
    /* For whoever calls: 0 at first, and kept where the same name is met again, as often as may be. What is kept may
     * follow from the name's space and local part, and from whether it is an element's. */
    uint32_t *word;
};

struct xml_attribute {
    struct xml_name name;
    const char *value; /* entities and white space resolved as XML says */
};

/* In scope at an element. */
struct xml_namespace {
    const char *prefix; /* "": the default */
    const char *name;   /* "": the default is taken back */
};

struct xml_element {
    struct xml_name name;
    const struct xml_attribute *attributes;
    size_t attribute_count;
    const struct xml_namespace *declared; /* by this element itself */
    size_t declared_count;
    size_t depth; /* of the root: 1 */
    int64_t line; /* where it stands, from 1 */
};

struct xml_reader;

/* All that is given is valid during the call only. Non-zero (an accord_error) ends the reading with it; say why with
 * xml_refuse(). NULL: of no interest. */
struct xml_events {
    int (*start)(void *arg, struct xml_reader *, const struct xml_element *);
    int (*end)(void *arg, struct xml_reader *, const struct xml_name *, size_t depth);
    /* In pieces of any size; CDATA and resolved character references alike. */
    int (*text)(void *arg, struct xml_reader *, const char *, size_t);
};

struct xml_reader *xml_reader_new(const struct xml_limits *, const struct xml_events *,
                                  void *arg); /* NULL: no memory */
void xml_reader_free(struct xml_reader *);    /* NULL is fine */
/* From here on a few readers of short documents are kept for the next ones, until all who asked for it want no more. */
void xml_readers_keep(void);
void xml_readers_drop(void);
/* ACCORD_EFORMAT: not well-formed or forbidden; ACCORD_ELIMIT; ACCORD_ENOMEM; what a callback gave. */
int xml_feed(struct xml_reader *, const uint8_t *, size_t);
/* No more bytes will come: ACCORD_EFORMAT when the document is not whole. */
int xml_finish(struct xml_reader *);
/* After an error: "line 12: DOCTYPE is not allowed". Never holds more than a short excerpt of the document. */
const char *xml_why(const struct xml_reader *);
/* From inside a callback: the reason to give; returns `error`. */
int xml_refuse(struct xml_reader *, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
int64_t xml_line(const struct xml_reader *);
/* From inside start(): the namespace of a prefix ("" for the default); NULL: not declared. For QNames in values, as in
 * xsi:type. */
const char *xml_namespace_of(const struct xml_reader *, const char *prefix);
/* From inside start(): everything after the start tag, up to the end tag of this element, is not parsed but handed over
 * as the bytes that stand there (tags are still matched, counted and held to the limits, but for text's; a DOCTYPE is
 * refused), until end() is called for the element. `raw` may give an error as the others. */
typedef int (*xml_raw_fn)(void *arg, struct xml_reader *, const uint8_t *, size_t);
void xml_take_raw(struct xml_reader *, xml_raw_fn);
enum xml_part {
    XML_PART_ELEMENT, /* the first piece of an element within, begins with its whole start tag */
    XML_PART_MORE,    /* of that element, up to its end tag and no further */
    XML_PART_TEXT,    /* beside elements, as written; a reference may be cut, a character or CR LF is not */
    XML_PART_CDATA,   /* the same, without its marks */
    XML_PART_MARK,    /* "<![CDATA[", "]]>" */
    XML_PART_ASIDE,   /* a comment or instruction beside elements */
};
enum xml_part xml_raw_part(const struct xml_reader *); /* from inside `raw`: what the piece is */
/* From inside start(): all declarations in scope, the nearest of each prefix. The array is the reader's, until the
 * next call; the names live as long as the reader. */
size_t xml_in_scope(struct xml_reader *, const struct xml_namespace **);

#endif
