/* What the store costs: messages that are admitted with one delivery and settled, as many at a time as the window
 * says. One line for each run.
 *
 *     bench_store FOLDER [MESSAGES [WINDOW [PAYLOAD [direct|claim|hold]]]]
 *
 * `direct` admits deliveries as being sent; `claim` as waiting, and claims them; `hold` as held, and leaves them.
 * FOLDER must not exist.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "store/segment.h"
#include "store/store.h"
#include "util/clock.h"
#include "util/text.h"

#define AUDIT_RECORDS 2
#define AUDIT_SIZE    500
#define CLAIM_MAX     64

struct run;

struct message {
    struct run *run;
    struct id id;
    char source_id[32], name[32]; /* the name is its place among the messages */
    struct accord_envelope envelope;
    struct store_delivery delivery;
    struct store_audit audit[AUDIT_RECORDS], settled;
    struct store_admission admission;
    struct store_settlement settlement;
};

struct run {
    struct store *store;
    struct message *messages;
    struct store_claimed claimed[CLAIM_MAX];
    struct store_claim claim;
    bool direct, hold, claiming;
    size_t window, payload_size;
    uint64_t wanted, started, admitted, handed, settled;
    uint8_t *payload;
    char body[AUDIT_SIZE];
};

static unsigned long syncs;

static int counting_fdatasync(int fd)
{
    __atomic_fetch_add(&syncs, 1, __ATOMIC_RELAXED);
    return fdatasync(fd);
}

static void must(int result, const char *what)
{
    if (!result)
        return;
    fprintf(stderr, "bench_store: %s: %s\n", what, error_name(result));
    exit(1);
}

static void start(struct message *);
static void claim_more(struct run *);

static void set_body(const struct run *run, struct store_audit *audit, const char *chain)
{
    audit->chain = chain;
    buf_clear(&audit->body);
    buf_put(&audit->body, run->body, sizeof run->body);
}

static void on_settled(void *arg, int result)
{
    struct message *message = arg;
    must(result, "settle");
    message->run->settled++;
    start(message);
}

static void settle(struct message *message, uint64_t number)
{
    set_body(message->run, &message->settled, "isa");
    message->settlement = (struct store_settlement){.number = number,
                                                    .state = STORE_DELIVERED,
                                                    .attempted = true,
                                                    .generation = 1,
                                                    .receipt = "250 taken",
                                                    .audit = &message->settled,
                                                    .audit_count = 1};
    store_settle(message->run->store, &message->settlement, on_settled, message);
}

static void on_claimed(void *arg, int result)
{
    struct run *run = arg;
    must(result, "claim");
    run->claiming = false;
    for (size_t i = 0; i < run->claim.count; i++) {
        uint64_t number = run->claimed[i].delivery.number;
        struct message *message = &run->messages[strtoull(run->claimed[i].message->name, NULL, 10)];
        store_message_free(run->claimed[i].message);
        settle(message, number);
        run->handed++;
    }
    if (run->handed < run->admitted)
        claim_more(run);
}

static void claim_more(struct run *run)
{
    if (run->claiming)
        return;
    run->claiming = true;
    run->claim = (struct store_claim){
        .agreement = "isa", .now = clock_wall(), .limit = CLAIM_MAX, .claimed = run->claimed};
    store_claim(run->store, &run->claim, on_claimed, run);
}

static void on_admitted(void *arg, int result)
{
    struct message *message = arg;
    must(result, "admit");
    store_payload_free(message->admission.payload);
    message->run->admitted++;
    if (message->run->hold) {
        message->run->settled++;
        start(message);
    } else if (message->run->direct)
        settle(message, message->delivery.number);
    else
        claim_more(message->run);
}

static void on_added(void *arg, int result)
{
    struct message *message = arg;
    uint8_t sha256[DIGEST_SIZE];
    int64_t size;
    must(result, "payload");
    store_payload_seal(message->admission.payload, sha256, &size);
    store_admit(message->run->store, &message->admission, on_admitted, message);
}

static void start(struct message *message)
{
    struct run *run = message->run;
    if (run->started == run->wanted)
        return;
    must(id_make(&message->id, clock_wall()), "id");
    snprintf(message->source_id, sizeof message->source_id, "source-%llu",
             (unsigned long long)run->started++);
    message->envelope = (struct accord_envelope){.id = message->id.text,
                                                 .type = "opaque",
                                                 .name = message->name,
                                                 .origin = "site/pulse",
                                                 .source_id = message->source_id,
                                                 .time = clock_wall(),
                                                 .size = (int64_t)run->payload_size,
                                                 .sha256 = ""};
    message->delivery = (struct store_delivery){.state = run->hold     ? STORE_HELD
                                                         : run->direct ? STORE_SENDING
                                                                       : STORE_WAITING,
                                                .generation = 1};
    text_copy(message->delivery.agreement, STORE_NAME_MAX, "isa");
    text_copy(message->delivery.service, STORE_NAME_MAX, "out");
    set_body(run, &message->audit[0], "isa");
    set_body(run, &message->audit[1], "host");
    message->admission = (struct store_admission){.envelope = &message->envelope,
                                                  .payload = store_payload_new(run->store, "site"),
                                                  .deliveries = &message->delivery,
                                                  .delivery_count = 1,
                                                  .audit = message->audit,
                                                  .audit_count = AUDIT_RECORDS,
                                                  .duplicate_horizon = (int64_t)86400 * 1000000};
    run->payload[0]++;
    memcpy(run->payload + 8, &run->started, sizeof run->started);
    store_payload_add(message->admission.payload, run->payload, run->payload_size, on_added, message);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double cpu(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

static void run_all(struct run *run, uv_loop_t *loop)
{
    unsigned long synced = syncs;
    double own = cpu(RUSAGE_THREAD), all = cpu(RUSAGE_SELF);
    int64_t began = clock_wall();
    for (size_t i = 0; i < run->window; i++)
        start(&run->messages[i]);
    while (run->settled < run->wanted)
        uv_run(loop, UV_RUN_ONCE);
    double took = (double)(clock_wall() - began) / 1e6, n = (double)run->wanted;
    own = cpu(RUSAGE_THREAD) - own;
    all = cpu(RUSAGE_SELF) - all;
    printf("%s window %zu payload %zu: %.0f messages/s, CPU us/message %.2f (loop %.2f, store %.2f), "
           "fdatasync/s %.0f\n",
           run->hold     ? "hold"
           : run->direct ? "direct"
                         : "claim",
           run->window, run->payload_size, n / took, all / n * 1e6, own / n * 1e6, (all - own) / n * 1e6,
           (double)(syncs - synced) / took);
}

static size_t number_or(char **argv, int argc, int at, size_t otherwise)
{
    return argc > at ? (size_t)strtoull(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    struct reason why = {""};
    struct run run = {.wanted = number_or(argv, argc, 2, 200000),
                      .window = number_or(argv, argc, 3, 512),
                      .payload_size = number_or(argv, argc, 4, 1024),
                      .direct = argc <= 5 || !strcmp(argv[5], "direct"),
                      .hold = argc > 5 && !strcmp(argv[5], "hold")};
    if (argc < 2 || !run.wanted || !run.window || run.payload_size < 16) {
        fprintf(stderr, "usage: bench_store FOLDER [MESSAGES [WINDOW [PAYLOAD [direct|claim|hold]]]]\n");
        return 2;
    }
    uv_loop_t loop;
    uv_loop_init(&loop);
    segment_io.fdatasync = counting_fdatasync;
    struct store_config config = {
        .folder = argv[1], .backend = "journal", .epoch = 1, .segment_size = 64 << 20};
    if (store_open(&run.store, &loop, &config, NULL, &why)) {
        fprintf(stderr, "bench_store: %s\n", why.text);
        return 1;
    }
    run.payload = calloc(1, run.payload_size);
    run.messages = calloc(run.window, sizeof *run.messages);
    memset(run.body, 'x', sizeof run.body);
    for (size_t i = 0; i < run.window; i++) {
        run.messages[i].run = &run;
        snprintf(run.messages[i].name, sizeof run.messages[i].name, "%zu", i);
    }
    run_all(&run, &loop);
    store_close(run.store);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    for (size_t i = 0; i < run.window; i++) {
        buf_fini(&run.messages[i].audit[0].body);
        buf_fini(&run.messages[i].audit[1].body);
        buf_fini(&run.messages[i].settled.body);
    }
    free(run.messages);
    free(run.payload);
    return 0;
}
