/* Connector `pulse`: a source of load. Offers messages with source ids in sequence and contents that follow from
 * them, as many at a time as `window` says, and writes a line for every answer into FOLDER/SERVICE.pulse:
 *
 *     NUMBER TIME MESSAGE-ID accepted|quarantined|rejected
 *
 * Started again it goes on behind the numbers that have a line; those whose answer was lost with the process are
 * offered again under the same source id. So the lines say exactly what the agent has answered for.
 */
#include <accord/plugin.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "content.h"
#include "tally.h"

#define DEFERRED_PAUSE 200 /* ms */
#define PACE_STEP      10  /* ms between two helpings of a limited pace */
#define WRITE_PAUSE    1   /* ms in which answers are gathered */

struct link_options {
    const char *folder;
};

struct service_options {
    int64_t count, size, window, pace, seed;
    const char *prefix;
};

#define LINK(field)    offsetof(struct link_options, field)
#define SERVICE(field) offsetof(struct service_options, field)

static const struct accord_option link_table[] = {
    {"folder", ACCORD_PATH, ACCORD_REQUIRED | ACCORD_FOLDER_READ | ACCORD_FOLDER_WRITE, LINK(folder), NULL, 0,
     0, NULL, "Where SERVICE.pulse is written."},
    {0},
};

static const struct accord_option service_table[] = {
    {"count", ACCORD_INTEGER, 0, SERVICE(count), "0", 0, 1000000000, NULL,
     "How many messages; 0: without end."},
    {"size", ACCORD_SIZE, 0, SERVICE(size), "1 KiB", 0, 1 << 30, NULL, "Bytes of each."},
    {"window", ACCORD_INTEGER, 0, SERVICE(window), "256", 1, 65536, NULL,
     "How many without an answer at a time."},
    {"pace", ACCORD_INTEGER, 0, SERVICE(pace), "0", 0, 10000000, NULL,
     "Messages a second at most; 0: no limit."},
    {"seed", ACCORD_INTEGER, 0, SERVICE(seed), "0", 0, 1000000000, NULL, "Other source ids, other contents."},
    {"prefix", ACCORD_TEXT, 0, SERVICE(prefix), "pulse", 0, 64, NULL, "How source ids begin."},
    {0},
};

/* One message that is offered. */
struct shot {
    struct feed *feed;
    struct shot *next; /* in feed->spare */
    int64_t number, offset;
    uint64_t key;
};

/* One service. */
struct feed {
    struct pulse *pulse;
    size_t index;
    const char *name;
    const struct service_options *options;
    struct tally tally;
    struct shot *shots, *spare; /* `window` of them */
    int64_t *again;             /* numbers to be offered again: at most one for each shot, and one */
    size_t again_count;
    int64_t next;   /* number */
    uint8_t *known; /* a bit for each number that had a line at the beginning */
    int64_t known_end;
    int64_t budget, filled; /* of a limited pace: messages, and ticks of the last helping */
    struct accord_timer *step, *write, *pause;
};

struct pulse {
    const struct accord_host *host;
    struct accord_instance *instance;
    const struct accord_link_setup *setup;
    struct feed *feeds;
    bool running;
    uint8_t piece[ACCORD_PIECE_MAX];
};

static void go(struct feed *);

/* ---- what had a line already ---- */

static void keep_known(void *arg, const char *line)
{
    struct feed *feed = arg;
    int64_t number = strtoll(line, NULL, 10);
    if (number < 1 || number > 1000000000)
        return;
    if (number >= feed->known_end) {
        int64_t end = 2 * number > 65536 ? 2 * number & ~(int64_t)7 : 65536;
        uint8_t *known = realloc(feed->known, (size_t)end / 8);
        if (!known)
            abort();
        memset(known + feed->known_end / 8, 0, (size_t)(end - feed->known_end) / 8);
        feed->known = known;
        feed->known_end = end;
    }
    feed->known[number / 8] |= (uint8_t)(1 << number % 8);
}

static bool is_known(const struct feed *feed, int64_t number)
{
    return number < feed->known_end && feed->known[number / 8] >> number % 8 & 1;
}

/* ---- offering ---- */

/* 0: there is none. */
static int64_t next_number(struct feed *feed)
{
    if (feed->again_count)
        return feed->again[--feed->again_count];
    while (is_known(feed, feed->next))
        feed->next++;
    return feed->options->count && feed->next > feed->options->count ? 0 : feed->next++;
}

/* PREFIX-SEED-NUMBER, where the number has nine digits. The prefix is no longer than its option allows. */
static void write_id(char id[128], const struct service_options *o, int64_t number)
{
    char *at = stpcpy(id, o->prefix);
    *at++ = '-';
    at = content_number(at, o->seed, 1);
    *at++ = '-';
    *content_number(at, number, 9) = 0;
}

static bool offer(struct feed *feed, int64_t number)
{
    struct shot *shot = feed->spare;
    const struct service_options *o = feed->options;
    char id[128];
    write_id(id, o, number);
    const struct accord_incoming message = {.name = id, .source_id = id, .size = o->size};
    if (!feed->pulse->host->offer(feed->pulse->instance, feed->index, &message, shot))
        return false;
    feed->spare = shot->next;
    *shot = (struct shot){.feed = feed, .number = number, .key = content_key(id, o->size)};
    return true;
}

static void on_step(void *arg)
{
    struct feed *feed = arg;
    const struct accord_host *host = feed->pulse->host;
    int64_t now = host->ticks(feed->pulse->instance), due = (now - feed->filled) * feed->options->pace / 1000;
    feed->step = NULL;
    if (due > 0) {
        feed->filled += due * 1000 / feed->options->pace;
        feed->budget += due;
    }
    go(feed);
}

static void go(struct feed *feed)
{
    struct pulse *pulse = feed->pulse;
    bool limited = feed->options->pace > 0;
    while (pulse->running && !feed->pause && feed->spare && (!limited || feed->budget > 0)) {
        int64_t number = next_number(feed);
        if (!number)
            return;
        if (!offer(feed, number)) { /* offer_ready comes */
            feed->again[feed->again_count++] = number;
            return;
        }
        feed->budget -= limited;
    }
    if (pulse->running && !feed->pause && limited && !feed->step)
        feed->step = pulse->host->timer(pulse->instance, PACE_STEP, on_step, feed);
}

static void pulse_offer_ready(void *state)
{
    struct pulse *pulse = state;
    for (size_t i = 0; i < pulse->setup->service_count; i++)
        if (pulse->feeds[i].shots)
            go(&pulse->feeds[i]);
}

static void pulse_offer_pull(void *state, struct accord_offer *handle, void *arg, int64_t bytes)
{
    struct pulse *pulse = state;
    struct shot *shot = arg;
    int64_t size = shot->feed->options->size;
    bool last;
    do {
        int64_t left = size - shot->offset, piece = left < bytes ? left : bytes;
        last = piece == left;
        if (!last)
            piece &= ~(int64_t)7;
        if (piece > ACCORD_PIECE_MAX) {
            piece = ACCORD_PIECE_MAX;
            last = false;
        }
        if (!piece && !last)
            return; /* less than a word: the next helping brings more */
        content_fill(shot->key, shot->offset, pulse->piece, (size_t)piece);
        if (pulse->host->offer_write(handle, pulse->piece, (size_t)piece, last) < 0)
            return;
        shot->offset += piece;
        bytes -= piece;
    } while (!last && bytes >= 8);
}

/* ---- answers ---- */

static void on_write(void *arg)
{
    struct feed *feed = arg;
    feed->write = NULL;
    if (!tally_write(&feed->tally))
        feed->pulse->host->log(feed->pulse->instance, ACCORD_ERROR, "pulse.tally", strerror(errno));
}

static void on_pause(void *arg)
{
    struct feed *feed = arg;
    feed->pause = NULL;
    go(feed);
}

static void pulse_offer_done(void *state, struct accord_offer *handle, void *arg,
                             const struct accord_admitted *admitted)
{
    static const char *const words[] = {
        [ACCORD_ACCEPTED] = "accepted", [ACCORD_QUARANTINED] = "quarantined", [ACCORD_REJECTED] = "rejected"};
    struct pulse *pulse = state;
    struct shot *shot = arg;
    struct feed *feed = shot->feed;
    (void)handle;
    if (admitted->admission == ACCORD_DEFERRED) {
        feed->again[feed->again_count++] = shot->number;
        if (!feed->pause)
            feed->pause = pulse->host->timer(pulse->instance, DEFERRED_PAUSE, on_pause, feed);
    } else {
        tally_begin(&feed->tally);
        tally_number(&feed->tally, shot->number);
        tally_number(&feed->tally, pulse->host->wall(pulse->instance));
        tally_word(&feed->tally, admitted->id[0] ? admitted->id : "-");
        tally_word(&feed->tally, words[admitted->admission]);
        tally_end(&feed->tally);
        if (!feed->write)
            feed->write = pulse->host->timer(pulse->instance, WRITE_PAUSE, on_write, feed);
    }
    shot->next = feed->spare;
    feed->spare = shot;
    go(feed);
}

/* ---- life ---- */

static void pulse_close(void *state)
{
    struct pulse *pulse = state;
    for (size_t i = 0; pulse->feeds && i < pulse->setup->service_count; i++) {
        struct feed *feed = &pulse->feeds[i];
        struct accord_timer *timers[] = {feed->step, feed->write, feed->pause};
        for (size_t t = 0; t < sizeof timers / sizeof *timers; t++)
            pulse->host->timer_stop(timers[t]);
        if (feed->shots && !tally_write(&feed->tally))
            pulse->host->log(pulse->instance, ACCORD_ERROR, "pulse.tally", strerror(errno));
        tally_close(&feed->tally);
        free(feed->shots);
        free(feed->again);
        free(feed->known);
    }
    free(pulse->feeds);
}

static int open_feed(struct feed *feed, const char *folder, char *why, size_t room)
{
    size_t window = (size_t)feed->options->window;
    int result = tally_open(&feed->tally, folder, feed->name, "pulse", why, room);
    if (!result)
        result = tally_each(&feed->tally, keep_known, feed);
    feed->shots = result ? NULL : calloc(window, sizeof *feed->shots);
    feed->again = calloc(window + 1, sizeof *feed->again);
    if (!result && (!feed->shots || !feed->again))
        result = ACCORD_ENOMEM;
    for (size_t i = 0; !result && i < window; i++) {
        feed->shots[i].next = feed->spare;
        feed->spare = &feed->shots[i];
    }
    feed->next = 1;
    return result;
}

static int pulse_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                      const struct accord_link_setup *setup, char *why, size_t room)
{
    struct pulse *pulse = state;
    const struct link_options *options = setup->options;
    pulse->host = host;
    pulse->instance = instance;
    pulse->setup = setup;
    pulse->feeds = calloc(setup->service_count + 1, sizeof *pulse->feeds);
    int result = pulse->feeds ? 0 : ACCORD_ENOMEM;
    for (size_t i = 0; pulse->feeds && i < setup->service_count; i++) {
        const struct accord_service *service = setup->services[i];
        pulse->feeds[i] = (struct feed){
            .pulse = pulse, .index = i, .name = service->name, .options = service->options, .tally.fd = -1};
        if (!result)
            result = open_feed(&pulse->feeds[i], options->folder, why, room);
    }
    if (result)
        pulse_close(state);
    return result;
}

static void pulse_start(void *state)
{
    struct pulse *pulse = state;
    pulse->running = true;
    for (size_t i = 0; i < pulse->setup->service_count; i++)
        pulse->feeds[i].filled = pulse->host->ticks(pulse->instance);
    pulse_offer_ready(state);
}

static void pulse_stop(void *state)
{
    ((struct pulse *)state)->running = false;
}

static const struct accord_connector pulse = {
    .size = sizeof pulse,
    .flags = ACCORD_CAN_RECEIVE,
    .link_options = {link_table, sizeof(struct link_options)},
    .service_options = {service_table, sizeof(struct service_options)},
    .state_size = sizeof(struct pulse),
    .open = pulse_open,
    .start = pulse_start,
    .stop = pulse_stop,
    .close = pulse_close,
    .offer_pull = pulse_offer_pull,
    .offer_done = pulse_offer_done,
    .offer_ready = pulse_offer_ready,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_CONNECTOR,
    .name = "pulse",
    .version = "0.1",
    .summary = "Makes load: offers messages in sequence and counts the answers.",
    .connector = &pulse,
};
