/* A store that is sealed: what lies on the disk, new keys, backups and what they restore to. */
#include "journal_files.h"
#include "store/keyring.h"
#include "store/restored.h"
#include "store/segment.h"
#include "store_calls.h"
#include "util/file.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/clock.h"

#define SECRET "HAZMAT-CONTAINER-4711"
#define LARGE  (5 * ACCORD_PIECE_MAX + 77)
#define MANY   40

struct world {
    struct bench bench;
    char key[160], copy[160];
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct reason why = {""};
    bench_open(&w->bench, "journal");
    bench_shut(&w->bench);
    folder_remove(w->bench.folder);
    snprintf(w->key, sizeof w->key, "%s.keys/store.key", w->bench.folder);
    snprintf(w->copy, sizeof w->copy, "%s.copy", w->bench.folder);
    w->bench.config.key_file = w->key;
    w->bench.config.segment_size = 256 << 10;
    assert_int_equal(bench_reopen(&w->bench, &why), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char keys[160];
    if (w->bench.store)
        bench_shut(&w->bench);
    snprintf(keys, sizeof keys, "%s.keys", w->bench.folder);
    folder_remove(w->bench.folder);
    folder_remove(w->copy);
    folder_remove(keys);
    free(w);
    return 0;
}

static uint8_t *make_text(size_t size)
{
    uint8_t *bytes = malloc(size);
    for (size_t at = 0; at < size; at++)
        bytes[at] = (uint8_t)SECRET[at % (sizeof SECRET - 1)];
    return bytes;
}

static void admit_text(struct world *w, const char *source_id, size_t size, char id[ACCORD_ID_MAX])
{
    struct letter letter;
    uint8_t *bytes = make_text(size);
    letter_init(&letter, &w->bench, source_id, bytes, size);
    assert_int_equal(admit(&w->bench, &letter), 0);
    memcpy(id, letter.id.text, ACCORD_ID_MAX);
    letter_fini(&letter);
    free(bytes);
}

static int read_back(struct world *w, const char *id, size_t size)
{
    uint8_t *bytes = make_text(size), *back = malloc(size);
    size_t done = 0, got = 1;
    int result = 0;
    while (!result && done < size && got) {
        result = read_payload(&w->bench, id, (int64_t)done, back + done,
                              size - done < 50000 ? size - done : 50000, &got);
        done += got;
    }
    if (!result) {
        assert_int_equal(done, size);
        assert_memory_equal(back, bytes, size);
    }
    free(bytes);
    free(back);
    return result;
}

/* ---- what lies on the disk ---- */

static bool file_holds(const char *folder, const char *name, const char *text)
{
    char path[PATH_MAX];
    struct buf bytes = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    bool holds =
        !file_read(path, 64 << 20, &bytes, NULL) && memmem(bytes.data, bytes.size, text, strlen(text));
    buf_fini(&bytes);
    return holds;
}

static bool folder_holds(const char *folder, const char *text)
{
    DIR *list = opendir(folder);
    struct dirent *entry;
    bool holds = false;
    while ((entry = readdir(list)))
        holds |= file_holds(folder, entry->d_name, text);
    closedir(list);
    return holds;
}

static void no_payload_lies_in_the_clear(void **state)
{
    struct world *w = *state;
    char small[ACCORD_ID_MAX], large[ACCORD_ID_MAX];
    admit_text(w, "small", 1000, small);
    admit_text(w, "large", LARGE, large);
    assert_int_equal(read_back(w, small, 1000), 0);
    assert_int_equal(read_back(w, large, LARGE), 0);
    bench_shut(&w->bench);
    assert_true(folder_holds(w->bench.folder, small)); /* the envelope is not sealed, so looking works */
    assert_false(folder_holds(w->bench.folder, "HAZMAT"));
    assert_false(folder_holds(w->bench.folder, "4711HAZ"));
}

/* Exchanges the bodies of two records of equal size, with heads that fit. */
static void exchange(struct world *w, int type, size_t a, size_t b)
{
    uint64_t at[2];
    uint32_t size[2];
    struct record_head head[2];
    struct buf bytes[2] = {{0}, {0}};
    int fd[2];
    size_t which[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        char path[PATH_MAX];
        assert_true(find_record(w->bench.folder, type, which[i], &at[i], &size[i]));
        segment_path(w->bench.folder, POSITION_SEGMENT(at[i]), path, sizeof path);
        assert_true((fd[i] = open(path, O_RDWR)) >= 0);
        assert_non_null(buf_reserve(&bytes[i], RECORD_HEAD + size[i]));
        assert_int_equal(pread(fd[i], bytes[i].data, RECORD_HEAD + size[i], (off_t)POSITION_OFFSET(at[i])),
                         RECORD_HEAD + size[i]);
        assert_true(record_read_head(bytes[i].data, at[i], &head[i]));
        bytes[i].size = RECORD_HEAD + size[i];
    }
    assert_int_equal(size[0], size[1]);
    for (int i = 0; i < 2; i++) {
        record_finish(&bytes[!i], 0, at[i], head[i].group, head[i].type);
        assert_int_equal(pwrite(fd[i], bytes[!i].data, bytes[!i].size, (off_t)POSITION_OFFSET(at[i])),
                         bytes[!i].size);
    }
    for (int i = 0; i < 2; i++) {
        close(fd[i]);
        buf_fini(&bytes[i]);
    }
}

/* Whoever may write the journal can make every checksum fit, and still not pass one payload off as another. */
static void pieces_that_were_exchanged_are_refused(void **state)
{
    static const struct {
        size_t a, b;
        int first, second; /* what reading the two messages gives */
    } exchanges[] = {
        {0, 6, ACCORD_EIO, ACCORD_EIO},  /* the first pieces of two messages */
        {0, 1, ACCORD_EIO, 0},           /* two pieces of one */
        {5, 11, ACCORD_EIO, ACCORD_EIO}, /* the last pieces */
    };
    struct world *w = *state;
    char first[ACCORD_ID_MAX], second[ACCORD_ID_MAX];
    struct reason why = {""};
    admit_text(w, "first", LARGE, first);
    admit_text(w, "second", LARGE, second);
    for (size_t i = 0; i < sizeof exchanges / sizeof *exchanges; i++)
        for (int back = 0; back < 2; back++) {
            bench_shut(&w->bench);
            exchange(w, RECORD_PIECE, exchanges[i].a, exchanges[i].b);
            assert_int_equal(bench_reopen(&w->bench, &why), 0);
            assert_int_equal(read_back(w, first, LARGE), back ? 0 : exchanges[i].first);
            assert_int_equal(read_back(w, second, LARGE), back ? 0 : exchanges[i].second);
        }
    assert_true(w->bench.recovery.damaged_records == 0);
    char damaged[PATH_MAX];
    snprintf(damaged, sizeof damaged, "%s/damaged", w->bench.folder);
    assert_int_equal(access(damaged, F_OK), 0); /* set aside for a look */
}

/* ---- new keys ---- */

static int rotate(struct world *w, const char *agreement, struct store_rotation *rotation)
{
    struct waited waited = {0};
    struct store_audit record = {.chain = "host", .body = make_body("key-rotated")};
    *rotation = (struct store_rotation){.agreement = agreement, .audit = &record, .audit_count = 1};
    store_rotate(w->bench.store, rotation, on_waited, &waited);
    int result = wait_for(&w->bench, &waited);
    buf_fini(&record.body);
    return result;
}

static void keys_are_replaced_in_the_running_store(void **state)
{
    struct world *w = *state;
    char ids[4][ACCORD_ID_MAX];
    struct store_rotation rotation;
    struct reason why = {""};
    struct buf before = {0}, after = {0};
    assert_int_equal(file_read(w->key, 64, &before, NULL), 0);
    admit_text(w, "0", 100, ids[0]);
    assert_int_equal(rotate(w, NULL, &rotation), 0);
    assert_true(rotation.replaced);
    admit_text(w, "1", 100, ids[1]);
    assert_int_equal(rotate(w, "site", &rotation), 0);
    admit_text(w, "2", 100, ids[2]);
    assert_int_equal(rotate(w, "not a name", &rotation), ACCORD_EINVAL);
    assert_false(rotation.replaced);
    assert_int_equal(file_read(w->key, 64, &after, NULL), 0);
    assert_memory_not_equal(before.data, after.data, SEAL_KEY);
    bench_shut(&w->bench);
    assert_int_equal(bench_reopen(&w->bench, &why), 0);
    admit_text(w, "3", 100, ids[3]);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(read_back(w, ids[i], 100), 0);
    assert_int_equal(verify_chains(&w->bench), 6); /* two of them of the rotations */
    buf_fini(&before);
    buf_fini(&after);
}

/* ---- backup ---- */

static int backup_step(struct world *w, struct store_backup *backup)
{
    struct waited waited = {0};
    store_backup(w->bench.store, backup, on_waited, &waited);
    return wait_for(&w->bench, &waited);
}

static int backup_all(struct world *w, struct store_backup *backup)
{
    int result;
    do
        result = backup_step(w, backup);
    while (!result && backup->more);
    return result;
}

/* The world goes on with the copy. */
static int restore(struct world *w, struct reason *why)
{
    bench_shut(&w->bench);
    folder_remove(w->bench.folder);
    copy_folder(w->copy, w->bench.folder);
    return bench_reopen(&w->bench, why);
}

static void a_backup_has_what_was_there_when_it_began(void **state)
{
    struct world *w = *state;
    char before[MANY][ACCORD_ID_MAX], during[MANY][ACCORD_ID_MAX], name[24];
    struct store_backup backup = {.folder = w->copy};
    struct store_message *message;
    struct reason why = {""};
    size_t steps = 0;
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%d", i);
        admit_text(w, name, i % 4 ? 3000 : LARGE, before[i]);
    }
    do { /* traffic goes on, and a key changes */
        struct store_rotation rotation;
        assert_int_equal(backup_step(w, &backup), 0);
        assert_true(backup.copied <= backup.total);
        snprintf(name, sizeof name, "d%zu", steps);
        admit_text(w, name, 3000, during[steps++]);
        if (backup.more) /* the key file that is there at its end belongs to it */
            assert_int_equal(rotate(w, steps % 2 ? NULL : "site", &rotation), 0);
    } while (backup.more);
    assert_true(steps > 1);
    assert_int_equal(backup.copied, backup.total);
    assert_false(folder_holds(w->copy, "HAZMAT"));
    assert_int_equal(restore(w, &why), 0);
    assert_true(w->bench.recovery.restored > 0 && w->bench.recovery.restored <= clock_wall());
    assert_int_equal(w->bench.recovery.damaged_records, 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(read_back(w, before[i], i % 4 ? 3000 : LARGE), 0);
    for (size_t i = 0; i < steps; i++)
        assert_int_equal(get(&w->bench, during[i], &message), ACCORD_ENOENT);
    assert_int_equal(verify_chains(&w->bench), MANY);
    assert_int_equal(store_restored_told(w->bench.store, &why), 0);
    admit_text(w, "after", 3000, during[0]); /* it goes on */
    bench_shut(&w->bench);
    assert_int_equal(bench_reopen(&w->bench, &why), 0);
    assert_int_equal(w->bench.recovery.restored, 0);
    assert_int_equal(read_back(w, during[0], 3000), 0);
}

static void a_backup_does_not_open_without_the_key_file(void **state)
{
    struct world *w = *state;
    char id[ACCORD_ID_MAX];
    struct store_backup backup = {.folder = w->copy};
    struct reason why = {""};
    admit_text(w, "x", 100, id);
    assert_int_equal(backup_all(w, &backup), 0);
    assert_int_equal(unlink(w->key), 0);
    assert_int_equal(restore(w, &why), ACCORD_ENOENT);
    assert_non_null(strstr(why.text, w->key));
    assert_int_equal(access(w->key, F_OK), -1);
}

static void an_empty_store_has_a_backup_too(void **state)
{
    struct world *w = *state;
    char id[ACCORD_ID_MAX];
    struct store_backup backup = {.folder = w->copy};
    struct reason why = {""};
    assert_int_equal(backup_all(w, &backup), 0);
    assert_int_equal(restore(w, &why), 0);
    admit_text(w, "x", 100, id);
    assert_int_equal(read_back(w, id, 100), 0);
}

static void backups_that_cannot_be_made_say_why(void **state)
{
    struct world *w = *state;
    char id[ACCORD_ID_MAX];
    struct store_backup first = {.folder = w->copy}, second = {.folder = "/nonexistent/copy"};
    for (int i = 0; i < 10; i++) {
        char name[8];
        snprintf(name, sizeof name, "%d", i);
        admit_text(w, name, LARGE, id);
    }
    assert_int_equal(backup_all(w, &second), ACCORD_ENOENT);
    assert_non_null(strstr(second.why.text, "/nonexistent/copy"));
    assert_int_equal(mkdir(w->copy, 0700), 0);
    assert_int_equal(backup_all(w, &first), ACCORD_EEXIST);
    assert_int_equal(rmdir(w->copy), 0);
    assert_int_equal(backup_step(w, &first), 0);
    assert_true(first.more);
    second = (struct store_backup){.folder = "/tmp"};
    assert_int_equal(backup_step(w, &second), ACCORD_EBUSY);
    first.cancel = true;
    assert_int_equal(backup_step(w, &first), 0);
    assert_false(first.more);
    assert_int_equal(restored_from(w->copy), 0); /* nothing takes it for a backup */
    folder_remove(w->copy);
    first = (struct store_backup){.folder = w->copy};
    assert_int_equal(backup_step(w, &first), 0);
    assert_true(first.more); /* and the store is closed meanwhile */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(no_payload_lies_in_the_clear),
        TEST(pieces_that_were_exchanged_are_refused),
        TEST(keys_are_replaced_in_the_running_store),
        TEST(a_backup_has_what_was_there_when_it_began),
        TEST(a_backup_does_not_open_without_the_key_file),
        TEST(an_empty_store_has_a_backup_too),
        TEST(backups_that_cannot_be_made_say_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
