#include "util/digest.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

/* FIPS 180-4, as NIST gives its examples. */
static void hashes_are_those_of_the_standard(void **state)
{
    uint8_t hash[DIGEST_SIZE];
    char hex[DIGEST_HEX];
    (void)state;
    assert_int_equal(digest_of("abc", 3, hash), 0);
    hex_encode(hex, hash, DIGEST_SIZE);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(digest_of("", 0, hash), 0);
    hex_encode(hex, hash, DIGEST_SIZE);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void a_running_hash_is_that_of_the_whole(void **state)
{
    uint8_t bytes[300], whole[DIGEST_SIZE], parts[DIGEST_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(7 * i);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        struct digest *digest = digest_new();
        assert_non_null(digest);
        digest_add(digest, bytes, size / 3);
        digest_add(digest, bytes + size / 3, size - size / 3);
        digest_end(digest, parts);
        assert_int_equal(digest_of(bytes, size, whole), 0);
        assert_memory_equal(whole, parts, DIGEST_SIZE);
    }
}

static void every_byte_has_two_digits_and_comes_back(void **state)
{
    uint8_t bytes[256], back[256];
    char hex[2 * sizeof bytes + 1], two[9];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    for (size_t size = 0; size <= sizeof bytes; size++) {
        memset(hex, 'x', sizeof hex);
        hex_encode(hex, bytes, size);
        assert_int_equal(strlen(hex), 2 * size);
        for (size_t i = 0; i < size; i++) {
            snprintf(two, sizeof two, "%02x", (unsigned)i);
            assert_memory_equal(hex + 2 * i, two, 2);
        }
        assert_true(hex_decode(back, size, hex));
        assert_memory_equal(back, bytes, size);
        assert_false(hex_decode(back, size + 1, hex));
    }
}

/* At every place, in what is read at once and in what is left over. */
static void what_is_no_digit_is_refused(void **state)
{
    uint8_t back[20];
    char hex[41];
    (void)state;
    for (size_t at = 0; at < 40; at++)
        for (int c = 1; c < 256; c++) {
            memset(hex, 'f', 40);
            hex[40] = 0;
            hex[at] = (char)c;
            assert_int_equal(hex_decode(back, 20, hex), (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_those_of_the_standard),
        cmocka_unit_test(a_running_hash_is_that_of_the_whole),
        cmocka_unit_test(every_byte_has_two_digits_and_comes_back),
        cmocka_unit_test(what_is_no_digit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
