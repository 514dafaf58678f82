/* An option that would be written behind its struct. */
#define FAULT_NAME   "option-beyond"
#define FAULT_OFFSET sizeof(struct good_options)
#include "good.h"
