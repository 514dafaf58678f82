/* Whether a file is a whole 64-bit shared object of this machine: ld.so dies of SIGBUS on a truncated one. */
#ifndef PLUGIN_ELF_H
#define PLUGIN_ELF_H

#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

/* Looks at headers and extents only. 0, or ACCORD_EFORMAT. */
int elf_check(const uint8_t *bytes, size_t size, struct reason *why);

#endif
