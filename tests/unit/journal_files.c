#include "journal_files.h"

#include "store/record.h"
#include "store/segment.h"
#include "util/file.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void segment_path(const char *folder, uint32_t number, char *path, size_t room)
{
    snprintf(path, room, "%s/journal-%010u.seg", folder, number);
}

/* The oldest may have been deleted: they do not begin with 1. */
static uint32_t first_segment(const char *folder)
{
    char path[PATH_MAX];
    uint32_t number = 0;
    do {
        assert_true(number < 100000);
        segment_path(folder, ++number, path, sizeof path);
    } while (access(path, F_OK) != 0);
    return number;
}

uint32_t last_segment(const char *folder, char *path, size_t room)
{
    uint32_t number = first_segment(folder) - 1;
    do
        segment_path(folder, ++number, path, room);
    while (access(path, F_OK) == 0);
    segment_path(folder, --number, path, room);
    return number;
}

/* Steps over the records of one segment; false at its end. */
static bool step(const struct buf *bytes, uint32_t segment, size_t *at, struct record_head *head)
{
    if (*at + RECORD_HEAD > bytes->size || !record_read_head(bytes->data + *at, POSITION(segment, *at), head))
        return false;
    *at += record_span(head->size);
    return true;
}

uint64_t journal_end(const char *folder)
{
    char path[PATH_MAX];
    uint32_t number = last_segment(folder, path, sizeof path);
    struct buf bytes = {0};
    struct record_head head;
    size_t at = SEGMENT_DATA;
    assert_int_equal(file_read(path, 1 << 30, &bytes, NULL), 0);
    while (step(&bytes, number, &at, &head))
        ;
    buf_fini(&bytes);
    return POSITION(number, at);
}

bool find_record(const char *folder, int type, size_t n, uint64_t *position, uint32_t *size)
{
    char path[PATH_MAX];
    uint32_t last = last_segment(folder, path, sizeof path);
    bool found = false;
    for (uint32_t number = first_segment(folder); number <= last && !found; number++) {
        struct buf bytes = {0};
        struct record_head head;
        size_t at = SEGMENT_DATA;
        segment_path(folder, number, path, sizeof path);
        assert_int_equal(file_read(path, 1 << 30, &bytes, NULL), 0);
        while (!found && step(&bytes, number, &at, &head))
            if (head.type == type && n-- == 0) {
                *position = head.position;
                *size = head.size;
                found = true;
            }
        buf_fini(&bytes);
    }
    return found;
}

/* Holes stay holes. */
static void copy_file(const char *from, const char *to)
{
    struct buf bytes = {0};
    static const uint8_t zeros[4096];
    assert_int_equal(file_read(from, 1 << 30, &bytes, NULL), 0);
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes.size), 0);
    for (size_t at = 0; at < bytes.size; at += 4096) {
        size_t size = bytes.size - at < 4096 ? bytes.size - at : 4096;
        if (memcmp(bytes.data + at, zeros, size))
            assert_int_equal(pwrite(fd, bytes.data + at, size, (off_t)at), size);
    }
    close(fd);
    buf_fini(&bytes);
}

void copy_folder(const char *from, const char *to)
{
    DIR *folder = opendir(from);
    struct dirent *entry;
    char source[PATH_MAX], target[PATH_MAX];
    mkdir(to, 0700);
    while (folder && (entry = readdir(folder))) {
        struct stat st;
        snprintf(source, sizeof source, "%s/%s", from, entry->d_name);
        snprintf(target, sizeof target, "%s/%s", to, entry->d_name);
        if (stat(source, &st) == 0 && S_ISREG(st.st_mode))
            copy_file(source, target);
    }
    assert_non_null(folder);
    closedir(folder);
}

void truncate_at(const char *path, uint64_t size)
{
    assert_int_equal(truncate(path, (off_t)size), 0);
}

void flip_bit(const char *path, uint64_t offset, unsigned bit)
{
    uint8_t byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    byte ^= (uint8_t)(1u << bit);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
    close(fd);
}

void delete_index(const char *folder)
{
    static const char *const names[] = {"index.sqlite", "index.sqlite-wal", "index.sqlite-shm"};
    char path[PATH_MAX];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
}
