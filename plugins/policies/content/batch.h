/* The envelope of 80-column records. Two layouts: a batch of ABI or AES (A, blocks of B to Y, Z), and the
 * transactions of CAMIR (ACR, then M01, P01, B01...). The rules' numbers are those of docs/EDI.md.
 *
 * Columns 9 to 14 of an A record hold a password: no reason, no key and no state but the record being read has them.
 */
#ifndef CONTENT_BATCH_H
#define CONTENT_BATCH_H

#include "records80.h"

/* What the agreement says; must outlive the batch. */
struct batch_terms {
    bool batch, camir;                 /* layouts that the agreement takes */
    struct accord_list senders;        /* columns 2 to 8 of A, site and id; empty: any */
    struct accord_list applications;   /* application identifiers; empty: any */
    struct accord_list wrong_way;      /* those that only go the other way */
    struct accord_list details;        /* beginnings of records in a block that only look like A, B, Y or Z */
    struct columns_list application;   /* where A and B have theirs */
    struct columns_list filler;        /* must be blank */
    struct columns_list repeat;        /* of A, the same in Z; of B, the same in Y */
    struct columns_list key;           /* of A: what identifies a batch; none: nothing does */
    int64_t max_records;
};

struct batch {
    const struct batch_terms *terms;
    struct records80 records;
    struct edi_fault fault;
    bool camir, in_block, ended, shipment;
    struct edi_place block;
    char application[COLUMNS_OF_RECORD + 1];                          /* of the open block */
    char opener[COLUMNS_OF_RECORD + 1], batch[COLUMNS_OF_RECORD + 1]; /* B, and A without the password */
};

/* Of a zeroed struct. */
void batch_init(struct batch *, const struct batch_terms *);
/* 0, or ACCORD_EFORMAT: fault says why, and nothing more may be fed. */
int batch_feed(struct batch *, const uint8_t *, size_t);
int batch_finish(struct batch *);
/* After an accepted file: "batch:9999XXX:011526" of the terms' columns; "" when they name none. */
void batch_key(const struct batch *, char *to, size_t room);

#endif
