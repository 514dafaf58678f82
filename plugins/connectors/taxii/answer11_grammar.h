/* What may stand where in a TAXII 1.1 answer (XML Message Binding 1.1, its schema of 13 January 2014): the elements of
 * each, their order, which must be there and which may come again. The schema's order is strict. Extended headers and
 * signatures may be there and are passed over; they are not looked into.
 */
#ifndef TAXII_ANSWER11_GRAMMAR_H
#define TAXII_ANSWER11_GRAMMAR_H

#include "common/xml/xml.h"

#define TAXII11_SPACE   "http://taxii.mitre.org/messages/taxii_xml_binding-1.1"
#define TAXII10_SPACE   "http://taxii.mitre.org/messages/taxii_xml_binding-1"
#define TAXII111_SPACE  "http://docs.oasis-open.org/cti/ns/taxii/xml-binding-1.1.1"
#define XMLDSIG_SPACE   "http://www.w3.org/2000/09/xmldsig#"
#define GRAMMAR11_DEPTH 6

enum grammar11_holds {
    HOLDS_ELEMENTS, /* those of `within`, and white space */
    HOLDS_TEXT,
    HOLDS_MIXED,    /* text; elements in it are passed over */
    HOLDS_ANYTHING, /* passed over */
    HOLDS_CONTENT,  /* of a block: taken raw */
};

enum grammar11_id {
    E_OTHER,
    E_DISCOVERY,
    E_COLLECTIONS,
    E_POLL,
    E_STATUS,
    E_INSTANCE,
    E_COLLECTION,
    E_POLLING,
    E_SUBSCRIBING,
    E_INBOX,
    E_PROTOCOL,
    E_ADDRESS,
    E_MESSAGE_BINDING,
    E_BINDING,
    E_SUBTYPE,
    E_MESSAGE,
    E_SUBSCRIPTION_ID,
    E_BEGIN,
    E_END,
    E_COUNT,
    E_BLOCK,
    E_CONTENT,
    E_LABEL,
    E_DETAIL,
};

struct grammar11_rule {
    const char *name;
    enum grammar11_id id;
    enum grammar11_holds holds;
    bool must, again;                    /* must be there; may come more than once */
    const struct grammar11_rule *within; /* ends with a rule without a name */
};

/* Where in an answer a reader stands. */
struct grammar11 {
    struct {
        const struct grammar11_rule *rule, *next; /* next: of `within`, the first that may still come */
        bool came;                                /* `next` did, once at least */
    } open[GRAMMAR11_DEPTH];
    size_t depth;
    size_t passing; /* elements open in one that is passed over */
};

/* The rule of a root element; NULL: no answer. */
const struct grammar11_rule *grammar11_root(const char *local);
/* Another element. `rule`: NULL when it is passed over. ACCORD_EPROTO, refused with the reason. */
int grammar11_start(struct grammar11 *, struct xml_reader *, const struct xml_name *,
                    const struct grammar11_rule **rule);
int grammar11_end(struct grammar11 *, struct xml_reader *, const struct grammar11_rule **rule);
/* The element that text belongs to; NULL: passed over. */
const struct grammar11_rule *grammar11_here(const struct grammar11 *);

#endif
