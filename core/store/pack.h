/* Entries of one size, in the order of their keys, some dozens in each row of a table of the index: a row of a table
 * costs SQLite several thousand instructions, an entry less than a hundred.
 *
 * A row's number is not greater than that of any entry in it, and greater than that of all in the rows before; the row
 * that was asked for last is kept in memory. What changes is written when another row is asked for, or with
 * packs_write(): changes belong into a transaction, and what follows a rollback begins with packs_forget().
 */
#ifndef STORE_PACK_H
#define STORE_PACK_H

#include "util/buf.h"
#include "util/id.h"

struct index;

struct pack_kind {
    int find, put, drop; /* statements */
    size_t size;         /* of an entry, which begins with its key in this machine's order of bytes: */
    bool wide;           /* `high` and `low`, or `high` alone */
};

struct packs {
    const struct pack_kind *kind;
    struct buf entries;
    int64_t row, next; /* this one's number, and the next one's; INT64_MAX: there is none */
    bool loaded;
    bool stored; /* the file has the row */
    bool dirty;
};

/* 1: an entry has been copied; 0: there is none; or an error. */
int packs_find(struct index *, struct packs *, struct id_number, void *entry);
int packs_after(struct index *, struct packs *, struct id_number, void *entry);  /* the next greater */
int packs_before(struct index *, struct packs *, struct id_number, void *entry); /* the next smaller */

int packs_put(struct index *, struct packs *, const void *entry); /* in the place of one with its key */
int packs_drop(struct index *, struct packs *, struct id_number);  /* 0, also when there is none */
int packs_write(struct index *, struct packs *);
void packs_forget(struct packs *);
void packs_fini(struct packs *);

#endif
