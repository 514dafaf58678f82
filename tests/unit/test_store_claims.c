/* Claims from the journal's files: many messages of all sizes, read together, and some of them damaged. */
#include "journal_files.h"
#include "store/journal.h"
#include "store_history.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGES 300
#define BATCH    64

struct mail {
    uint64_t number;
    char id[ACCORD_ID_MAX];
    size_t size;
};

struct post {
    struct bench bench;
    struct mail mails[MESSAGES];
    uint8_t bytes[ACCORD_PIECE_MAX * 2];
};

/* Most are small, some are longer than what a claim hands out, some have several pieces. */
static size_t size_of(size_t i)
{
    return i % 50 == 49 ? ACCORD_PIECE_MAX + i : i % 10 == 9 ? STORE_SMALL + 1 + i : i * 37 % 5000;
}

/* Admitted several at a time, so that groups hold more than one; then opened again: nothing is in memory. */
static struct post *post_new(void)
{
    struct post *post = calloc(1, sizeof *post);
    bench_open(&post->bench, "journal");
    post->bench.config.segment_size = 1 << 20;
    bench_shut(&post->bench);
    reopen(&post->bench);
    for (size_t i = 0; i < sizeof post->bytes; i++)
        post->bytes[i] = (uint8_t)(i * 131 + i / 256);
    for (size_t i = 0; i < MESSAGES; i += 4) {
        struct letter letters[4];
        struct waited waited[4] = {0};
        for (size_t j = 0; j < 4; j++) {
            post->mails[i + j].size = size_of(i + j);
            letter_init(&letters[j], &post->bench, "", post->bytes + i + j, size_of(i + j));
        }
        for (size_t j = 0; j < 4; j++)
            store_admit(post->bench.store, &letters[j].admission, on_waited, &waited[j]);
        for (size_t j = 0; j < 4; j++) {
            assert_int_equal(wait_for(&post->bench, &waited[j]), 0);
            post->mails[i + j].number = letters[j].deliveries[0].number;
            memcpy(post->mails[i + j].id, letters[j].id.text, ACCORD_ID_MAX);
            letter_fini(&letters[j]);
        }
    }
    bench_shut(&post->bench);
    reopen(&post->bench);
    return post;
}

static void post_free(struct post *post)
{
    bench_close(&post->bench);
    free(post);
}

struct batch {
    struct store_claimed claimed[BATCH];
    struct store_claim request;
};

static void claim_batch(struct post *post, struct batch *batch)
{
    batch->request = (struct store_claim){.agreement = "isa",
                                          .service = "out",
                                          .now = 1,
                                          .limit = BATCH,
                                          .payload_room = (size_t)BATCH * STORE_SMALL,
                                          .claimed = batch->claimed};
    assert_int_equal(claim(&post->bench, &batch->request), 0);
}

static void forget_batch(struct batch *batch)
{
    for (size_t i = 0; i < batch->request.count; i++) {
        free(batch->claimed[i].payload);
        store_message_free(batch->claimed[i].message);
    }
}

static void expect_mail(struct post *post, const struct store_claimed *claimed, size_t i)
{
    const struct mail *mail = &post->mails[i];
    assert_int_equal(claimed->delivery.number, mail->number);
    assert_non_null(claimed->message);
    assert_string_equal(claimed->message->id, mail->id);
    assert_int_equal(claimed->message->size, mail->size);
    assert_int_equal(claimed->payload != NULL, mail->size && mail->size <= STORE_SMALL);
    if (claimed->payload)
        assert_memory_equal(claimed->payload, post->bytes + i, mail->size);
}

static void what_waits_is_claimed_whole_and_in_order(void **state)
{
    (void)state;
    struct post *post = post_new();
    struct batch batch;
    size_t count = 0;
    for (;;) {
        claim_batch(post, &batch);
        for (size_t i = 0; i < batch.request.count; i++)
            expect_mail(post, &batch.claimed[i], count + i);
        count += batch.request.count;
        forget_batch(&batch);
        if (batch.request.count < BATCH)
            break;
    }
    assert_int_equal(count, MESSAGES);
    post_free(post);
}

/* Of many that were held and are freed again, each has the reason of the move. */
static void what_moved_is_claimed_with_the_reason_of_the_move(void **state)
{
    (void)state;
    struct post *post = post_new();
    struct batch batch;
    for (int times = 0; times < 2; times++) {
        struct store_move off = {
            .agreement = "isa", .from = STORE_WAITING, .to = STORE_HELD, .reason = "the agreement is off"};
        struct store_move on = {
            .agreement = "isa", .from = STORE_HELD, .to = STORE_WAITING, .reason = times ? "on again" : "on"};
        assert_int_equal(move(&post->bench, &off), 0);
        assert_int_equal(move(&post->bench, &on), 0);
        claim_batch(post, &batch);
        assert_int_equal(batch.request.count, BATCH);
        for (size_t i = 0; i < BATCH; i++) {
            assert_string_equal(batch.claimed[i].delivery.reason, times ? "on again" : "on");
            assert_int_equal(settle(&post->bench, batch.claimed[i].delivery.number, STORE_DELIVERED), 0);
        }
        forget_batch(&batch);
    }
    post_free(post);
}

static void flip(struct post *post, int type, size_t n)
{
    char path[PATH_MAX];
    uint64_t position;
    uint32_t size;
    assert_true(find_record(post->bench.folder, type, n, &position, &size));
    segment_path(post->bench.folder, POSITION_SEGMENT(position), path, sizeof path);
    flip_bit(path, POSITION_OFFSET(position) + RECORD_HEAD + size - 1, 3);
}

static void damage_in_what_is_read_together_hits_one_message_alone(void **state)
{
    (void)state;
    struct post *post = post_new();
    struct batch batch;
    uint8_t byte;
    size_t got;
    flip(post, RECORD_ADMISSION, 5);
    flip(post, RECORD_PIECE, 10); /* message 0 has no piece, and those up to 10 have one */
    claim_batch(post, &batch);
    assert_int_equal(batch.request.count, BATCH);
    for (size_t i = 0; i < BATCH; i++)
        if (i != 5 && i != 11)
            expect_mail(post, &batch.claimed[i], i);
    assert_null(batch.claimed[5].message);
    assert_null(batch.claimed[5].payload);
    assert_string_equal(batch.claimed[11].message->id, post->mails[11].id);
    assert_null(batch.claimed[11].payload);
    assert_int_equal(read_payload(&post->bench, post->mails[11].id, 0, &byte, 1, &got), ACCORD_EIO);
    forget_batch(&batch);
    post_free(post);
}

/* As the first format had it: the n-th piece is that of this mail. */
static void unseal(struct post *post, size_t n, size_t mail, bool damaged)
{
    char path[PATH_MAX];
    uint8_t bytes[RECORD_HEAD];
    struct record_head head;
    struct buf record = {0};
    uint64_t position;
    uint32_t size;
    assert_true(find_record(post->bench.folder, RECORD_PIECE, n, &position, &size));
    segment_path(post->bench.folder, POSITION_SEGMENT(position), path, sizeof path);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, bytes, sizeof bytes, (off_t)POSITION_OFFSET(position)), sizeof bytes);
    assert_true(record_read_head(bytes, position, &head));
    assert_non_null(buf_reserve(&record, RECORD_HEAD));
    record.size = RECORD_HEAD;
    record_put_piece(&record, &(struct record_piece){.data = post->bytes + mail, .size = size_of(mail)});
    record_finish(&record, 0, position, head.group, RECORD_PIECE);
    record.data[RECORD_HEAD + size - 1] ^= damaged;
    assert_int_equal(pwrite(fd, record.data, record.size, (off_t)POSITION_OFFSET(position)), record.size);
    close(fd);
    buf_fini(&record);
}

static void what_has_no_seal_is_claimed_when_its_checksum_is_right(void **state)
{
    (void)state;
    struct post *post = post_new();
    struct batch batch;
    unseal(post, 0, 1, false); /* message 0 has no piece */
    unseal(post, 1, 2, true);
    claim_batch(post, &batch);
    expect_mail(post, &batch.claimed[1], 1);
    assert_string_equal(batch.claimed[2].message->id, post->mails[2].id);
    assert_null(batch.claimed[2].payload);
    expect_mail(post, &batch.claimed[3], 3);
    forget_batch(&batch);
    post_free(post);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_is_claimed_whole_and_in_order),
        cmocka_unit_test(what_moved_is_claimed_with_the_reason_of_the_move),
        cmocka_unit_test(damage_in_what_is_read_together_hits_one_message_alone),
        cmocka_unit_test(what_has_no_seal_is_claimed_when_its_checksum_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
