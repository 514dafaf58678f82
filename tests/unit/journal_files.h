/* The journal's files as tests see and damage them. */
#ifndef JOURNAL_FILES_H
#define JOURNAL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Name of the newest segment; its number. */
uint32_t last_segment(const char *folder, char *path, size_t room);
void segment_path(const char *folder, uint32_t number, char *path, size_t room);
/* Position behind the last record of the newest segment: where the next group will go. */
uint64_t journal_end(const char *folder);
void copy_folder(const char *from, const char *to);
void truncate_at(const char *path, uint64_t size);
void flip_bit(const char *path, uint64_t offset, unsigned bit);
void delete_index(const char *folder);
/* Finds the n-th record of a type (record.h) from the front; its position and its body's size. */
bool find_record(const char *folder, int type, size_t n, uint64_t *position, uint32_t *size);

#endif
