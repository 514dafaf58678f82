/* An answer in TAXII 1.1, from within: answer11.c reads the XML and knows polls and statuses, answer11_services.c what
 * discovery and collection information tell. Texts are kept in fixed room; what does not fit is an error (answer.h).
 */
#ifndef TAXII_ANSWER11_H
#define TAXII_ANSWER11_H

#include "answer.h"
#include "answer11_content.h"
#include "answer11_grammar.h"

#define ANSWER11_MESSAGE_BINDING "urn:taxii.mitre.org:message:xml:1.1"
#define ANSWER11_HTTPS           "urn:taxii.mitre.org:protocol:https:1.0"

/* Texts in order: bindings, or names of details; and values of details. Few answers have any. */
struct answer11_list {
    const char *items[ANSWER_ITEMS];
    size_t count;
    char (*text)[ANSWER_TEXT]; /* ANSWER_ITEMS of them; NULL: there was none yet */
};

/* What is said of a service: an instance, or one of a collection. */
struct answer11_service {
    char type[ANSWER_TEXT], version[ANSWER_TEXT], protocol[ANSWER_TEXT], address[ANSWER_TEXT];
    bool available;
    bool speaks; /* our message binding */
};

struct answer {
    struct xml_reader *reader;
    struct answer_events events;
    void *arg;
    const struct grammar11_rule *root;
    struct grammar11 grammar;
    bool begun, whole, told; /* the root was seen; finished; the poll was told */
    size_t text_size;
    bool text_over; /* more came than there is room for */

    /* From here on nothing is cleared for a new answer but what answer_new() says: most answers are short, and this is half
     * of what the processor's first cache holds. */
    struct answer11_list bindings, others; /* others: message bindings, or texts of details */
    char message_id[ANSWER_TEXT];
    char why[320];
    char text[ANSWER_MESSAGE]; /* of the element that is open, without white space at its beginning */
    char message[ANSWER_MESSAGE];
    union { /* cleared where its element begins */
        struct { /* Poll_Response */
            char collection[ANSWER_TEXT], result_id[ANSWER_TEXT], subscription[ANSWER_TEXT],
                begin[ANSWER_TEXT], end[ANSWER_TEXT], label[ANSWER_TEXT], binding[ANSWER_TEXT],
                subtype[ANSWER_TEXT];
            bool more, partial_count;
            int64_t part, count, blocks;
        } poll;
        struct { /* Status_Message */
            char type[ANSWER_TEXT];
            struct accord_pair details[ANSWER_ITEMS];
        } status;
        struct { /* Discovery_Response */
            struct answer11_service service;
        } discovery;
        struct { /* Collection_Information_Response */
            char name[ANSWER_TEXT], poll[ANSWER_TEXT], inbox[ANSWER_TEXT], subscription[ANSWER_TEXT];
            bool feed, available;
            bool poll_https, inbox_https, subscription_https; /* is what was taken, so far */
            struct answer11_service service;
        } collection;
    };
    struct content11 content;
};

/* An attribute's value without white space around it; NULL: it is not there. */
const char *answer11_attribute(const struct xml_element *, const char *name);
/* Copies it. ACCORD_EPROTO: not there, or empty; ACCORD_ELIMIT: too long. */
int answer11_required(struct answer *, const struct xml_element *, const char *name, char to[ANSWER_TEXT]);
int answer11_optional(struct answer *, const struct xml_element *, const char *name, char to[ANSWER_TEXT]);
int answer11_boolean(struct answer *, const struct xml_element *, const char *name, bool missing, bool *to);
/* Copies the text of the element that ends; ACCORD_ELIMIT when too long, ACCORD_EPROTO when control characters are in it. */
int answer11_text(struct answer *, const char *element, char to[ANSWER_TEXT]);
/* For a person: cut, control characters become spaces. */
void answer11_message(struct answer *, char *to, size_t room);
/* The next item's room; NULL: refused, there are too many, or no memory. */
char *answer11_item(struct answer *, struct answer11_list *, const char *element);

/* Elements of Discovery_Response and Collection_Information_Response. */
int answer11_services_start(struct answer *, const struct grammar11_rule *, const struct xml_element *);
int answer11_services_end(struct answer *, const struct grammar11_rule *);

#endif
