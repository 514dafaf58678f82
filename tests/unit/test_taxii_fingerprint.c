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
    EVP_MAC *method = fingerprint_method();
    assert_true(fingerprint_begin(&print, method));
    for (size_t at = 0; at < size; at += piece)
        assert_true(
            fingerprint_add(&print, (const uint8_t *)bytes + at, size - at < piece ? size - at : piece));
    assert_true(fingerprint_end(&print, text[next %= 4]));
    fingerprint_drop(&print);
    EVP_MAC_free(method);
    return text[next++];
}

static void fill(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
}

/* The tags of AES-128-GCM over no text, with the bytes as associated data, as another implementation makes them. */
static void they_are_the_same_on_every_machine_and_in_every_version(void **state)
{
    uint8_t bytes[1000];
    (void)state;
    fill(bytes, sizeof bytes);
    assert_string_equal(print_of("", 0, 1), "a775422ba4f34d15409c66d850e31026");
    assert_string_equal(print_of("<a/>", 4, 4), "715232eea2d2ac5f42a1d4ce7275c061");
    assert_string_equal(print_of(bytes, sizeof bytes, sizeof bytes), "fdd2ec630f3854829729002450207e3c");
}

static void they_do_not_depend_on_the_pieces(void **state)
{
    uint8_t bytes[300];
    (void)state;
    fill(bytes, sizeof bytes);
    for (size_t size = 0; size <= sizeof bytes; size++)
        for (size_t piece = 1; piece < 20; piece++)
            assert_string_equal(print_of(bytes, size, piece), print_of(bytes, size, sizeof bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_the_same_on_every_machine_and_in_every_version),
        cmocka_unit_test(they_do_not_depend_on_the_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
