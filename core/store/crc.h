/* CRC32C (Castagnoli), with the processor's instruction where there is one. */
#ifndef STORE_CRC_H
#define STORE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 at the start) over more bytes. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size);
/* The same without the instruction; for tests. */
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t size);

#endif
