/* The key file and the keyring: what a store needs to be opened, and how its keys are replaced. */
#include "store/keyring_file.h"
#include "store/keys.h"
#include "store_calls.h"
#include "util/file.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/crc.h"

/* A folder of a store, its key beside it. */
struct place {
    char folder[64], file[80], ring[80];
    struct keys keys;
    struct reason why;
};

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    snprintf(place->folder, sizeof place->folder, "/tmp/keys-test-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->file, sizeof place->file, "%s/keys/store.key", place->folder);
    snprintf(place->ring, sizeof place->ring, "%s/" KEYRING_FILE, place->folder);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    folder_remove(place->folder);
    free(place);
    return 0;
}

static int open_keys(struct place *place, enum keys_store store)
{
    place->why.text[0] = 0;
    int result = keys_open(&place->keys, place->folder, place->file, store, NULL, &place->why);
    if (result)
        keys_close(&place->keys);
    return result;
}

static void key_of(struct place *place, const char *agreement, uint32_t *number, uint8_t key[SEAL_KEY])
{
    const uint8_t *found;
    assert_int_equal(keyring_current(place->keys.ring, agreement, number, &found), 0);
    memcpy(key, found, SEAL_KEY);
}

/* A store with keys of two agreements, closed. */
static void make_keys(struct place *place, uint8_t isa[SEAL_KEY])
{
    uint8_t ais[SEAL_KEY];
    uint32_t number;
    assert_int_equal(open_keys(place, KEYS_EMPTY), 0);
    key_of(place, "isa", &number, isa);
    assert_int_equal(number, 1);
    key_of(place, "ais", &number, ais);
    assert_int_equal(number, 2);
    assert_memory_not_equal(isa, ais, SEAL_KEY);
    keys_close(&place->keys);
}

static void expect_key(struct place *place, uint32_t number, const uint8_t key[SEAL_KEY])
{
    assert_int_equal(open_keys(place, KEYS_SEALED), 0);
    assert_non_null(keyring_key(place->keys.ring, number));
    assert_memory_equal(keyring_key(place->keys.ring, number), key, SEAL_KEY);
    keys_close(&place->keys);
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    assert_int_equal(file_replace(path, bytes, size, 0600, NULL), 0);
}

static struct buf content(const char *path)
{
    struct buf bytes = {0};
    assert_int_equal(file_read(path, KEYRING_FILE_MAX, &bytes, NULL), 0);
    return bytes;
}

static void expect_refused(struct place *place, enum keys_store store, int result, const char *words)
{
    assert_int_equal(open_keys(place, store), result);
    if (!strstr(place->why.text, words))
        fail_msg("\"%s\" does not say \"%s\"", place->why.text, words);
}

/* ---- the key file ---- */

static void an_empty_store_gets_a_private_key(void **state)
{
    struct place *place = *state;
    struct stat st;
    uint8_t isa[SEAL_KEY];
    make_keys(place, isa);
    assert_int_equal(stat(place->file, &st), 0);
    assert_int_equal(st.st_size, SEAL_KEY);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(place->ring, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    expect_key(place, 1, isa);
}

static void a_store_that_was_not_sealed_gets_one_too(void **state)
{
    struct place *place = *state;
    assert_int_equal(open_keys(place, KEYS_UNSEALED), 0);
    keys_close(&place->keys);
    assert_int_equal(open_keys(place, KEYS_SEALED), 0);
    keys_close(&place->keys);
}

static void a_missing_key_is_asked_for_and_never_made_again(void **state)
{
    struct place *place = *state;
    uint8_t isa[SEAL_KEY];
    make_keys(place, isa);
    assert_int_equal(unlink(place->file), 0);
    expect_refused(place, KEYS_SEALED, ACCORD_ENOENT, place->file);
    expect_refused(place, KEYS_UNSEALED, ACCORD_ENOENT, "put it back");
    expect_refused(place, KEYS_EMPTY, ACCORD_ENOENT,
                   place->folder); /* its journal is gone, its keyring is not */
    assert_int_equal(access(place->file, F_OK), -1);
}

static void another_key_is_refused_and_left_alone(void **state)
{
    struct place *place = *state;
    uint8_t isa[SEAL_KEY], other[SEAL_KEY] = {7};
    make_keys(place, isa);
    struct buf ring = content(place->ring), right = content(place->file);
    write_file(place->file, other, sizeof other);
    expect_refused(place, KEYS_SEALED, ACCORD_EDENIED, "not the one");
    struct buf still = content(place->ring);
    assert_int_equal(still.size, ring.size);
    assert_memory_equal(still.data, ring.data, ring.size);
    write_file(place->file, right.data, right.size);
    expect_key(place, 1, isa);
    buf_fini(&ring);
    buf_fini(&right);
    buf_fini(&still);
}

static void a_key_file_that_is_not_as_it_must_be_is_refused(void **state)
{
    struct place *place = *state;
    uint8_t isa[SEAL_KEY], longer[SEAL_KEY + 1] = {0};
    char aside[96];
    make_keys(place, isa);
    struct buf right = content(place->file);
    write_file(place->file, right.data, SEAL_KEY - 1);
    expect_refused(place, KEYS_SEALED, ACCORD_EFORMAT, "31 bytes");
    write_file(place->file, longer, sizeof longer);
    expect_refused(place, KEYS_SEALED, ACCORD_EFORMAT, "33 bytes");
    write_file(place->file, "", 0);
    expect_refused(place, KEYS_SEALED, ACCORD_EFORMAT, "0 bytes");
    write_file(place->file, right.data, right.size);
    assert_int_equal(chmod(place->file, 0640), 0);
    expect_refused(place, KEYS_SEALED, ACCORD_EDENIED, "open to other users");
    assert_int_equal(chmod(place->file, 0600), 0);
    snprintf(aside, sizeof aside, "%s.aside", place->file);
    assert_int_equal(rename(place->file, aside), 0);
    assert_int_equal(symlink(aside, place->file), 0);
    expect_refused(place, KEYS_SEALED, ACCORD_EDENIED, "symbolic link");
    assert_int_equal(rename(aside, place->file), 0);
    if (getuid() == 0) {
        assert_int_equal(chown(place->file, 12345, 12345), 0);
        expect_refused(place, KEYS_SEALED, ACCORD_EDENIED, "belongs to uid 12345");
        assert_int_equal(chown(place->file, 0, 0), 0);
    }
    expect_key(place, 1, isa);
    buf_fini(&right);
}

static void a_credential_of_systemd_may_show_a_group(void **state)
{
    struct place *place = *state;
    uint8_t isa[SEAL_KEY];
    make_keys(place, isa);
    char credentials[96];
    snprintf(credentials, sizeof credentials, "%s/keys", place->folder);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", credentials, 1), 0);
    assert_int_equal(chmod(place->file, 0440), 0);
    assert_int_equal(open_keys(place, KEYS_SEALED), 0);
    assert_int_equal(keys_replace_file(&place->keys, &place->why), ACCORD_EDENIED);
    assert_non_null(strstr(place->why.text, "systemd"));
    keys_close(&place->keys);
    unlink(place->file);
    folder_remove(place->ring);
    assert_int_equal(open_keys(place, KEYS_EMPTY), ACCORD_ENOENT); /* nothing is made in that folder */
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

/* ---- the keyring ---- */

static void a_sealed_store_without_its_keyring_is_refused(void **state)
{
    struct place *place = *state;
    uint8_t isa[SEAL_KEY];
    make_keys(place, isa);
    assert_int_equal(unlink(place->ring), 0);
    expect_refused(place, KEYS_SEALED, ACCORD_ENOENT, place->ring);
    assert_int_equal(access(place->ring, F_OK), -1);
}

static void fix_crc(struct buf *ring)
{
    uint32_t crc = crc32c(0, ring->data, ring->size - 4);
    for (size_t i = 0; i < 4; i++)
        ring->data[ring->size - 4 + i] = (uint8_t)(crc >> 8 * i);
}

/* Also with a checksum that was made to fit. */
static void a_keyring_with_one_bit_changed_is_refused(void **state)
{
    struct place *place = *state;
    uint8_t isa[SEAL_KEY];
    make_keys(place, isa);
    struct buf ring = content(place->ring);
    for (size_t at = 0; at < ring.size; at++)
        for (int fitting = 0; fitting < 2; fitting++) {
            if (fitting && at >= ring.size - 4)
                continue;
            ring.data[at] ^= 0x10;
            struct buf changed = {0};
            buf_put(&changed, ring.data, ring.size);
            if (fitting)
                fix_crc(&changed);
            write_file(place->ring, changed.data, changed.size);
            assert_int_not_equal(open_keys(place, KEYS_SEALED), 0);
            buf_fini(&changed);
            ring.data[at] ^= 0x10;
        }
    write_file(place->ring, ring.data, ring.size);
    expect_key(place, 1, isa);
    buf_fini(&ring);
}

static void a_keyring_cut_short_is_refused(void **state)
{
    struct place *place = *state;
    uint8_t isa[SEAL_KEY];
    make_keys(place, isa);
    struct buf ring = content(place->ring);
    for (size_t size = 0; size < ring.size; size += 3) {
        write_file(place->ring, ring.data, size);
        expect_refused(place, KEYS_SEALED, ACCORD_EFORMAT, "damaged");
    }
    buf_fini(&ring);
}

/* The last of two keys taken out, everything else made to fit: only who has the key file can do that. */
static void a_key_taken_out_of_the_keyring_is_noticed(void **state)
{
    struct place *place = *state;
    uint8_t isa[SEAL_KEY];
    make_keys(place, isa);
    struct buf ring = content(place->ring);
    size_t head = 20 + KEYRING_ID, entry = 18 + 4 + 60;
    ring.data[16] = 1;
    memmove(ring.data + head + entry, ring.data + head + 2 * entry, ring.size - head - 2 * entry);
    ring.size -= entry;
    fix_crc(&ring);
    write_file(place->ring, ring.data, ring.size);
    struct keyring_parts parts;
    assert_int_equal(keyring_parse(ring.data, ring.size, &parts), 0);
    expect_refused(place, KEYS_SEALED, ACCORD_EFORMAT, "damaged");
    buf_fini(&ring);
}

static void a_newer_keyring_is_left_to_a_newer_agent(void **state)
{
    struct place *place = *state;
    uint8_t isa[SEAL_KEY];
    make_keys(place, isa);
    struct buf ring = content(place->ring);
    ring.data[8] = KEYRING_VERSION + 1;
    fix_crc(&ring);
    write_file(place->ring, ring.data, ring.size);
    expect_refused(place, KEYS_SEALED, ACCORD_ENOTSUP, "newer format");
    buf_fini(&ring);
}

static void a_new_key_of_an_agreement_is_used_and_the_old_one_kept(void **state)
{
    struct place *place = *state;
    uint8_t isa[SEAL_KEY], newer[SEAL_KEY];
    uint32_t number;
    make_keys(place, isa);
    assert_int_equal(open_keys(place, KEYS_SEALED), 0);
    assert_int_equal(keyring_add(place->keys.ring, "isa", &place->why), 0);
    key_of(place, "isa", &number, newer);
    assert_int_equal(number, 3);
    key_of(place, "ais", &number, newer);
    assert_int_equal(number, 2);
    key_of(place, "isa", &number, newer);
    assert_memory_not_equal(newer, isa, SEAL_KEY);
    assert_int_equal(keyring_add(place->keys.ring, "../isa", &place->why), ACCORD_EINVAL);
    keys_close(&place->keys);
    expect_key(place, 1, isa);
    expect_key(place, 3, newer);
    assert_int_equal(open_keys(place, KEYS_SEALED), 0);
    key_of(place, "isa", &number, isa);
    assert_int_equal(number, 3);
    keys_close(&place->keys);
}

/* ---- a new key file ---- */

static int killed_after;

static void killer(const char *point)
{
    if (!strcmp(point, "rekey") && killed_after-- == 0)
        _exit(9);
}

static void replace_and_die(struct place *place, int after)
{
    pid_t child = fork();
    int status;
    if (!child) {
        killed_after = after;
        place->keys.fault = killer;
        keys_replace_file(&place->keys, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 9);
}

static void replacing_the_key_file_survives_being_killed_at_any_step(void **state)
{
    struct place *place = *state;
    uint8_t isa[SEAL_KEY];
    make_keys(place, isa);
    for (int step = 0; step < 3; step++) {
        struct buf before = content(place->file);
        assert_int_equal(open_keys(place, KEYS_SEALED), 0);
        replace_and_die(place, step);
        keys_close(&place->keys);
        struct buf after = content(place->file);
        assert_int_equal(!memcmp(before.data, after.data, SEAL_KEY), step == 0);
        expect_key(place, 1, isa);
        if (step) { /* the old key opens nothing any more */
            write_file(place->file, before.data, before.size);
            expect_refused(place, KEYS_SEALED, ACCORD_EDENIED, "not the one");
            write_file(place->file, after.data, after.size);
        }
        struct buf ring = content(place->ring);
        assert_int_equal(ring.data[12], 1); /* wrapped once: the change was finished when it was opened */
        buf_fini(&before);
        buf_fini(&after);
        buf_fini(&ring);
    }
}

/* Between the steps either key must do: the rename of the key file may not have reached the disk. */
/* A descriptor that somebody holds of a file laid in its way must not show the key. */
static void a_file_in_the_way_of_the_new_key_gives_it_nothing(void **state)
{
    struct place *place = *state;
    char beside[96];
    struct stat laid, key;
    snprintf(beside, sizeof beside, "%s.new", place->file);
    assert_int_equal(open_keys(place, KEYS_EMPTY), 0);
    int fd = open(beside, O_RDWR | O_CREAT, 0666);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0666), 0);
    assert_int_equal(keys_replace_file(&place->keys, &place->why), 0);
    assert_int_equal(fstat(fd, &laid), 0);
    assert_int_equal(stat(place->file, &key), 0);
    assert_int_equal(laid.st_size, 0);
    assert_int_equal(key.st_mode & 07777, 0600);
    close(fd);
    keys_close(&place->keys);
}

static void while_the_key_file_is_replaced_both_keys_open(void **state)
{
    struct place *place = *state;
    uint8_t isa[SEAL_KEY];
    make_keys(place, isa);
    struct buf old = content(place->file);
    assert_int_equal(open_keys(place, KEYS_SEALED), 0);
    replace_and_die(place, 1);
    keys_close(&place->keys);
    struct buf ring = content(place->ring), new = content(place->file);
    assert_memory_not_equal(old.data, new.data, SEAL_KEY);
    expect_key(place, 1, isa);
    write_file(place->ring, ring.data, ring.size);
    write_file(place->file, old.data, old.size);
    expect_key(place, 1, isa);
    buf_fini(&old);
    buf_fini(&new);
    buf_fini(&ring);
}

static void a_key_file_that_cannot_be_written_stays_the_key(void **state)
{
    struct place *place = *state;
    uint8_t isa[SEAL_KEY];
    char blocked[96];
    make_keys(place, isa);
    assert_int_equal(open_keys(place, KEYS_SEALED), 0);
    snprintf(blocked, sizeof blocked, "%s.new", place->file);
    assert_int_equal(mkdir(blocked, 0700), 0); /* where the new file would be written */
    assert_int_not_equal(keys_replace_file(&place->keys, &place->why), 0);
    assert_int_equal(rmdir(blocked), 0);
    keys_close(&place->keys);
    struct buf ring = content(place->ring);
    assert_int_equal(ring.data[12], 1);
    buf_fini(&ring);
    expect_key(place, 1, isa);
    assert_int_equal(open_keys(place, KEYS_SEALED), 0);
    assert_int_equal(keys_replace_file(&place->keys, &place->why), 0);
    keys_close(&place->keys);
    expect_key(place, 1, isa);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_store_gets_a_private_key),
        TEST(a_store_that_was_not_sealed_gets_one_too),
        TEST(a_missing_key_is_asked_for_and_never_made_again),
        TEST(another_key_is_refused_and_left_alone),
        TEST(a_key_file_that_is_not_as_it_must_be_is_refused),
        TEST(a_credential_of_systemd_may_show_a_group),
        TEST(a_sealed_store_without_its_keyring_is_refused),
        TEST(a_keyring_with_one_bit_changed_is_refused),
        TEST(a_keyring_cut_short_is_refused),
        TEST(a_key_taken_out_of_the_keyring_is_noticed),
        TEST(a_newer_keyring_is_left_to_a_newer_agent),
        TEST(a_new_key_of_an_agreement_is_used_and_the_old_one_kept),
        TEST(replacing_the_key_file_survives_being_killed_at_any_step),
        TEST(a_file_in_the_way_of_the_new_key_gives_it_nothing),
        TEST(while_the_key_file_is_replaced_both_keys_open),
        TEST(a_key_file_that_cannot_be_written_stays_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
