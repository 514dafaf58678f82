/* 80-column records out of bytes that arrive in pieces cut anywhere: printable ASCII, each record followed by LF,
 * each by CR LF, or none by anything. What records mean is batch.h's. Reasons never show the bytes of a record:
 * one of them holds a password.
 */
#ifndef CONTENT_RECORDS80_H
#define CONTENT_RECORDS80_H

#include "columns.h"
#include "edi_fault.h"

struct record80 {
    struct edi_place place;
    char text[COLUMNS_OF_RECORD + 1];
};

/* Takes a complete record: 0, or ACCORD_EFORMAT with the fault filled in. */
typedef int (*record80_fn)(void *arg, struct record80 *, struct edi_fault *);

struct records80 {
    record80_fn take;
    void *arg;
    int64_t max_records, offset;
    int ends, state; /* ends: what follows a record, known after the first */
    size_t held;
    struct record80 record;
};

void records80_init(struct records80 *, int64_t max_records, record80_fn, void *arg);
/* 0, or ACCORD_EFORMAT with the fault filled in; nothing more may be fed then. */
int records80_feed(struct records80 *, const uint8_t *, size_t, struct edi_fault *);
int records80_finish(struct records80 *, struct edi_fault *);

#endif
