/* SFTP on the wire: what is sent, what is taken, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <accord/base.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/sftp/client.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static int decode(const void *bytes, size_t size, struct sftp_reply *reply)
{
    uint8_t *exact = malloc(size ? size : 1); /* the address sanitizer sees one byte too far */
    memcpy(exact, bytes, size);
    int result = sftp_decode(exact, size, reply);
    free(exact);
    return result;
}

/* Every cut and one byte more of a good reply must be refused. */
static void assert_strict(const uint8_t *bytes, size_t size)
{
    struct sftp_reply reply;
    uint8_t more[512];
    assert_int_equal(decode(bytes, size, &reply), 0);
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(decode(bytes, cut, &reply), ACCORD_EPROTO);
    memcpy(more, bytes, size);
    more[size] = 0;
    assert_int_equal(decode(more, size + 1, &reply), ACCORD_EPROTO);
}

static void requests_are_encoded_as_the_draft_says(void **state)
{
    struct outbox outbox = {0};
    struct sftp_handle handle = {.size = 2, .bytes = "hh"};
    (void)state;
    sftp_put_init(&outbox);
    assert_int_equal(outbox_size(&outbox), 9);
    assert_memory_equal(outbox.bytes, "\0\0\0\5\1\0\0\0\3", 9);
    outbox_sent(&outbox, 9);
    sftp_put_open(&outbox, 0x01020304, "/a", SFTP_OPEN_WRITE | SFTP_OPEN_CREATE | SFTP_OPEN_TRUNCATE, 0640);
    const char open[] = "\0\0\0\27\3\1\2\3\4\0\0\0\2/a\0\0\0\32\0\0\0\4\0\0\1\240";
    assert_int_equal(outbox_size(&outbox), sizeof open - 1);
    assert_memory_equal(outbox.bytes, open, sizeof open - 1);
    outbox_sent(&outbox, sizeof open - 1);
    sftp_put_write(&outbox, 7, &handle, UINT64_C(0x100000002), (const uint8_t *)"xyz", 3);
    const char write[] = "\0\0\0\32\6\0\0\0\7\0\0\0\2hh\0\0\0\1\0\0\0\2\0\0\0\3xyz";
    assert_int_equal(outbox_size(&outbox), sizeof write - 1);
    assert_memory_equal(outbox.bytes, write, sizeof write - 1);
    outbox_sent(&outbox, 4); /* part of it went out */
    sftp_put_rename(&outbox, 8, "/a", "/b");
    const char rename[] = "\0\0\0\21\22\0\0\0\10\0\0\0\2/a\0\0\0\2/b";
    assert_memory_equal(outbox.bytes + outbox.end - (sizeof rename - 1), rename, sizeof rename - 1);
    assert_memory_equal(outbox.bytes + outbox.start, write + 4, sizeof write - 5);
    outbox_fini(&outbox);
}

/* The length that each request claims is the length that it has. */
static void requests_have_the_length_they_claim(void **state)
{
    struct outbox outbox = {0};
    struct sftp_handle handle = {.size = 4, .bytes = "hand"};
    (void)state;
    sftp_put_init(&outbox);
    sftp_put_open(&outbox, 1, "/some/path", SFTP_OPEN_READ, -1);
    sftp_put_open(&outbox, 1, "/some/path", SFTP_OPEN_READ, 0600);
    sftp_put_close(&outbox, 2, &handle);
    sftp_put_read(&outbox, 3, &handle, 5, 6);
    sftp_put_write(&outbox, 4, &handle, 5, (const uint8_t *)"", 0);
    sftp_put_lstat(&outbox, 5, "");
    sftp_put_fstat(&outbox, 6, &handle);
    sftp_put_fsync(&outbox, 7, &handle);
    sftp_put_opendir(&outbox, 8, "/");
    sftp_put_readdir(&outbox, 9, &handle);
    sftp_put_remove(&outbox, 10, "/x");
    sftp_put_rename(&outbox, 11, "/x", "/yy");
    sftp_put_stat(&outbox, 12, "/x");
    sftp_put_fsetstat(&outbox, 14, &handle, 0640);
    sftp_put_realpath(&outbox, 15, ".");
    sftp_put_mkdir(&outbox, 16, "/folder");
    sftp_put_posix_rename(&outbox, 17, "/x", "/yy");
    sftp_put_limits(&outbox, 19);
    int count = 0;
    size_t size;
    for (; sftp_frame(outbox.bytes + outbox.start, outbox_size(&outbox), &size) == 1; count++)
        outbox_sent(&outbox, 4 + size);
    assert_int_equal(count, 19);
    assert_int_equal(outbox_size(&outbox), 0);
    outbox_fini(&outbox);
}

static void a_status_gives_its_code_and_printable_words(void **state)
{
    struct sftp_reply reply;
    (void)state;
    assert_int_equal(decode(BYTES("\145\0\0\0\11\0\0\0\4\0\0\0\6no\nway\0\0\0\2en"), &reply), 0);
    assert_int_equal(reply.id, 9);
    assert_int_equal(reply.status, SFTP_FAILURE);
    assert_string_equal(reply.message, "no?way");
    assert_int_equal(decode(BYTES("\145\0\0\0\11\0\0\0\2"), &reply), 0); /* the words are missing */
    assert_string_equal(reply.message, "");
}

static void long_words_of_a_status_are_cut(void **state)
{
    struct sftp_reply reply;
    uint8_t bytes[9 + 4 + 1000 + 4] = {SFTP_STATUS, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 1000 >> 8, 1000 & 0xff};
    (void)state;
    memset(bytes + 13, 'x', 1000);
    assert_int_equal(decode(bytes, sizeof bytes, &reply), 0);
    assert_int_equal(strlen(reply.message), sizeof reply.message - 1);
}

static void replies_are_taken_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_strict(BYTES("\146\0\0\0\1\0\0\0\3abc"));
    assert_strict(BYTES("\147\0\0\0\1\0\0\0\3abc"));
    assert_strict(BYTES("\151\0\0\0\1\0\0\0\15\0\0\0\0\0\0\0\5\0\0\1\244\1\2\3\4\5\6\7\10"));
    assert_strict(BYTES("\151\0\0\0\1\200\0\0\0\0\0\0\1\0\0\0\1a\0\0\0\1b"));
    assert_strict(BYTES("\150\0\0\0\1\0\0\0\1\0\0\0\1f\0\0\0\2ls\0\0\0\0"));
}

static void impossible_replies_are_refused(void **state)
{
    struct sftp_reply reply;
    uint8_t handle[9 + 257] = {SFTP_HANDLE, 0, 0, 0, 1, 0, 0, 1, 1};
    (void)state;
    assert_int_equal(decode(BYTES("\6\0\0\0\1\0\0\0\0"), &reply), ACCORD_EPROTO);   /* a request */
    assert_int_equal(decode(BYTES("\146\0\0\0\1\0\0\0\0"), &reply), ACCORD_EPROTO); /* an empty handle */
    assert_int_equal(decode(handle, sizeof handle, &reply), ACCORD_EPROTO);         /* a handle of 257 */
    assert_int_equal(decode(BYTES("\150\0\0\0\1\377\377\377\377"), &reply),
                     ACCORD_EPROTO); /* 4 billion names */
    assert_int_equal(decode(BYTES("\147\0\0\0\1\377\377\377\377abc"), &reply), ACCORD_EPROTO);
    assert_int_equal(decode(BYTES("\151\0\0\0\1\0\0\0\100"), &reply),
                     ACCORD_EPROTO); /* an unknown attribute */
    assert_int_equal(decode(BYTES("\151\0\0\0\1\200\0\0\0\377\377\377\377"), &reply), ACCORD_EPROTO);
}

static void names_are_read_in_order(void **state)
{
    struct sftp_reply reply;
    struct sftp_entry entry;
    const char bytes[] = "\150\0\0\0\5\0\0\0\2"
                         "\0\0\0\1a\0\0\0\0\0\0\0\10\0\0\0\1\0\0\0\2"
                         "\0\0\0\2bc\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\11";
    (void)state;
    assert_int_equal(sftp_decode((const uint8_t *)bytes, sizeof bytes - 1, &reply), 0);
    assert_true(sftp_next_name(&reply, &entry));
    assert_int_equal(entry.name.size, 1);
    assert_int_equal(entry.attrs.modified, 2);
    assert_true(sftp_next_name(&reply, &entry));
    assert_memory_equal(entry.name.bytes, "bc", 2);
    assert_int_equal(entry.attrs.size, 9);
    assert_false(sftp_next_name(&reply, &entry));
}

static void a_frame_waits_for_its_last_byte(void **state)
{
    size_t size;
    (void)state;
    assert_int_equal(sftp_frame(BYTES("\0\0\0"), &size), 0);
    assert_int_equal(sftp_frame(BYTES("\0\0\0\5abcd"), &size), 0);
    assert_int_equal(sftp_frame(BYTES("\0\0\0\5abcde"), &size), 1);
    assert_int_equal(size, 5);
    assert_int_equal(sftp_frame(BYTES("\0\0\0\4abcd"), &size), ACCORD_EPROTO);
    assert_int_equal(sftp_frame(BYTES("\0\4\0\1"), &size), ACCORD_EPROTO);
}

/* ---- the client: which reply finds whom ---- */

static unsigned heard[4];

static void hear(void *arg, uint32_t note, struct sftp_reply *reply)
{
    heard[note] += reply->type == SFTP_STATUS ? 1 : 100;
    assert_ptr_equal(arg, heard);
}

static int feed_status(struct client *client, uint32_t id)
{
    char why[256];
    bool stop = false;
    uint8_t bytes[] = {0, 0, 0, 9, SFTP_STATUS, 0, 0, 0, 0, 0, 0, 0, 0};
    for (int i = 0; i < 4; i++)
        bytes[5 + i] = (uint8_t)(id >> (24 - 8 * i));
    for (size_t i = 0; i + 1 < sizeof bytes; i++) /* byte by byte */
        assert_int_equal(client_feed(client, bytes + i, 1, &stop, why, sizeof why), 0);
    return client_feed(client, bytes + sizeof bytes - 1, 1, &stop, why, sizeof why);
}

static void each_reply_finds_its_request_once(void **state)
{
    struct client *client = calloc(1, sizeof *client);
    (void)state;
    memset(heard, 0, sizeof heard);
    uint32_t first = client_ask(client, hear, heard, 1), second = client_ask(client, hear, heard, 2);
    assert_int_equal(feed_status(client, second), 0);
    assert_int_equal(heard[1], 0);
    assert_int_equal(heard[2], 1);
    assert_int_equal(feed_status(client, second), ACCORD_EPROTO); /* answered already */
    client_forget(client, heard);
    client_fini(client);
    free(client);
    (void)first;
}

static void a_forgotten_request_is_answered_to_nobody(void **state)
{
    struct client *client = calloc(1, sizeof *client);
    char why[256];
    bool stop = false;
    (void)state;
    memset(heard, 0, sizeof heard);
    uint32_t id = client_ask(client, hear, heard, 3);
    client_forget(client, heard);
    uint8_t bytes[] = {0, 0, 0, 10, SFTP_HANDLE, 0, 0, 0, 0, 0, 0, 0, 1, 'h'};
    for (int i = 0; i < 4; i++)
        bytes[5 + i] = (uint8_t)(id >> (24 - 8 * i));
    assert_int_equal(client_feed(client, bytes, sizeof bytes, &stop, why, sizeof why), 0);
    assert_int_equal(heard[3], 0);
    /* its handle was closed, or the partner would run out of them */
    assert_int_equal(outbox_size(&client->outbox), 4 + 1 + 4 + 4 + 1);
    assert_int_equal(client->outbox.bytes[4], 4);
    client_fini(client);
    free(client);
}

static void more_requests_than_slots_are_noticed(void **state)
{
    struct client *client = calloc(1, sizeof *client);
    (void)state;
    uint32_t last = 0;
    for (int i = 0; i < CLIENT_SLOTS; i++)
        last = client_ask(client, hear, heard, 0);
    assert_false(client->overrun);
    assert_int_equal(feed_status(client, last), 0);
    assert_int_not_equal(client_ask(client, hear, heard, 0), last); /* same slot, other id */
    assert_false(client->overrun);
    client_ask(client, hear, heard, 0);
    assert_true(client->overrun);
    client_fini(client);
    free(client);
}

static void an_old_version_is_refused(void **state)
{
    struct client *client = calloc(1, sizeof *client);
    char why[256];
    bool stop = false;
    (void)state;
    assert_int_equal(client_feed(client, BYTES("\0\0\0\5\2\0\0\0\2"), &stop, why, sizeof why), ACCORD_EPROTO);
    assert_non_null(strstr(why, "version 2"));
    client_fini(client);
    assert_int_equal(client_feed(client, BYTES("\0\0\0\37\2\0\0\0\3\0\0\0\21fsync@openssh.com\0\0\0\0011"),
                                 &stop, why, sizeof why),
                     0);
    assert_true(client->greeted);
    assert_true(client->extensions & SFTP_EXT_FSYNC);
    client_fini(client);
    free(client);
}

#define VERSION_WITH_LIMITS "\0\0\0\40\2\0\0\0\3\0\0\0\22limits@openssh.com\0\0\0\0011"

static void limits_are_asked_for_and_kept_to(void **state)
{
    struct client *client = calloc(1, sizeof *client);
    char why[256];
    bool stop = false;
    uint8_t answer[4 + 5 + 32] = {0, 0, 0, 37, SFTP_EXTENDED_REPLY};
    (void)state;
    assert_int_equal(client_write_size(client), SFTP_CHUNK);
    assert_int_equal(client_feed(client, BYTES(VERSION_WITH_LIMITS), &stop, why, sizeof why), 0);
    assert_int_equal(client->extensions, SFTP_EXT_LIMITS);
    assert_int_equal(outbox_size(&client->outbox), 4 + 5 + 4 + 18);
    memcpy(answer + 5, client->outbox.bytes + 5, 4); /* its id */
    answer[9 + 5] = 4;                               /* packet: 256 KiB */
    answer[17 + 5] = 3, answer[17 + 6] = 0xfc;       /* read: 255 KiB */
    answer[25 + 6] = 0x20;                           /* write: 8 KiB */
    answer[33 + 7] = 20;                             /* handles */
    assert_int_equal(client_feed(client, answer, sizeof answer, &stop, why, sizeof why), 0);
    assert_int_equal(client_read_size(client), 255 * 1024);
    assert_int_equal(client_write_size(client), 8192);
    assert_int_equal(client->limits.handles, 20);
    client_fini(client);
    free(client);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(requests_are_encoded_as_the_draft_says),
        cmocka_unit_test(requests_have_the_length_they_claim),
        cmocka_unit_test(a_status_gives_its_code_and_printable_words),
        cmocka_unit_test(long_words_of_a_status_are_cut),
        cmocka_unit_test(replies_are_taken_whole_or_not_at_all),
        cmocka_unit_test(impossible_replies_are_refused),
        cmocka_unit_test(names_are_read_in_order),
        cmocka_unit_test(a_frame_waits_for_its_last_byte),
        cmocka_unit_test(each_reply_finds_its_request_once),
        cmocka_unit_test(a_forgotten_request_is_answered_to_nobody),
        cmocka_unit_test(more_requests_than_slots_are_noticed),
        cmocka_unit_test(an_old_version_is_refused),
        cmocka_unit_test(limits_are_asked_for_and_kept_to),
    };
    return cmocka_run_group_tests_name("sftp packets", cases, NULL, NULL);
}
