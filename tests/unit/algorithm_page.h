/* The pages of docs/reference/ that are made of the encryption policy's tables, and what holds for every table. */
#ifndef ALGORITHM_PAGE_H
#define ALGORITHM_PAGE_H

#include <stdio.h>

#include "policies/encryption/algorithms.h"

/* Of one name, as an option that lists it alone. */
int algorithm_check(enum algorithm_kind, const char *name, char *why, size_t room);
/* Fails the test when a name of this kind is refused without an allowed one in its place. */
void algorithm_instead(enum algorithm_kind);
/* A heading, and a row for each name: the allowed ones first. */
void algorithm_section(FILE *out, enum algorithm_kind, const char *title, const char *options);

/* docs/reference/NAME.md. */
struct algorithm_page {
    const char *name, *program;
    void (*write)(FILE *out);
};
void algorithm_page_stands(const struct algorithm_page *); /* fails the test when it says something else */
bool algorithm_page_wanted(const struct algorithm_page *, int argc, char **argv); /* --write: it is written */

#endif
