/* What the index's file says. */
#ifndef TESTS_INDEX_NUMBER_H
#define TESTS_INDEX_NUMBER_H

#include "store/index.h"

/* The number that the question's one row begins with. */
int64_t index_number(struct index *, const char *question);

#endif
