/* For the tests of TAXII answers: what an answer tells, written down, and the same however it is cut into pieces. */
#ifndef TESTS_ANSWER_TRACE_H
#define TESTS_ANSWER_TRACE_H

#include "connectors/taxii/answer.h"

#define ANSWER_ID "urn:q:1" /* of the request that all of them answer */

struct answer_trace {
    int error;
    char why[400];
    enum answer_kind kind;
    char *calls; /* heap; NULL after an error */
};

/* Whole, byte by byte, in pieces of 7 and 4096; fails the test when they differ. `id` NULL: ANSWER_ID. */
struct answer_trace answer_trace_all(const void *bytes, size_t size, const char *id, int64_t limit);
struct answer_trace answer_trace_of(const void *bytes, size_t size, size_t piece, const char *id, int64_t limit);
void answer_trace_free(struct answer_trace *);
void expect_told(const char *document, enum answer_kind, const char *calls);
void expect_broken(const char *document, int error, const char *why_part);

#endif
