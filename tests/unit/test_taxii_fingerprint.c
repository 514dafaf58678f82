/* Fingerprints of blocks: what they are called in the store, so they must never change. */
#include "connectors/taxii/fingerprint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *print_of(const void *bytes, size_t size, size_t piece)
{
    static char text[4][FINGERPRINT_TEXT];
    static int next;
    struct fingerprint print;
    fingerprint_begin(&print);
    for (size_t at = 0; at < size; at += piece)
        fingerprint_add(&print, (const uint8_t *)bytes + at, size - at < piece ? size - at : piece);
    fingerprint_end(&print, text[next %= 4]);
    return text[next++];
}

static void fill(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
}

static void they_are_the_same_on_every_machine_and_in_every_version(void **state)
{
    uint8_t bytes[1000];
    (void)state;
    fill(bytes, sizeof bytes);
    assert_string_equal(print_of("", 0, 1), "50ef80bcebb4d48acd285719423c1c7d");
    assert_string_equal(print_of("<a/>", 4, 4), "58bccbf5175a67e627d9fbe70c3035af");
    assert_string_equal(print_of(bytes, sizeof bytes, sizeof bytes), "23ecf1c7d461708868eac14456958e04");
}

static void they_do_not_depend_on_the_pieces(void **state)
{
    uint8_t bytes[300];
    (void)state;
    fill(bytes, sizeof bytes);
    for (size_t size = 0; size <= sizeof bytes; size++)
        for (size_t piece = 1; piece < 70; piece++)
            assert_string_equal(print_of(bytes, size, piece), print_of(bytes, size, sizeof bytes));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Each bit of each byte, and the size, tells: and even half of the digits are enough here. */
static void they_tell_every_bit_and_every_size(void **state)
{
    enum { SIZE = 96, COUNT = SIZE * 8 + 4 * SIZE };
    static char seen[COUNT][FINGERPRINT_TEXT], halves[2 * COUNT][FINGERPRINT_TEXT];
    uint8_t bytes[4 * SIZE] = {0};
    size_t count = 0;
    (void)state;
    for (size_t bit = 0; bit < (size_t)SIZE * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        strcpy(seen[count++], print_of(bytes, SIZE, SIZE));
        bytes[bit / 8] = 0;
    }
    for (size_t size = 0; size < sizeof bytes; size++)
        strcpy(seen[count++], print_of(bytes, size, 64));
    for (size_t i = 0; i < count; i++) {
        memcpy(halves[2 * i], seen[i], 16);
        strcpy(halves[2 * i + 1], seen[i] + 16);
    }
    qsort(halves, 2 * count, sizeof *halves, by_text);
    for (size_t i = 1; i < 2 * count; i++)
        assert_string_not_equal(halves[i - 1], halves[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_the_same_on_every_machine_and_in_every_version),
        cmocka_unit_test(they_do_not_depend_on_the_pieces),
        cmocka_unit_test(they_tell_every_bit_and_every_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
