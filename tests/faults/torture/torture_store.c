/* The store under every failure of memory and of the disk: whatever fails and when, what was acknowledged is there
 * when it is opened again, what failed has not happened, each chain is whole, and the store goes on. */
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store.h"
#include "torture.h"
#include "util/text.h"

#define LETTERS 4
#define LARGE   300000
#define SEGMENT (1 << 20)
#define LINES   64

/* What the store was asked, and what it answered. */
struct letter {
    struct id id;
    size_t size;
    uint64_t number;
    bool offered, admitted, settling, settled;
};

static char folder[128];
static struct letter letters[LETTERS];
static size_t lines; /* of the trail that were acknowledged */
static uint8_t bytes[LARGE];

struct waited {
    bool done;
    int result;
};

static bool waiting;

static void on_done(void *arg, int result)
{
    struct waited *waited = arg;
    torture_expect(!waited->done && waiting); /* never before the call returns */
    *waited = (struct waited){true, result};
}

struct bench {
    uv_loop_t loop;
    struct store *store;
    struct store_recovery recovery;
};

static int wait_for(struct bench *bench, struct waited *waited)
{
    waiting = true;
    while (!waited->done)
        uv_run(&bench->loop, UV_RUN_ONCE);
    waiting = false;
    return waited->result;
}

static int open_bench(struct bench *bench)
{
    struct reason why = {""};
    struct store_config config = {
        .folder = folder, .backend = "journal", .epoch = 1, .segment_size = SEGMENT};
    *bench = (struct bench){0};
    torture_expect(uv_loop_init(&bench->loop) == 0);
    int result = store_open(&bench->store, &bench->loop, &config, &bench->recovery, &why);
    torture_expect(!result || (!bench->store && why.text[0])); /* who refuses says why */
    return result;
}

static void shut_bench(struct bench *bench)
{
    store_close(bench->store);
    uv_run(&bench->loop, UV_RUN_DEFAULT);
    torture_expect(uv_loop_close(&bench->loop) == 0);
}

/* ---- what is done while things fail ---- */

static struct buf body(const char *text)
{
    bool failed = false;
    struct buf made = {0};
    buf_format(&made, "{\"event.action\":\"%s\"", text);
    failed = made.failed;
    torture_expect(failed || made.size);
    return made;
}

static int fill(struct bench *bench, struct store_payload *payload, size_t size)
{
    int result = 0;
    for (size_t at = 0; at < size && !result;) {
        size_t piece = size - at < ACCORD_PIECE_MAX ? size - at : ACCORD_PIECE_MAX;
        struct waited waited = {0};
        store_payload_add(payload, bytes + at, piece, on_done, &waited);
        result = wait_for(bench, &waited);
        at += piece;
    }
    return result;
}

static void admit(struct bench *bench, struct letter *letter, size_t size)
{
    char source[16], key[32];
    const char *keys[] = {key};
    struct store_delivery delivery = {.agreement = "isa", .service = "out", .state = STORE_WAITING};
    struct accord_pair header = {"Content-Type", "text/plain"};
    struct store_payload *payload = store_payload_new(bench->store, "site");
    struct store_audit record = {.chain = "isa", .body = body("message-admitted")};
    uint8_t sha256[DIGEST_SIZE];
    int64_t sealed = 0;
    if (!payload || record.body.failed || fill(bench, payload, size) || id_make(&letter->id, 1))
        goto out;
    snprintf(source, sizeof source, "source-%zu", size);
    snprintf(key, sizeof key, "isa\x1f%zu", size);
    store_payload_seal(payload, sha256, &sealed);
    struct accord_envelope envelope = {.id = letter->id.text,
                                       .type = "stow-plan",
                                       .name = "plan.edi",
                                       .origin = "site/plans",
                                       .source_id = source,
                                       .time = 1,
                                       .size = (int64_t)size,
                                       .sha256 = "",
                                       .headers = &header,
                                       .header_count = 1};
    struct store_admission admission = {.envelope = &envelope,
                                        .payload = payload,
                                        .deliveries = &delivery,
                                        .delivery_count = 1,
                                        .cursor = source,
                                        .keys = keys,
                                        .key_count = 1,
                                        .audit = &record,
                                        .audit_count = 1};
    struct waited waited = {0};
    letter->size = size;
    letter->offered = true;
    store_admit(bench->store, &admission, on_done, &waited);
    letter->admitted = wait_for(bench, &waited) == 0;
    letter->number = delivery.number;
    lines += letter->admitted;
out:
    store_payload_free(payload);
    buf_fini(&record.body);
}

static void settle(struct bench *bench, struct letter *letter)
{
    struct store_audit record = {.chain = "isa", .body = body("message-delivered")};
    struct store_settlement settlement = {.number = letter->number,
                                          .state = STORE_DELIVERED,
                                          .attempted = true,
                                          .receipt = "received",
                                          .audit = &record,
                                          .audit_count = 1};
    struct waited waited = {0};
    if (letter->admitted && !record.body.failed) {
        letter->settling = true;
        store_settle(bench->store, &settlement, on_done, &waited);
        letter->settled = wait_for(bench, &waited) == 0;
        lines += letter->settled;
    }
    buf_fini(&record.body);
}

static void note(struct bench *bench)
{
    struct store_audit record = {.chain = "host", .body = body("agent-start")};
    struct waited waited = {0};
    if (!record.body.failed) {
        store_audit(bench->store, &record, 1, on_done, &waited);
        lines += wait_for(bench, &waited) == 0;
    }
    buf_fini(&record.body);
}

static void claim(struct bench *bench)
{
    struct store_claimed claimed[2];
    struct store_claim request = {.agreement = "isa", .now = INT64_MAX - 1, .limit = 2, .claimed = claimed};
    struct waited waited = {0};
    store_claim(bench->store, &request, on_done, &waited);
    wait_for(bench, &waited);
    for (size_t i = 0; i < request.count; i++)
        store_message_free(claimed[i].message);
}

static void move(struct bench *bench, enum store_state from, enum store_state to)
{
    struct store_audit record = {.chain = "isa", .body = body("deliveries-moved")};
    struct store_move request = {
        .agreement = "isa", .from = from, .to = to, .reason = "switched", .audit = &record, .audit_count = 1};
    struct waited waited = {0};
    if (!record.body.failed) {
        store_move(bench->store, &request, on_done, &waited);
        lines += wait_for(bench, &waited) == 0 && request.moved;
    }
    buf_fini(&record.body);
}

static void look(struct bench *bench)
{
    struct store_message *found[8];
    struct store_scan scan = {.limit = 8, .found = found};
    struct store_counts counts = {0};
    struct store_heads heads = {0};
    struct store_cursor cursor = {.route = "site/plans"};
    struct waited waited[4] = {{0}};
    store_scan(bench->store, &scan, on_done, &waited[0]);
    store_counts(bench->store, &counts, on_done, &waited[1]);
    store_heads(bench->store, &heads, on_done, &waited[2]);
    store_cursor(bench->store, &cursor, on_done, &waited[3]);
    for (size_t i = 0; i < 4; i++)
        wait_for(bench, &waited[i]);
    for (size_t i = 0; i < scan.count; i++)
        store_message_free(found[i]);
    free(counts.rows);
    free(heads.rows);
}

/* What a person or the hub's clock asks for: it may fail, and must not take anything with it. */
static void keep_house(struct bench *bench)
{
    char path[160];
    struct reason unused = {""};
    struct store_note note = {.name = "!torture", .value = "noted"};
    struct store_retention retention = {.now = 2, .trail_position = 0};
    struct store_rotation whole = {.why = unused}, one = {.agreement = "isa", .why = unused};
    struct store_decision decision = {.number = letters[2].number, .state = STORE_WAITING, .reason = "again"};
    struct waited waited[5] = {{0}};
    store_note(bench->store, &note, on_done, &waited[0]);
    store_retain(bench->store, &retention, on_done, &waited[1]);
    store_rotate(bench->store, &whole, on_done, &waited[2]);
    store_rotate(bench->store, &one, on_done, &waited[3]);
    store_decide(bench->store, &decision, on_done, &waited[4]);
    for (size_t i = 0; i < 5; i++)
        wait_for(bench, &waited[i]);
    snprintf(path, sizeof path, "%s-copy", folder);
    struct store_backup backup = {.folder = path};
    do {
        struct waited copied = {0};
        store_backup(bench->store, &backup, on_done, &copied);
        if (wait_for(bench, &copied))
            break;
    } while (backup.more);
}

static void work(struct bench *bench)
{
    admit(bench, &letters[0], 10);
    admit(bench, &letters[1], LARGE);
    note(bench);
    claim(bench);
    settle(bench, &letters[0]);
    move(bench, STORE_WAITING, STORE_HELD);
    admit(bench, &letters[2], 3000);
    look(bench);
}

static void more_work(struct bench *bench)
{
    move(bench, STORE_HELD, STORE_WAITING);
    claim(bench);
    settle(bench, &letters[1]);
    keep_house(bench);
    admit(bench, &letters[3], 700);
    look(bench);
}

/* ---- what must be so afterwards ---- */

static void check_payload(struct bench *bench, const struct letter *letter)
{
    static uint8_t back[LARGE + 1];
    struct store_read request = {.message = letter->id.text, .to = back, .room = sizeof back};
    struct waited waited = {0};
    store_read(bench->store, &request, on_done, &waited);
    torture_expect(wait_for(bench, &waited) == 0);
    torture_expect(request.got == letter->size && !memcmp(back, bytes, letter->size));
}

static void check_letter(struct bench *bench, const struct letter *letter)
{
    struct store_get request = {.message = letter->id.text};
    struct waited waited = {0};
    if (!letter->offered)
        return;
    store_get(bench->store, &request, on_done, &waited);
    int result = wait_for(bench, &waited);
    torture_expect(!result || result == ACCORD_ENOENT);
    torture_expect(!letter->admitted || !result); /* what was acknowledged is there */
    if (result)
        return;
    check_payload(bench, letter);
    torture_expect(request.found->delivery_count == 1);
    enum store_state state = request.found->deliveries[0].state;
    torture_expect(!letter->settled || state == STORE_DELIVERED);
    torture_expect(letter->settling || state != STORE_DELIVERED);
    store_message_free(request.found);
}

static void check_trail(struct bench *bench)
{
    struct buf text = {0};
    struct store_trail request = {.limit = LINES, .lines = &text};
    struct waited waited = {0};
    store_trail(bench->store, &request, on_done, &waited);
    torture_expect(wait_for(bench, &waited) == 0);
    torture_expect(request.count >= lines && request.count < LINES);
    struct audit_head heads[2] = {{0}};
    const char *at = (const char *)text.data;
    for (size_t i = 0; i < request.count; i++) {
        const char *end = memchr(at, '\n', text.size - (size_t)(at - (const char *)text.data));
        struct audit_seal_facts facts;
        struct reason why;
        torture_expect(end && !audit_unseal(at, (size_t)(end - at), &facts, &why));
        struct audit_head *head = &heads[!strcmp(facts.chain, "host")];
        torture_expect(facts.sequence == head->sequence + 1 &&
                       !memcmp(facts.previous, head->hash, DIGEST_SIZE));
        head->sequence = facts.sequence;
        memcpy(head->hash, facts.hash, DIGEST_SIZE);
        at = end + 1;
    }
    buf_fini(&text);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    (void)st, (void)flag, (void)walk;
    return remove(path);
}

static void scenario(void)
{
    struct bench bench;
    snprintf(folder, sizeof folder, "%s/torture-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    torture_expect(mkdtemp(folder));
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (uint8_t)(i * 37 + (i >> 9));
    torture_begin();
    if (!open_bench(&bench)) {
        work(&bench);
        shut_bench(&bench);
    } else {
        uv_run(&bench.loop, UV_RUN_DEFAULT);
        uv_loop_close(&bench.loop);
    }
    if (!open_bench(&bench)) {
        more_work(&bench);
        shut_bench(&bench);
    } else {
        uv_run(&bench.loop, UV_RUN_DEFAULT);
        uv_loop_close(&bench.loop);
    }
    torture_rest();
    torture_expect(!open_bench(&bench));
    torture_expect(!bench.recovery.damaged_records && !bench.recovery.lost_messages);
    for (size_t i = 0; i < LETTERS; i++)
        check_letter(&bench, &letters[i]);
    check_trail(&bench);
    struct letter last = {0};
    admit(&bench, &last, 4000);
    torture_expect(last.admitted);
    check_letter(&bench, &last);
    shut_bench(&bench);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    strcat(folder, "-copy");
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    return torture("store", scenario, 60) ? 1 : 0;
}
