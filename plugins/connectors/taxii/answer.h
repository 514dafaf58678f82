/* What a TAXII server answers, read as it comes, in any version: a dialect (answer11.c: TAXII 1.1, XML) turns bytes
 * into these calls. Whatever the server says is bounded: texts are cut to their sizes, lists end at their limits with
 * an error, content is handed on in pieces and never held.
 */
#ifndef TAXII_ANSWER_H
#define TAXII_ANSWER_H

#include <accord/base.h>

#define ANSWER_TEXT    512  /* of ids, names, addresses, times; with NUL. Longer ones are an error */
#define ANSWER_MESSAGE 2048 /* of texts for people, which are cut; control characters become spaces */
#define ANSWER_ITEMS   64   /* bindings of an instance, details of a status */

enum answer_kind { ANSWER_NONE, ANSWER_DISCOVERY, ANSWER_COLLECTIONS, ANSWER_POLL, ANSWER_STATUS };

struct answer_instance { /* of a Discovery_Response */
    const char *service; /* "INBOX", "POLL", "COLLECTION_MANAGEMENT", "DISCOVERY" */
    const char *version, *protocol, *address, *message;
    bool available;
    const char *const *message_bindings;
    size_t message_binding_count;
    const char *const *bindings; /* content; none: all are taken (1.1, 5.2) */
    size_t binding_count;
};

struct answer_collection { /* of a Collection_Information_Response */
    const char *name;
    bool feed; /* DATA_FEED; otherwise a DATA_SET, which has no times */
    bool available;
    const char *const *bindings;
    size_t binding_count;
    /* Services of this collection: the first address of each that takes our message binding, over HTTPS when there is one
     * that does; "" none. */
    const char *poll_address, *inbox_address, *subscription_address;
};

struct answer_poll { /* of a Poll_Response: told before its first block, or at its end */
    const char *collection, *result_id, *subscription; /* "" when not there */
    bool more;
    int64_t part;
    const char *begin, *end; /* as written; "" */
    int64_t count;           /* -1: not said */
    bool partial_count;
    const char *message;
};

struct answer_block {
    const char *binding, *subtype; /* subtype "" none; several joined with commas */
    int64_t number;                /* in this part, from 1 */
};

struct answer_status {
    const char *type;                  /* "SUCCESS", "RETRY", ... as written */
    const char *message;               /* "" */
    const struct accord_pair *details; /* Detail@name and its text */
    size_t detail_count;
};

/* Valid during the call only. Non-zero ends the reading with it. NULL: of no interest. */
struct answer_events {
    int (*instance)(void *arg, const struct answer_instance *);
    int (*collection)(void *arg, const struct answer_collection *);
    int (*poll)(void *arg, const struct answer_poll *);
    int (*block)(void *arg, const struct answer_block *);
    /* The content as it stands there, byte for byte. Namespaces that only the envelope declares are put into its first
     * tag (TAXII's own are left out). Content written as escaped text or CDATA is unescaped once. White space, comments
     * and instructions around it are left out. */
    int (*content)(void *arg, const uint8_t *, size_t);
    int (*block_end)(void *arg, const char *label); /* Timestamp_Label; "" */
    int (*status)(void *arg, const struct answer_status *); /* from answer_finish() only */
};

struct answer;
/* `message_id`: of the request: the answer must name it (or "0" in a Status_Message, which servers say when they could
 * not read it). `size`: largest answer. NULL: no memory, or an id beyond ANSWER_TEXT. */
struct answer *answer_new(const char *message_id, int64_t size, const struct answer_events *, void *arg);
void answer_free(struct answer *);
/* ACCORD_EFORMAT: no XML that may be read; ACCORD_EPROTO: not what TAXII lets stand there; ACCORD_ELIMIT; ACCORD_ENOMEM;
 * what a callback gave. The same at every further call. */
int answer_feed(struct answer *, const uint8_t *, size_t);
/* Nothing that was told counts before this is 0: the answer is whole. */
int answer_finish(struct answer *);
enum answer_kind answer_kind(const struct answer *); /* ANSWER_NONE: not known yet */
const char *answer_why(const struct answer *);       /* after an error, for a person */

#endif
