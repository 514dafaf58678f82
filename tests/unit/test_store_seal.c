/* Sealed pieces: what was changed, moved or taken from elsewhere is not opened. */
#include "store/keyring.h"
#include "store_calls.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/core_names.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"

#define ID       "0123456789abcdefghjkmnpq"
#define OTHER    "1123456789abcdefghjkmnpq"
#define SALT_AT  8 /* in a piece's body: payload and batch */
#define NONCE_AT (SALT_AT + 52)
#define TEXT     "ten containers, two of them with lithium batteries"

struct seals {
    char folder[64];
    struct keyring *ring;
    struct sealer *sealer;
};

static const uint8_t wrapping[SEAL_KEY] = {1, 2, 3};

static int setup(void **state)
{
    struct seals *seals = calloc(1, sizeof *seals);
    snprintf(seals->folder, sizeof seals->folder, "/tmp/seal-test-XXXXXX");
    assert_non_null(mkdtemp(seals->folder));
    assert_int_equal(keyring_make(&seals->ring, seals->folder, wrapping, NULL), 0);
    assert_non_null(seals->sealer = sealer_new(seals->ring));
    *state = seals;
    return 0;
}

static int teardown(void **state)
{
    struct seals *seals = *state;
    sealer_free(seals->sealer);
    keyring_free(seals->ring);
    folder_remove(seals->folder);
    free(seals);
    return 0;
}

/* A sealed body. */
struct sealed {
    struct buf body;
    uint8_t payload[SEAL_PAYLOAD_ID];
};

static void seal_as(struct seals *seals, struct sealed *to, const char *agreement, uint32_t index,
                    const char *message, const void *data, size_t size)
{
    struct seal_bond bond = {.agreement = agreement, .payload = to->payload, .message = message};
    struct record_piece piece = {.index = index, .data = data, .size = size, .bond = &bond};
    assert_int_equal(sealer_put(seals->sealer, &to->body, &piece), 0);
    assert_int_equal(to->body.size, RECORD_PIECE_HEAD + size);
}

static int open_as(struct seals *seals, const struct buf *body, uint32_t index, const char *message,
                   uint8_t *payload, const uint8_t **plain)
{
    struct record_piece piece;
    struct seal_bond bond = {.payload = payload, .message = message, .index = index};
    assert_int_equal(record_get_piece(body->data, body->size, &piece), 0);
    return sealer_take(seals->sealer, &piece, &bond, plain);
}

static int open_only(struct seals *seals, const struct buf *body)
{
    const uint8_t *plain;
    return open_as(seals, body, 0, ID, NULL, &plain);
}

static void a_piece_opens_to_what_was_sealed_and_hides_it(void **state)
{
    struct seals *seals = *state;
    struct sealed one = {0};
    const uint8_t *plain;
    seal_as(seals, &one, "isa", 0, ID, TEXT, sizeof TEXT);
    assert_null(memmem(one.body.data, one.body.size, "lithium", 7));
    assert_int_equal(open_as(seals, &one.body, 0, ID, NULL, &plain), 0);
    assert_string_equal((const char *)plain, TEXT);
    assert_int_equal(open_as(seals, &one.body, 0, ID, one.payload, &plain), 0);
    buf_fini(&one.body);
}

static void the_same_payload_never_looks_the_same(void **state)
{
    struct seals *seals = *state;
    struct sealed one = {0}, two = {0}, again = {0};
    seal_as(seals, &one, "isa", 0, ID, TEXT, sizeof TEXT);
    seal_as(seals, &two, "isa", 0, ID, TEXT, sizeof TEXT);
    memcpy(again.payload, one.payload,
           sizeof again.payload); /* the same payload, put again after a failed write */
    seal_as(seals, &again, "isa", 0, ID, TEXT, sizeof TEXT);
    assert_memory_not_equal(one.payload, two.payload, SEAL_PAYLOAD_ID);
    assert_memory_not_equal(one.body.data + RECORD_PIECE_HEAD, two.body.data + RECORD_PIECE_HEAD,
                            sizeof TEXT);
    assert_memory_not_equal(one.body.data + RECORD_PIECE_HEAD, again.body.data + RECORD_PIECE_HEAD,
                            sizeof TEXT);
    assert_memory_equal(one.body.data + SALT_AT, again.body.data + SALT_AT, SEAL_PAYLOAD_ID);
    buf_fini(&one.body);
    buf_fini(&two.body);
    buf_fini(&again.body);
}

/* Index, payload, batch, key number, tag, nonce, and what was sealed. */
static void every_bit_counts(void **state)
{
    struct seals *seals = *state;
    struct sealed one = {0};
    seal_as(seals, &one, "isa", 0, ID, TEXT, sizeof TEXT);
    for (size_t at = 4; at < one.body.size; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            one.body.data[at] ^= (uint8_t)(1u << bit);
            assert_int_equal(open_only(seals, &one.body), ACCORD_EFORMAT);
            one.body.data[at] ^= (uint8_t)(1u << bit);
        }
    assert_int_equal(open_only(seals, &one.body), 0);
    buf_fini(&one.body);
}

static void a_piece_cut_short_or_longer_is_refused(void **state)
{
    struct seals *seals = *state;
    struct sealed one = {0};
    seal_as(seals, &one, "isa", 0, ID, TEXT, sizeof TEXT);
    size_t whole = one.body.size;
    for (one.body.size = RECORD_PIECE_HEAD + 1; one.body.size < whole; one.body.size++)
        assert_int_equal(open_only(seals, &one.body), ACCORD_EFORMAT);
    buf_byte(&one.body, 0);
    assert_int_equal(open_only(seals, &one.body), ACCORD_EFORMAT);
    buf_fini(&one.body);
}

static void pieces_do_not_change_places(void **state)
{
    struct seals *seals = *state;
    struct sealed first = {0}, second = {0};
    const uint8_t *plain;
    seal_as(seals, &first, "isa", 0, NULL, TEXT, sizeof TEXT);
    memcpy(second.payload, first.payload, SEAL_PAYLOAD_ID);
    seal_as(seals, &second, "isa", 1, ID, TEXT, sizeof TEXT);
    assert_int_equal(open_as(seals, &first.body, 0, NULL, first.payload, &plain), 0);
    assert_int_equal(open_as(seals, &second.body, 1, ID, first.payload, &plain), 0);
    /* in each other's place; an index that was changed as well is covered by the tag */
    assert_int_equal(open_as(seals, &second.body, 0, NULL, first.payload, &plain), ACCORD_EFORMAT);
    assert_int_equal(open_as(seals, &first.body, 1, ID, first.payload, &plain), ACCORD_EFORMAT);
    first.body.data[4] = 1;
    assert_int_equal(open_as(seals, &first.body, 1, NULL, first.payload, &plain), ACCORD_EFORMAT);
    first.body.data[4] = 0;
    /* the payload cut off behind the first piece, or begun again with the last */
    assert_int_equal(open_as(seals, &first.body, 0, ID, first.payload, &plain), ACCORD_EFORMAT);
    second.body.data[4] = 0;
    assert_int_equal(open_as(seals, &second.body, 0, ID, first.payload, &plain), ACCORD_EFORMAT);
    buf_fini(&first.body);
    buf_fini(&second.body);
}

static void pieces_do_not_stand_in_for_those_of_another_message(void **state)
{
    struct seals *seals = *state;
    struct sealed ours = {0}, theirs = {0};
    const uint8_t *plain;
    seal_as(seals, &ours, "isa", 0, NULL, TEXT, sizeof TEXT);
    seal_as(seals, &theirs, "isa", 0, NULL, TEXT, sizeof TEXT);
    assert_int_equal(open_as(seals, &theirs.body, 0, NULL, ours.payload, &plain), ACCORD_EFORMAT);
    buf_clear(&theirs.body);
    seal_as(seals, &theirs, "isa", 1, OTHER, TEXT, sizeof TEXT);
    assert_int_equal(open_as(seals, &theirs.body, 1, ID, NULL, &plain), ACCORD_EFORMAT);
    assert_int_equal(open_as(seals, &theirs.body, 1, OTHER, NULL, &plain), 0);
    buf_fini(&ours.body);
    buf_fini(&theirs.body);
}

static void agreements_have_keys_of_their_own(void **state)
{
    struct seals *seals = *state;
    struct sealed ours = {0}, theirs = {0};
    uint32_t isa, ais;
    const uint8_t *key;
    seal_as(seals, &ours, "isa", 0, ID, TEXT, sizeof TEXT);
    seal_as(seals, &theirs, "ais", 0, ID, TEXT, sizeof TEXT);
    assert_int_equal(keyring_current(seals->ring, "isa", &isa, &key), 0);
    assert_int_equal(keyring_current(seals->ring, "ais", &ais, &key), 0);
    assert_int_not_equal(isa, ais);
    assert_int_equal(ours.body.data[SALT_AT + 32], isa);
    ours.body.data[SALT_AT + 32] = (uint8_t)ais; /* the other agreement's key does not open it */
    assert_int_equal(open_only(seals, &ours.body), ACCORD_EFORMAT);
    ours.body.data[SALT_AT + 32] = 99; /* nor one that does not exist */
    assert_int_equal(open_only(seals, &ours.body), ACCORD_EFORMAT);
    assert_int_equal(open_only(seals, &theirs.body), 0);
    buf_fini(&ours.body);
    buf_fini(&theirs.body);
}

static void pieces_of_the_first_format_are_given_as_they_are(void **state)
{
    struct seals *seals = *state;
    struct buf body = {0};
    const uint8_t *plain;
    record_put_piece(&body, &(struct record_piece){.index = 3, .data = TEXT, .size = sizeof TEXT});
    assert_int_equal(open_as(seals, &body, 3, ID, NULL, &plain), 0);
    assert_string_equal((const char *)plain, TEXT);
    assert_int_equal(open_as(seals, &body, 2, ID, NULL, &plain), ACCORD_EFORMAT);
    buf_fini(&body);
}

/* As the agents before wrote it: a key of its own from 32 bytes of salt, the index as nonce. */
static void seal_as_second_format(struct seals *seals, struct buf *body, uint32_t index, const char *message)
{
    uint8_t data[RECORD_SEAL_SPACE] = "one payload's 16and its own bits", key[SEAL_KEY],
            nonce[12] = {(uint8_t)index};
    uint8_t bound[4 + 1 + ACCORD_ID_MAX] = {(uint8_t)index, 0, 0, 0, message != NULL}, sealed[sizeof TEXT];
    const uint8_t *agreement_key;
    uint32_t number;
    int n;
    struct hkdf *hkdf = hkdf_new();
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (message)
        memcpy(bound + 5, message, ACCORD_ID_MAX);
    assert_int_equal(keyring_current(seals->ring, "isa", &number, &agreement_key), 0);
    assert_int_equal(hkdf_derive(hkdf, agreement_key, SEAL_KEY, data, 32, "accord payload piece 1", key), 0);
    data[32] = (uint8_t)number;
    assert_int_equal(EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), key, nonce, NULL), 1);
    assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &n, bound, sizeof bound), 1);
    assert_int_equal(EVP_EncryptUpdate(ctx, sealed, &n, (const uint8_t *)TEXT, sizeof TEXT), 1);
    assert_int_equal(EVP_EncryptFinal_ex(ctx, sealed + n, &n), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, data + 36), 1);
    record_put_piece(
        body,
        &(struct record_piece){
            .seal = SEAL_PIECE, .index = index, .seal_data = data, .data = sealed, .size = sizeof sealed});
    EVP_CIPHER_CTX_free(ctx);
    hkdf_free(hkdf);
}

static void pieces_of_the_second_format_open(void **state)
{
    struct seals *seals = *state;
    struct buf first = {0}, last = {0};
    uint8_t payload[SEAL_PAYLOAD_ID + 1] = "one payload's 16", other[SEAL_PAYLOAD_ID] = {1};
    const uint8_t *plain;
    seal_as_second_format(seals, &first, 0, NULL);
    seal_as_second_format(seals, &last, 1, ID);
    assert_int_equal(open_as(seals, &first, 0, NULL, payload, &plain), 0);
    assert_string_equal((const char *)plain, TEXT);
    assert_int_equal(open_as(seals, &last, 1, ID, payload, &plain), 0);
    assert_string_equal((const char *)plain, TEXT);
    assert_int_equal(open_as(seals, &last, 1, OTHER, payload, &plain), ACCORD_EFORMAT);
    assert_int_equal(open_as(seals, &first, 0, NULL, other, &plain), ACCORD_EFORMAT);
    for (size_t at = SALT_AT; at < first.size; at++) {
        first.data[at] ^= 1;
        assert_int_equal(open_as(seals, &first, 0, NULL, NULL, &plain), ACCORD_EFORMAT);
        first.data[at] ^= 1;
    }
    first.data[0] = SEAL_BATCH; /* it does not pass for one of the newest */
    assert_int_equal(open_as(seals, &first, 0, NULL, NULL, &plain), ACCORD_EFORMAT);
    buf_fini(&first);
    buf_fini(&last);
}

/* Key and nonce: those of a batch count up, and a batch ends with the agreement's key, with the sealer, and when it has
 * enough. */
static void no_key_and_nonce_meet_twice(void **state)
{
    struct seals *seals = *state;
    struct sealed one = {0};
    uint8_t batch[16] = {0};
    uint32_t count = 0, batches = 0;
    for (int i = 0; i < 65536 + 10; i++) {
        buf_clear(&one.body);
        seal_as(seals, &one, "isa", 0, ID, "x", 1);
        if (memcmp(batch, one.body.data + SALT_AT + 16, sizeof batch) != 0) {
            memcpy(batch, one.body.data + SALT_AT + 16, sizeof batch);
            batches++;
            count = 0;
        }
        assert_memory_equal(one.body.data + NONCE_AT, &count, sizeof count);
        count++;
    }
    assert_int_equal(batches, 2);
    assert_int_equal(keyring_add(seals->ring, "isa", NULL), 0);
    buf_clear(&one.body);
    seal_as(seals, &one, "isa", 0, ID, "x", 1);
    assert_memory_not_equal(batch, one.body.data + SALT_AT + 16, sizeof batch);
    memcpy(batch, one.body.data + SALT_AT + 16, sizeof batch);
    struct sealer *first = seals->sealer;
    assert_non_null(seals->sealer = sealer_new(seals->ring));
    buf_clear(&one.body);
    seal_as(seals, &one, "isa", 0, ID, "x", 1);
    assert_memory_not_equal(batch, one.body.data + SALT_AT + 16, sizeof batch);
    sealer_free(first);
    buf_fini(&one.body);
}

/* More than a sealer keeps the keys of. */
static void batches_open_in_any_order(void **state)
{
    struct seals *seals = *state;
    enum { MANY = 40 };
    struct sealed pieces[MANY] = {0};
    char name[16];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "agreement-%d", i);
        seal_as(seals, &pieces[i], name, 0, ID, TEXT, sizeof TEXT);
    }
    for (int i = 0; i < 3 * MANY; i++)
        assert_int_equal(open_only(seals, &pieces[i * 7 % MANY].body), 0);
    for (int i = 0; i < MANY; i++)
        buf_fini(&pieces[i].body);
}

static void keys_are_derived_as_rfc_5869_says(void **state)
{
    struct hkdf *hkdf = hkdf_new();
    uint8_t ours[SEAL_KEY], theirs[SEAL_KEY], key[SEAL_KEY] = "key", salt[32] = "salt";
    char digest[] = "SHA256", purpose[] = "what for";
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key, sizeof key),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt, sizeof salt),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, purpose, strlen(purpose)),
        OSSL_PARAM_construct_end()};
    (void)state;
    assert_int_equal(EVP_KDF_derive(ctx, theirs, sizeof theirs, parameters), 1);
    for (int i = 0; i < 2; i++) { /* the context is used again */
        assert_int_equal(hkdf_derive(hkdf, key, sizeof key, salt, sizeof salt, purpose, ours), 0);
        assert_memory_equal(ours, theirs, SEAL_KEY);
    }
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    hkdf_free(hkdf);
}

/* The cost of a payload of 1 KiB; told when asked for, for it is no promise on this machine. */
static void the_cost_is_told(void **state)
{
    struct seals *seals = *state;
    uint8_t data[1024] = {0};
    int rounds = getenv("ACCORD_MEASURE") ? 200000 : 10;
    struct sealed pair[2] = {{{0}, {0}}, {{0}, {0}}}; /* in turns, so that none is open already */
    const uint8_t *plain;
    int64_t begun = clock_wall();
    for (int i = 0; i < rounds; i++) {
        buf_clear(&pair[i % 2].body);
        memset(pair[i % 2].payload, 0, SEAL_PAYLOAD_ID);
        seal_as(seals, &pair[i % 2], "isa", 0, ID, data, sizeof data);
    }
    int64_t sealed = clock_wall();
    for (int i = 0; i < rounds; i++)
        assert_int_equal(open_as(seals, &pair[i % 2].body, 0, ID, NULL, &plain), 0);
    print_message("1 KiB: sealed in %.2f us, opened in %.2f us\n", (double)(sealed - begun) / rounds,
                  (double)(clock_wall() - sealed) / rounds);
    buf_fini(&pair[0].body);
    buf_fini(&pair[1].body);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_piece_opens_to_what_was_sealed_and_hides_it),
        TEST(the_same_payload_never_looks_the_same),
        TEST(every_bit_counts),
        TEST(a_piece_cut_short_or_longer_is_refused),
        TEST(pieces_do_not_change_places),
        TEST(pieces_do_not_stand_in_for_those_of_another_message),
        TEST(agreements_have_keys_of_their_own),
        TEST(pieces_of_the_first_format_are_given_as_they_are),
        TEST(pieces_of_the_second_format_open),
        TEST(no_key_and_nonce_meet_twice),
        TEST(batches_open_in_any_order),
        TEST(keys_are_derived_as_rfc_5869_says),
        TEST(the_cost_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
