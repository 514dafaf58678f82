/* For the tests of safe XML: what a document gives, written down, and the same however it is cut into pieces. */
#ifndef TESTS_XML_TRACE_H
#define TESTS_XML_TRACE_H

#include "common/xml/xml.h"

struct trace {
    int error;
    char why[256];
    char *calls; /* "<a {space} @x=1 ^p=space", "text", "[raw]", ">a": one a line; heap, NULL after an error */
};

/* Elements with the local name "raw" are taken raw. `piece` 0: fed whole, from an exact allocation. */
struct trace trace_of(const void *bytes, size_t size, size_t piece, const struct xml_limits *);
/* Whole, byte by byte, and in pieces of 7 and 4096; fails the test when they differ. `limits` NULL: XML_LIMITS. */
struct trace trace_all(const void *bytes, size_t size, const struct xml_limits *limits);
void trace_free(struct trace *);
/* Fail the test, showing what was found, unless it is this. */
void expect_calls(const char *document, const char *calls);
void expect_refused(const char *document, int error, const char *why_part);
void expect_limit(const char *document, const struct xml_limits *, const char *why_part);

#endif
