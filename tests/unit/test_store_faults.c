/* The store when it is killed, when the disk is full, and when the disk fails. */
#include "journal_files.h"
#include "store/segment.h"
#include "store_calls.h"
#include "util/text.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- killed ---- */

static const char *kill_point;
static int kill_after;

static void killer(const char *point)
{
    if (!strcmp(point, kill_point) && kill_after-- == 0)
        kill(getpid(), SIGKILL);
}

/* What the child tells its parent through the pipe: before the call, and once it was acknowledged. */
struct note {
    char id[ACCORD_ID_MAX];
    bool settlement, acknowledged;
};

#define MESSAGES 48
#define PAYLOAD  300000

struct sender {
    struct bench bench;
    int pipe, at_once;
    struct letter letters[MESSAGES];
    struct store_settlement settlements[MESSAGES];
    struct store_audit records[MESSAGES];
    int started, finished;
};
struct sending {
    struct sender *sender;
    int index;
    bool settlement;
};

static void tell(struct sender *sender, int index, bool settlement, bool acknowledged)
{
    struct note note = {.settlement = settlement, .acknowledged = acknowledged};
    memcpy(note.id, sender->letters[index].id.text, ACCORD_ID_MAX);
    if (write(sender->pipe, &note, sizeof note) != sizeof note)
        abort();
}

static void start_next(struct sender *);

static void on_sent(void *arg, int result)
{
    struct sending sending = *(struct sending *)arg;
    struct sender *sender = sending.sender;
    free(arg);
    if (result)
        _exit(3);
    tell(sender, sending.index, sending.settlement, true);
    if (sending.settlement) {
        sender->finished++;
        start_next(sender);
        return;
    }
    struct sending *next = malloc(sizeof *next);
    *next = (struct sending){sender, sending.index, true};
    sender->records[sending.index] =
        (struct store_audit){.chain = "isa", .body = make_body("message-delivered")};
    sender->settlements[sending.index] =
        (struct store_settlement){.number = sender->letters[sending.index].deliveries[0].number,
                                  .state = STORE_DELIVERED,
                                  .attempted = true,
                                  .receipt = "received",
                                  .audit = &sender->records[sending.index],
                                  .audit_count = 1};
    tell(sender, sending.index, true, false);
    store_settle(sender->bench.store, &sender->settlements[sending.index], on_sent, next);
}

static void start_next(struct sender *sender)
{
    if (sender->started == MESSAGES)
        return;
    struct sending *sending = malloc(sizeof *sending);
    *sending = (struct sending){sender, sender->started++, false};
    tell(sender, sending->index, false, false);
    store_admit(sender->bench.store, &sender->letters[sending->index].admission, on_sent, sending);
}

static size_t size_of(int index)
{
    return index % 5 ? (size_t)index * 100 : PAYLOAD; /* one in five is spilled before its admission */
}

static const uint8_t *payload_of(int index)
{
    static uint8_t bytes[PAYLOAD];
    memset(bytes, 'a' + index % 26, sizeof bytes);
    return bytes;
}

/* The child: admits and settles until it is killed, or all is done. */
static void run_sender(struct sender *sender, const char *point, int after)
{
    struct reason why;
    kill_point = point;
    kill_after = INT_MAX;
    sender->bench.config.fault = killer;
    if (bench_reopen(&sender->bench, &why))
        _exit(2);
    for (int i = 0; i < MESSAGES; i++) {
        letter_init(&sender->letters[i], &sender->bench, "", payload_of(i), size_of(i));
        text_copy(sender->letters[i].deliveries[0].service, STORE_NAME_MAX, "out");
    }
    kill_after = after;
    for (int i = 0; i < sender->at_once; i++)
        start_next(sender);
    while (sender->finished < MESSAGES)
        uv_run(&sender->bench.loop, UV_RUN_ONCE);
    for (int i = 0; i < 64; i++) /* enough groups for the index to be written, where that is the point */
        audit(&sender->bench, "host", "agent-start");
    _exit(0);
}

struct fate {
    char id[ACCORD_ID_MAX];
    bool offered[2], acknowledged[2]; /* admission, settlement */
};

static size_t collect(int from, struct fate *fates)
{
    struct note note;
    size_t count = 0, at;
    while (read(from, &note, sizeof note) == sizeof note) {
        for (at = 0; at < count && strcmp(fates[at].id, note.id); at++)
            ;
        if (at == count) {
            assert_true(count < MESSAGES);
            fates[count++] = (struct fate){0};
            memcpy(fates[at].id, note.id, ACCORD_ID_MAX);
        }
        (note.acknowledged ? fates[at].acknowledged : fates[at].offered)[note.settlement] = true;
    }
    return count;
}

static void check_payload(struct bench *bench, const char *id, int index)
{
    uint8_t *back = malloc(PAYLOAD + 1);
    size_t got;
    assert_int_equal(read_payload(bench, id, 0, back, PAYLOAD + 1, &got), 0);
    assert_int_equal(got, size_of(index));
    assert_memory_equal(back, payload_of(index), got);
    free(back);
}

/* Everything acknowledged is there; what was not is whole or absent. Returns how many verbs are there. */
static size_t check_fate(struct bench *bench, const struct fate *fate, int index)
{
    struct store_message *message;
    int result = get(bench, fate->id, &message);
    if (fate->acknowledged[0])
        assert_int_equal(result, 0);
    if (result) {
        assert_int_equal(result, ACCORD_ENOENT);
        return 0;
    }
    check_payload(bench, fate->id, index);
    bool settled = message->deliveries[0].state == STORE_DELIVERED;
    if (fate->acknowledged[1])
        assert_true(settled);
    if (!fate->offered[1])
        assert_false(settled);
    if (settled)
        assert_string_equal(message->deliveries[0].receipt, "received");
    else
        assert_int_equal(message->deliveries[0].state, STORE_WAITING);
    store_message_free(message);
    return 1 + (size_t)settled;
}

/* Returns how many verbs are there that nobody was told of. */
static size_t kill_at(const char *point, int after, int at_once)
{
    struct sender *sender = calloc(1, sizeof *sender);
    struct fate fates[MESSAGES];
    struct reason why = {""};
    int ends[2], status;
    size_t lines = 0, unacknowledged = 0;
    bench_open(&sender->bench, "journal");
    bench_shut(&sender->bench);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (!child) {
        close(ends[0]);
        sender->pipe = ends[1];
        sender->at_once = at_once;
        run_sender(sender, point, after);
    }
    close(ends[1]);
    size_t count = collect(ends[0], fates);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    if (after % 2)
        delete_index(sender->bench.folder);
    if (bench_reopen(&sender->bench, &why))
        fail_msg("store_open: %s", why.text);
    assert_int_equal(sender->bench.recovery.damaged_records, 0);
    for (size_t i = 0; i < count; i++) {
        lines += check_fate(&sender->bench, &fates[i], (int)i);
        unacknowledged -= (size_t)fates[i].acknowledged[0] + fates[i].acknowledged[1];
    }
    unacknowledged += lines;
    assert_true(unacknowledged <= (size_t)at_once);
    size_t trail = verify_chains(&sender->bench);
    assert_true(strcmp(point, "index") ? trail == lines : trail >= lines);
    admit_small(&sender->bench, "afterwards", NULL);
    bench_close(&sender->bench);
    free(sender);
    return unacknowledged;
}

/* One verb at a time: what a kill at each point leaves is known exactly. Several: what is acknowledged is
 * there. */
static void check_point(const char *point, size_t exactly)
{
    for (int after = 0; after < 12; after += 3) {
        assert_int_equal(kill_at(point, after, 1), exactly);
        kill_at(point, after / 2, 6); /* there may be no more than eight groups of admissions */
    }
}

static void killed_before_an_admission_is_written_leaves_nothing_of_it(void **state)
{
    (void)state;
    check_point("admit", 0);
}

static void killed_before_a_settlement_is_written_leaves_nothing_of_it(void **state)
{
    (void)state;
    check_point("settle", 0);
}

/* The page cache outlives the process: what was written is there, and is whole. */
static void killed_before_the_sync_leaves_all_of_the_group(void **state)
{
    (void)state;
    check_point("commit", 1);
}

static void killed_after_the_sync_keeps_what_nobody_was_told(void **state)
{
    (void)state;
    check_point("committed", 1);
}

static void killed_before_the_index_is_written_loses_nothing(void **state)
{
    (void)state;
    kill_at("index", 0, 1);
    kill_at("index", 0, 6);
}

/* ---- a disk that fails ---- */

static struct segment_io real;
static int failing_writes, failing_syncs, failing_room;
static int sync_calls;

static ssize_t failing_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    if (!failing_writes)
        return real.pwrite(fd, bytes, size, offset);
    if (size > 64) /* some of it arrives */
        return real.pwrite(fd, bytes, size / 2, offset);
    errno = failing_writes;
    return -1;
}

static int failing_fdatasync(int fd)
{
    sync_calls++;
    if (!failing_syncs)
        return real.fdatasync(fd);
    failing_syncs--;
    errno = EIO;
    return -1;
}

static int failing_fallocate(int fd, int mode, off_t offset, off_t size)
{
    if (!failing_room)
        return real.fallocate(fd, mode, offset, size);
    errno = failing_room;
    return -1;
}

static int use_failing(void **state)
{
    (void)state;
    real = segment_io;
    segment_io.pwrite = failing_pwrite;
    segment_io.fdatasync = failing_fdatasync;
    segment_io.fallocate = failing_fallocate;
    failing_writes = failing_syncs = failing_room = 0;
    return 0;
}

static int use_real(void **state)
{
    (void)state;
    segment_io = real;
    return 0;
}

static int try_admit(struct bench *bench, char id[ACCORD_ID_MAX])
{
    struct letter letter;
    letter_init(&letter, bench, "x", "some payload", 12);
    int result = admit(bench, &letter);
    memcpy(id, letter.id.text, ACCORD_ID_MAX);
    if (result)
        assert_int_equal(letter.deliveries[0].number, 0);
    letter_fini(&letter);
    return result;
}

/* Left there, and with a later group half on the disk after a power cut, it would look like something synced.
 */
static bool zeros_behind(uint64_t position, const char *folder)
{
    char path[PATH_MAX];
    uint8_t bytes[8192], zeros[8192] = {0};
    segment_path(folder, POSITION_SEGMENT(position), path, sizeof path);
    int fd = open(path, O_RDONLY);
    ssize_t got = pread(fd, bytes, sizeof bytes, (off_t)POSITION_OFFSET(position));
    close(fd);
    return got == sizeof bytes && !memcmp(bytes, zeros, sizeof zeros);
}

static void a_full_disk_refuses_and_the_store_goes_on_when_there_is_room(void **state)
{
    struct bench bench;
    struct store_message *message;
    char before[ACCORD_ID_MAX], during[ACCORD_ID_MAX], after[ACCORD_ID_MAX];
    (void)state;
    for (int zeroable = 0; zeroable < 2; zeroable++) {
        bench_open(&bench, "journal");
        uint64_t number = admit_small(&bench, "x", before);
        failing_writes = ENOSPC;
        failing_room = zeroable ? 0 : EOPNOTSUPP; /* then even cleaning up has to wait for room */
        assert_int_equal(try_admit(&bench, during), ACCORD_ELIMIT);
        if (zeroable)
            assert_true(zeros_behind(journal_end(bench.folder), bench.folder));
        assert_int_equal(settle(&bench, number, STORE_DELIVERED), ACCORD_ELIMIT);
        assert_int_equal(audit(&bench, "host", "x"), ACCORD_ELIMIT);
        assert_int_equal(state_of(&bench, before, 0), STORE_WAITING);
        assert_int_equal(get(&bench, during, &message), ACCORD_ENOENT);
        failing_writes = failing_room = 0;
        assert_int_equal(try_admit(&bench, after), 0);
        assert_int_equal(settle(&bench, number, STORE_DELIVERED), 0);
        assert_int_equal(verify_chains(&bench), 3);
        bench_shut(&bench);
        delete_index(bench.folder);
        assert_int_equal(bench_reopen(&bench, NULL), 0);
        assert_int_equal(bench.recovery.damaged_records, 0);
        assert_int_equal(bench.recovery.messages, 2);
        assert_int_equal(state_of(&bench, before, 0), STORE_DELIVERED);
        assert_int_equal(state_of(&bench, after, 0), STORE_WAITING);
        assert_int_equal(get(&bench, during, &message), ACCORD_ENOENT);
        assert_int_equal(verify_chains(&bench), 3);
        bench_close(&bench);
    }
}

static void no_room_for_a_new_segment_is_waited_out(void **state)
{
    struct bench bench;
    struct letter letter;
    uint8_t *bytes = calloc(1, 200000);
    size_t admitted = 0;
    int result;
    (void)state;
    bench_open(&bench, "journal");
    failing_room = ENOSPC;
    do {
        letter_init(&letter, &bench, "", bytes, 200000);
        result = admit(&bench, &letter);
        admitted += !result;
        letter_fini(&letter);
    } while (!result);
    assert_int_equal(result, ACCORD_ELIMIT);
    assert_int_equal(admitted, 5); /* what a segment of a megabyte takes */
    char id[ACCORD_ID_MAX];
    assert_int_equal(try_admit(&bench, id), 0); /* small ones still fit */
    failing_room = 0;
    letter_init(&letter, &bench, "", bytes, 200000);
    assert_int_equal(admit(&bench, &letter), 0);
    letter_fini(&letter);
    assert_int_equal(verify_chains(&bench), 7);
    bench_shut(&bench);
    assert_int_equal(bench_reopen(&bench, NULL), 0);
    assert_int_equal(bench.recovery.messages, 7);
    bench_close(&bench);
    free(bytes);
}

static void after_a_failed_sync_nothing_is_written_or_acknowledged(void **state)
{
    struct bench bench;
    struct store_message *message;
    char before[ACCORD_ID_MAX], during[ACCORD_ID_MAX], after[ACCORD_ID_MAX];
    (void)state;
    bench_open(&bench, "journal");
    uint64_t number = admit_small(&bench, "x", before);
    failing_syncs = 1;
    assert_int_equal(try_admit(&bench, during), ACCORD_EIO);
    int calls = sync_calls;
    assert_int_equal(try_admit(&bench, after), ACCORD_EIO);
    assert_int_equal(settle(&bench, number, STORE_DELIVERED), ACCORD_EIO);
    assert_int_equal(audit(&bench, "host", "x"), ACCORD_EIO);
    assert_int_equal(sync_calls, calls); /* asking again would be answered with a lie */
    assert_int_equal(state_of(&bench, before, 0), STORE_WAITING);
    assert_int_equal(get(&bench, during, &message), ACCORD_ENOENT);
    assert_int_equal(verify_chains(&bench), 1);
    bench_shut(&bench);
    assert_int_equal(bench_reopen(&bench, NULL), 0);
    assert_int_equal(state_of(&bench, before, 0), STORE_WAITING);
    assert_int_equal(get(&bench, after, &message), ACCORD_ENOENT);
    verify_chains(&bench);
    admit_small(&bench, "again", NULL);
    bench_close(&bench);
}

/* What a killed process wrote and did not sync is taken over: it must be durable before anyone is told. */
static void opening_syncs_what_it_found(void **state)
{
    struct bench bench;
    struct reason why = {""};
    char id[ACCORD_ID_MAX];
    (void)state;
    bench_open(&bench, "journal");
    admit_small(&bench, "x", id);
    bench_shut(&bench);
    failing_syncs = 1;
    assert_int_equal(bench_reopen(&bench, &why), ACCORD_EIO);
    assert_non_null(strstr(why.text, "look at it"));
    assert_int_equal(bench_reopen(&bench, &why), 0);
    assert_int_equal(state_of(&bench, id, 0), STORE_WAITING);
    bench_close(&bench);
}

static void the_reserve_is_kept_for_settlements_and_audit(void **state)
{
    struct bench bench;
    char id[ACCORD_ID_MAX];
    (void)state;
    bench_open(&bench, "journal");
    uint64_t number = admit_small(&bench, "x", NULL);
    bench_shut(&bench);
    bench.config.reserve = INT64_MAX;
    assert_int_equal(bench_reopen(&bench, NULL), 0);
    assert_int_equal(try_admit(&bench, id), ACCORD_ELIMIT);
    assert_int_equal(settle(&bench, number, STORE_DELIVERED), 0);
    assert_int_equal(audit(&bench, "host", "x"), 0);
    bench_close(&bench);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, use_failing, use_real)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_before_an_admission_is_written_leaves_nothing_of_it),
        cmocka_unit_test(killed_before_a_settlement_is_written_leaves_nothing_of_it),
        cmocka_unit_test(killed_before_the_sync_leaves_all_of_the_group),
        cmocka_unit_test(killed_after_the_sync_keeps_what_nobody_was_told),
        cmocka_unit_test(killed_before_the_index_is_written_loses_nothing),
        T(a_full_disk_refuses_and_the_store_goes_on_when_there_is_room),
        T(no_room_for_a_new_segment_is_waited_out),
        T(after_a_failed_sync_nothing_is_written_or_acknowledged),
        T(opening_syncs_what_it_found),
        T(the_reserve_is_kept_for_settlements_and_audit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
