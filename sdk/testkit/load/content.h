/* What pulse sends and sink expects: bytes that follow from the source id and the size alone, so that a far side
 * can tell a lost, cut, mixed-up or damaged payload without being told what was sent. */
#ifndef TESTKIT_LOAD_CONTENT_H
#define TESTKIT_LOAD_CONTENT_H

#include <stddef.h>
#include <stdint.h>

uint64_t content_key(const char *source_id, int64_t size);
/* The bytes from `offset`, a multiple of 8. */
void content_fill(uint64_t key, int64_t offset, void *to, size_t size);
/* Digits, with zeros before them until there are `least` (at most 20); returns what is behind them. Both write a line
 * for every message, where printf would be a good part of all that they do. */
char *content_number(char *to, int64_t value, size_t least);

#endif
