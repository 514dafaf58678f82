#include "store_calls.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/text.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* ---- life ---- */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    (void)st, (void)flag, (void)walk;
    return remove(path);
}

void folder_remove(const char *folder)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int bench_reopen(struct bench *bench, struct reason *why)
{
    uv_loop_init(&bench->loop);
    bench->store = NULL;
    int result = store_open(&bench->store, &bench->loop, &bench->config, &bench->recovery, why);
    if (result) {
        uv_run(&bench->loop, UV_RUN_DEFAULT);
        uv_loop_close(&bench->loop);
    }
    return result;
}

void bench_open(struct bench *bench, const char *backend)
{
    const char *temporary = getenv("TMPDIR");
    struct reason why = {""};
    memset(bench, 0, sizeof *bench);
    snprintf(bench->folder, sizeof bench->folder, "%s/store-bench-XXXXXX", temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(bench->folder));
    bench->config = (struct store_config){
        .folder = bench->folder, .backend = backend, .epoch = 1, .segment_size = 1 << 20};
    if (bench_reopen(bench, &why))
        fail_msg("store_open: %s", why.text);
}

void bench_shut(struct bench *bench)
{
    store_close(bench->store);
    bench->store = NULL;
    uv_run(&bench->loop, UV_RUN_DEFAULT); /* would hang here if the store kept the loop alive */
    assert_int_equal(uv_loop_close(&bench->loop), 0);
}

void bench_close(struct bench *bench)
{
    bench_shut(bench);
    folder_remove(bench->folder);
}

void on_waited(void *arg, int result)
{
    struct waited *waited = arg;
    assert_false(waited->done);
    waited->done = true;
    waited->result = result;
}

int wait_for(struct bench *bench, struct waited *waited)
{
    while (!waited->done)
        uv_run(&bench->loop, UV_RUN_ONCE);
    return waited->result;
}

/* ---- admission ---- */

struct buf make_body(const char *text)
{
    struct buf body = {0};
    buf_format(&body, "{\"event.action\":\"%s\"", text);
    return body;
}

struct store_payload *make_payload(struct bench *bench, const void *bytes, size_t size)
{
    struct store_payload *payload = store_payload_new(bench->store, "site");
    assert_non_null(payload);
    for (size_t at = 0; at < size;) {
        size_t piece = size - at < ACCORD_PIECE_MAX ? size - at : ACCORD_PIECE_MAX;
        struct waited waited = {0};
        store_payload_add(payload, (const uint8_t *)bytes + at, piece, on_waited, &waited);
        assert_false(waited.done);
        assert_int_equal(wait_for(bench, &waited), 0);
        at += piece;
    }
    uint8_t sha256[DIGEST_SIZE], expected[DIGEST_SIZE];
    int64_t sealed;
    store_payload_seal(payload, sha256, &sealed);
    assert_int_equal(sealed, size);
    digest_of(bytes, size, expected);
    assert_memory_equal(sha256, expected, DIGEST_SIZE);
    return payload;
}

void letter_init(struct letter *letter, struct bench *bench, const char *source_id, const void *payload,
                 size_t size)
{
    memset(letter, 0, sizeof *letter);
    assert_int_equal(id_make(&letter->id, clock_wall()), 0);
    letter->headers[0] = (struct accord_pair){"Content-Type", "text/plain"};
    letter->headers[1] = (struct accord_pair){"X-Empty", ""};
    letter->envelope = (struct accord_envelope){.id = letter->id.text,
                                                .type = "stow-plan",
                                                .name = "plan.edi",
                                                .origin = "site/plans",
                                                .source_id = source_id,
                                                .time = clock_wall(),
                                                .size = (int64_t)size,
                                                .sha256 = "",
                                                .headers = letter->headers,
                                                .header_count = 2};
    text_copy(letter->deliveries[0].agreement, STORE_NAME_MAX, "isa");
    text_copy(letter->deliveries[0].service, STORE_NAME_MAX, "out");
    letter->deliveries[0].state = STORE_WAITING;
    letter->audit = (struct store_audit){.chain = "isa", .body = make_body("message-admitted")};
    letter->admission = (struct store_admission){.envelope = &letter->envelope,
                                                 .payload = make_payload(bench, payload, size),
                                                 .deliveries = letter->deliveries,
                                                 .delivery_count = 1,
                                                 .audit = &letter->audit,
                                                 .audit_count = 1};
}

void letter_fini(struct letter *letter)
{
    store_payload_free(letter->admission.payload);
    buf_fini(&letter->audit.body);
}

int admit(struct bench *bench, struct letter *letter)
{
    struct waited waited = {0};
    store_admit(bench->store, &letter->admission, on_waited, &waited);
    return wait_for(bench, &waited);
}

uint64_t admit_small(struct bench *bench, const char *source_id, char id[ACCORD_ID_MAX])
{
    struct letter letter;
    letter_init(&letter, bench, source_id, source_id, strlen(source_id));
    assert_int_equal(admit(bench, &letter), 0);
    if (id)
        memcpy(id, letter.id.text, ACCORD_ID_MAX);
    uint64_t number = letter.deliveries[0].number;
    letter_fini(&letter);
    return number;
}

/* ---- the other verbs ---- */

int settle_with(struct bench *bench, struct store_settlement *settlement)
{
    struct waited waited = {0};
    store_settle(bench->store, settlement, on_waited, &waited);
    return wait_for(bench, &waited);
}

int settle(struct bench *bench, uint64_t number, enum store_state state)
{
    struct store_audit record = {.chain = "isa", .body = make_body("message-delivered")};
    struct store_settlement settlement = {.number = number,
                                          .state = state,
                                          .attempted = true,
                                          .receipt = "ok",
                                          .audit = &record,
                                          .audit_count = 1};
    int result = settle_with(bench, &settlement);
    buf_fini(&record.body);
    return result;
}

int claim(struct bench *bench, struct store_claim *request)
{
    struct waited waited = {0};
    store_claim(bench->store, request, on_waited, &waited);
    return wait_for(bench, &waited);
}

int get(struct bench *bench, const char *id, struct store_message **found)
{
    struct store_get request = {.message = id};
    struct waited waited = {0};
    store_get(bench->store, &request, on_waited, &waited);
    int result = wait_for(bench, &waited);
    *found = request.found;
    return result;
}

int read_payload(struct bench *bench, const char *id, int64_t offset, void *to, size_t room, size_t *got)
{
    struct store_read request = {.message = id, .offset = offset, .to = to, .room = room};
    struct waited waited = {0};
    store_read(bench->store, &request, on_waited, &waited);
    int result = wait_for(bench, &waited);
    *got = request.got;
    return result;
}

enum store_state state_of(struct bench *bench, const char *id, size_t delivery)
{
    struct store_message *message;
    assert_int_equal(get(bench, id, &message), 0);
    assert_true(delivery < message->delivery_count);
    enum store_state state = message->deliveries[delivery].state;
    store_message_free(message);
    return state;
}

int audit(struct bench *bench, const char *chain, const char *text)
{
    struct store_audit record = {.chain = chain, .body = make_body(text)};
    struct waited waited = {0};
    store_audit(bench->store, &record, 1, on_waited, &waited);
    assert_null(record.body.data);
    return wait_for(bench, &waited);
}

int move(struct bench *bench, struct store_move *request)
{
    struct waited waited = {0};
    store_move(bench->store, request, on_waited, &waited);
    return wait_for(bench, &waited);
}

int scan(struct bench *bench, struct store_scan *request)
{
    struct waited waited = {0};
    store_scan(bench->store, request, on_waited, &waited);
    return wait_for(bench, &waited);
}

int counts(struct bench *bench, struct store_counts *request)
{
    struct waited waited = {0};
    store_counts(bench->store, request, on_waited, &waited);
    return wait_for(bench, &waited);
}

int decide(struct bench *bench, struct store_decision *request)
{
    struct waited waited = {0};
    store_decide(bench->store, request, on_waited, &waited);
    return wait_for(bench, &waited);
}

int unquarantine(struct bench *bench, struct store_unquarantine *request)
{
    struct waited waited = {0};
    store_unquarantine(bench->store, request, on_waited, &waited);
    return wait_for(bench, &waited);
}

int adopt(struct bench *bench, struct store_adoption *request)
{
    struct waited waited = {0};
    store_adopt(bench->store, request, on_waited, &waited);
    return wait_for(bench, &waited);
}

int set_note(struct bench *bench, struct store_note *request)
{
    struct waited waited = {0};
    store_note(bench->store, request, on_waited, &waited);
    return wait_for(bench, &waited);
}

int find_overdue(struct bench *bench, struct store_overdue *request)
{
    struct waited waited = {0};
    store_overdue(bench->store, request, on_waited, &waited);
    return wait_for(bench, &waited);
}

int tell_missed(struct bench *bench, struct store_missed *request)
{
    struct waited waited = {0};
    store_missed(bench->store, request, on_waited, &waited);
    return wait_for(bench, &waited);
}

int retain(struct bench *bench, struct store_retention *request)
{
    struct waited waited = {0};
    store_retain(bench->store, request, on_waited, &waited);
    return wait_for(bench, &waited);
}

int find_stale(struct bench *bench, struct store_stale *request)
{
    struct waited waited = {0};
    store_stale(bench->store, request, on_waited, &waited);
    return wait_for(bench, &waited);
}

/* ---- chains ---- */

struct link {
    char chain[64];
    uint64_t sequence;
    uint8_t hash[DIGEST_SIZE];
};

static void follow(struct link *links, size_t *count, const char *line, size_t size)
{
    struct audit_seal_facts facts;
    struct reason why = {""};
    size_t at = 0;
    if (audit_unseal(line, size, &facts, &why))
        fail_msg("%s: %.*s", why.text, (int)size, line);
    while (at < *count && strcmp(links[at].chain, facts.chain))
        at++;
    if (at == *count) {
        assert_true(at < 16);
        memset(&links[at], 0, sizeof links[at]);
        text_copy(links[at].chain, sizeof links[at].chain, facts.chain);
        (*count)++;
    }
    assert_int_equal(facts.sequence, links[at].sequence + 1);
    assert_memory_equal(facts.previous, links[at].hash, DIGEST_SIZE);
    links[at].sequence = facts.sequence;
    memcpy(links[at].hash, facts.hash, DIGEST_SIZE);
}

static void check_heads(struct bench *bench, const struct link *links, size_t count)
{
    struct store_heads heads = {0};
    struct waited waited = {0};
    store_heads(bench->store, &heads, on_waited, &waited);
    assert_int_equal(wait_for(bench, &waited), 0);
    assert_int_equal(heads.count, count);
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < count && strcmp(heads.rows[at].chain, links[i].chain))
            at++;
        assert_true(at < count);
        assert_int_equal(heads.rows[at].head.sequence, links[i].sequence);
        assert_memory_equal(heads.rows[at].head.hash, links[i].hash, DIGEST_SIZE);
    }
    free(heads.rows);
}

size_t verify_chains(struct bench *bench)
{
    struct link links[16];
    struct buf lines = {0};
    struct store_trail trail = {.limit = 7, .lines = &lines};
    size_t count = 0, total = 0;
    do {
        struct waited waited = {0};
        buf_clear(&lines);
        store_trail(bench->store, &trail, on_waited, &waited);
        assert_int_equal(wait_for(bench, &waited), 0);
        const char *at = (const char *)lines.data;
        for (size_t i = 0; i < trail.count; i++) {
            const char *end = memchr(at, '\n', lines.size - (size_t)(at - (const char *)lines.data));
            assert_non_null(end);
            follow(links, &count, at, (size_t)(end - at));
            at = end + 1;
        }
        total += trail.count;
    } while (trail.count);
    buf_fini(&lines);
    check_heads(bench, links, count);
    return total;
}
