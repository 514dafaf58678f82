/* For the fuzz targets of validators: any bytes, whole and cut, must have one verdict, and a denial its rule. */
#ifndef TESTS_VALIDATOR_CUT_H
#define TESTS_VALIDATOR_CUT_H

#include "policies/content/validator.h"

/* The option table's defaults, changed by what is written: the first time, and kept from then on. */
const struct validator_options *validator_cut_options(const struct accord_pair *, size_t count);
/* Aborts unless the message has the same verdict fed whole, cut at `cut`, and in pieces of seven bytes. */
void validator_cut(const struct validator_case *, const struct validator_options *, const uint8_t *, size_t,
                   size_t cut);

#endif
