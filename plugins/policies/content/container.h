/* Container numbers. */
#ifndef CONTENT_CONTAINER_H
#define CONTENT_CONTAINER_H

#include <stdbool.h>

/* ISO 6346: owner and category in four letters, seven digits; messages in use put a space between them. The
 * check digit is not asked for: boxes with a wrong one sail. */
bool container_number(const char *text);

#endif
