/* The store's verbs for tests: each runs the loop until it is done. */
#ifndef STORE_CALLS_H
#define STORE_CALLS_H

#include "store/store.h"

/* A store, its loop and its folder. */
struct bench {
    uv_loop_t loop;
    struct store *store;
    struct store_config config;
    struct store_recovery recovery;
    char folder[128];
};
void bench_open(struct bench *, const char *backend); /* makes a folder below TMPDIR */
int bench_reopen(struct bench *, struct reason *);    /* after bench_shut */
void bench_shut(struct bench *);
void bench_close(struct bench *); /* and removes the folder */
void folder_remove(const char *);

/* Set by `done`. */
struct waited {
    bool done;
    int result;
};
void on_waited(void *arg, int result);
int wait_for(struct bench *, struct waited *);

/* A message to admit, with one waiting delivery to isa/out and an audit line; change it before admit(). */
struct letter {
    struct id id;
    struct accord_envelope envelope;
    struct store_delivery deliveries[3];
    struct store_audit audit;
    struct store_admission admission;
    struct accord_pair headers[2];
};
void letter_init(struct letter *, struct bench *, const char *source_id, const void *payload, size_t size);
void letter_fini(struct letter *);
struct store_payload *make_payload(struct bench *, const void *, size_t);
struct buf make_body(const char *text);

int admit(struct bench *, struct letter *);
/* Admits a small message and returns its delivery's number. */
uint64_t admit_small(struct bench *, const char *source_id, char id[ACCORD_ID_MAX]);
int settle(struct bench *, uint64_t number, enum store_state);
int settle_with(struct bench *, struct store_settlement *);
int claim(struct bench *, struct store_claim *);
int get(struct bench *, const char *id, struct store_message **);
int read_payload(struct bench *, const char *id, int64_t offset, void *to, size_t room, size_t *got);
enum store_state state_of(struct bench *, const char *id, size_t delivery);
int audit(struct bench *, const char *chain, const char *text);
int move(struct bench *, struct store_move *);
int scan(struct bench *, struct store_scan *);
int counts(struct bench *, struct store_counts *);
int decide(struct bench *, struct store_decision *);
int unquarantine(struct bench *, struct store_unquarantine *);
int adopt(struct bench *, struct store_adoption *);
int set_note(struct bench *, struct store_note *);
int find_overdue(struct bench *, struct store_overdue *);
int tell_missed(struct bench *, struct store_missed *);
int retain(struct bench *, struct store_retention *);
int find_stale(struct bench *, struct store_stale *);
/* Walks the whole trail; fails the test unless every chain is whole and ends at its head. Returns the lines.
 */
size_t verify_chains(struct bench *);

#endif
