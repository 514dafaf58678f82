/* Anchors: the key is made once and kept private; a signature covers every head, the host and the time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/anchor.h"
#include "util/file.h"

#include <cmocka.h> /* last: its fail() is a macro */

static char folder[64], private_path[128], public_path[128];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/accord-anchor-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(private_path, sizeof private_path, "%s/%s", folder, ANCHOR_KEY_FILE);
    snprintf(public_path, sizeof public_path, "%s/%s", folder, ANCHOR_PUBLIC_KEY_FILE);
    audit_host_set("gate1", "192.0.2.7");
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(private_path);
    unlink(public_path);
    return rmdir(folder);
}

static struct anchor_key *open_key(void)
{
    struct anchor_key *key = NULL;
    struct reason why = {0};
    if (anchor_key_open(&key, folder, &why))
        fail_msg("%s", why.text);
    return key;
}

static void render(struct buf *line, const struct anchor_key *key, const struct audit_chain_head *heads,
                   size_t count)
{
    struct anchor anchor;
    struct audit_event event;
    assert_int_equal(anchor_make(&anchor, key, heads, count, 1741953600123456, &event, NULL), 0);
    audit_render(line, &event);
    buf_byte(line, '}');
    anchor_fini(&anchor);
}

static int check(const char *text, const struct anchor_key *key)
{
    struct line line;
    struct reason why;
    int result = line_parse(&line, text, strlen(text), &why);
    if (!result)
        result = anchor_check(&line, key, &why);
    line_fini(&line);
    return result;
}

static const struct audit_chain_head some[] = {
    {"host", {.sequence = 17, .hash = {1, 2, 3}}},
    {"cbp-isa", {.sequence = 5, .hash = {4, 5, 6}}},
    {"empty", {.sequence = 0}},
};

static void the_key_is_made_once_and_private(void **state)
{
    (void)state;
    struct buf first = {0}, second = {0};
    struct stat st;
    anchor_key_close(open_key());
    assert_int_equal(stat(private_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(file_read(private_path, 10000, &first, NULL), 0);
    anchor_key_close(open_key());
    assert_int_equal(file_read(private_path, 10000, &second, NULL), 0);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    buf_fini(&first);
    buf_fini(&second);
}

static void a_lost_public_key_is_written_again(void **state)
{
    (void)state;
    anchor_key_close(open_key());
    unlink(public_path);
    anchor_key_close(open_key());
    assert_int_equal(access(public_path, R_OK), 0);
}

static void a_lost_private_key_is_not_replaced_silently(void **state)
{
    (void)state;
    struct anchor_key *key = NULL;
    struct reason why;
    anchor_key_close(open_key());
    unlink(private_path);
    assert_int_equal(anchor_key_open(&key, folder, &why), ACCORD_ENOENT);
    assert_non_null(strstr(why.text, "restore it"));
    assert_int_equal(access(private_path, F_OK), -1);
}

static void a_key_open_to_others_is_refused(void **state)
{
    (void)state;
    struct anchor_key *key = NULL;
    struct reason why;
    anchor_key_close(open_key());
    chmod(private_path, 0640);
    assert_int_equal(anchor_key_open(&key, folder, &why), ACCORD_EDENIED);
}

static void a_public_key_of_another_pair_is_refused(void **state)
{
    (void)state;
    struct anchor_key *key = NULL;
    struct reason why;
    struct buf public = {0};
    anchor_key_close(open_key());
    assert_int_equal(file_read(public_path, 10000, &public, NULL), 0);
    unlink(private_path);
    unlink(public_path);
    anchor_key_close(open_key());
    assert_int_equal(file_replace(public_path, public.data, public.size, 0644, NULL), 0);
    assert_int_equal(anchor_key_open(&key, folder, &why), ACCORD_EDENIED);
    buf_fini(&public);
}

static void an_anchor_verifies_with_the_public_key(void **state)
{
    (void)state;
    struct anchor_key *key = open_key(), *public = NULL;
    struct audit_chain_head head;
    struct line line;
    struct buf text = {0};
    size_t at = 0;
    assert_int_equal(anchor_key_public(&public, public_path, NULL), 0);
    render(&text, key, some, 3);
    assert_int_equal(check(buf_string(&text), public), 0);
    assert_int_equal(line_parse(&line, buf_string(&text), text.size, NULL), 0);
    assert_true(anchor_next(&line, &at, &head));
    assert_string_equal(head.chain, "cbp-isa");
    assert_int_equal(head.head.sequence, 5);
    assert_int_equal(head.head.hash[2], 6);
    assert_true(anchor_next(&line, &at, &head));
    assert_string_equal(head.chain, "host");
    assert_false(anchor_next(&line, &at, &head));
    line_fini(&line);
    buf_fini(&text);
    anchor_key_close(key);
    anchor_key_close(public);
}

/* In what the signature covers, and in the signature itself. */
static void nothing_in_an_anchor_can_be_changed(void **state)
{
    (void)state;
    struct anchor_key *key = open_key();
    struct buf text = {0};
    /* the byte behind each of these */
    const char *marks[] = {"\"2025-03-1",      "\"gat",          "chain.cbp-is", "chain.host\":\"1", "\"5:0",
                           "details.key\":\"", "signature\":\"M"};
    render(&text, key, some, 3);
    assert_int_equal(check(buf_string(&text), key), 0);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        char *found = strstr((char *)text.data, marks[i]);
        assert_non_null(found);
        char *at = found + strlen(marks[i]), kept = *at;
        *at = kept == '6' ? '8' : '6';
        if (check((char *)text.data, key) == 0)
            fail_msg("a change behind %s was not noticed", marks[i]);
        *at = kept;
    }
    assert_int_equal(check((char *)text.data, key), 0);
    buf_fini(&text);
    anchor_key_close(key);
}

static void a_head_cannot_be_left_out_or_added(void **state)
{
    (void)state;
    struct anchor_key *key = open_key();
    struct buf text = {0}, other = {0};
    render(&text, key, some, 3);
    const char *field = strstr(buf_string(&text), "\"accord.details.chain.cbp-isa\"");
    size_t before = (size_t)(field - (char *)text.data);
    size_t size = (size_t)(strchr(field, ',') + 1 - field);
    buf_put(&other, text.data, before);
    buf_put(&other, text.data + before + size, text.size - before - size);
    assert_int_equal(check(buf_string(&other), key), ACCORD_EDENIED);
    buf_clear(&other);
    buf_put(&other, text.data, text.size - 1);
    buf_format(&other, ",\"accord.details.chain.more\":\"1:%064d\"}", 0);
    assert_int_equal(check(buf_string(&other), key), ACCORD_EDENIED);
    buf_clear(&other);
    buf_put(&other, text.data, text.size - 1);
    buf_text(&other, ",\"accord.details.chain.more\":\"nonsense\"}");
    assert_int_equal(check(buf_string(&other), key), ACCORD_EFORMAT);
    buf_fini(&text);
    buf_fini(&other);
    anchor_key_close(key);
}

static void more_chains_than_fit_are_refused_not_cut(void **state)
{
    (void)state;
    struct anchor_key *key = open_key();
    struct audit_chain_head many[ANCHOR_HEADS_MAX + 1];
    char names[ANCHOR_HEADS_MAX + 1][64];
    struct anchor anchor;
    struct audit_event event;
    struct buf text = {0};
    struct reason why;
    for (size_t i = 0; i <= ANCHOR_HEADS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "agreement-with-quite-a-long-name-indeed-%022zu", i);
        many[i] = (struct audit_chain_head){names[i], {.sequence = UINT64_MAX}};
    }
    assert_int_equal(anchor_make(&anchor, key, many, ANCHOR_HEADS_MAX + 1, 1, &event, &why), ACCORD_ELIMIT);
    render(&text, key, many, ANCHOR_HEADS_MAX);
    assert_null(strstr(buf_string(&text), "left-out"));
    assert_int_equal(check(buf_string(&text), key), 0);
    buf_fini(&text);
    anchor_key_close(key);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(the_key_is_made_once_and_private),
        in_folder(a_lost_public_key_is_written_again),
        in_folder(a_lost_private_key_is_not_replaced_silently),
        in_folder(a_key_open_to_others_is_refused),
        in_folder(a_public_key_of_another_pair_is_refused),
        in_folder(an_anchor_verifies_with_the_public_key),
        in_folder(nothing_in_an_anchor_can_be_changed),
        in_folder(a_head_cannot_be_left_out_or_added),
        in_folder(more_chains_than_fit_are_refused_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
