/* Policy `sample`: a message must have certain headers, and must not contain certain words. It reads
 * payloads, and so runs in the inspect process, which can reach nothing at all. */
#include <accord/plugin.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search.h"

#define PIECE (128 * 1024) /* asked of the host at a time */

/* Filled by the host from [policy sample], as the table below says. */
struct options {
    struct accord_list headers, words;
};

static const struct accord_option table[] = {
    {.name = "headers",
     .kind = ACCORD_LIST,
     .offset = offsetof(struct options, headers),
     .help = "Headers that every message must have."},
    {.name = "words",
     .kind = ACCORD_LIST,
     .offset = offsetof(struct options, words),
     .help = "Words that no message may contain, in upper and lower case as written here."},
    {0},
};

/* One agreement's module: accord_policy.state_size bytes of the host's. */
struct self {
    const struct accord_policy_host *host;
    const struct options *options;
    struct open_case *open; /* questions that are not answered yet */
};

/* A question while its payload comes; *inquiry->state points to it. */
struct open_case {
    struct self *self;
    const struct accord_inquiry *inquiry;
    struct open_case *next;
    struct search search;
};

static int check(const struct accord_policy_setup *setup, char *why, size_t why_size)
{
    const struct options *options = setup->options;
    for (size_t i = 0; i < options->words.count; i++) {
        size_t size = strlen(options->words.items[i]);
        if (size && size <= WORD_MAX)
            continue;
        snprintf(why, why_size, "words: a word has 1 to %d bytes, this one has %zu", WORD_MAX, size);
        return ACCORD_EINVAL;
    }
    return ACCORD_OK;
}

/* ---- answers ---- */

static void forget(struct open_case *open)
{
    struct open_case **at = &open->self->open;
    while (*at != open)
        at = &(*at)->next;
    *at = open->next;
    *open->inquiry->state = NULL;
    free(open);
}

/* Every question is answered exactly once, and this is the one place; the inquiry is dead afterwards. */
static void answer(struct self *self, const struct accord_inquiry *inquiry, enum accord_answer what,
                   const char *rule, const char *reason)
{
    const struct accord_verdict verdict = {.answer = what, .rule = rule, .reason = reason};
    if (*inquiry->state)
        forget(*inquiry->state);
    self->host->answer(inquiry->handle, &verdict);
}

/* The rule is what people look up, and what `accord explain` shows: its name never changes. The reason
 * says where, and what was expected. */
static void deny(struct self *self, const struct accord_inquiry *inquiry, const char *rule,
                 const char *format, const char *what, int64_t at)
{
    char reason[ACCORD_REASON_MAX];
    snprintf(reason, sizeof reason, format, what, at);
    answer(self, inquiry, ACCORD_DENY, rule, reason);
}

/* ---- questions ---- */

static const char *missing_header(const struct self *self, const struct accord_envelope *envelope)
{
    for (size_t i = 0; i < self->options->headers.count; i++) {
        const char *wanted = self->options->headers.items[i];
        size_t at = 0;
        while (at < envelope->header_count && strcmp(envelope->headers[at].name, wanted) != 0)
            at++;
        if (at == envelope->header_count)
            return wanted;
    }
    return NULL;
}

static void judge(void *state, const struct accord_inquiry *inquiry)
{
    struct self *self = state;
    const char *missing = missing_header(self, inquiry->envelope);
    if (missing) {
        deny(self, inquiry, "sample.header", "the message has no header %s", missing, 0);
        return;
    }
    struct open_case *open = calloc(1, sizeof *open);
    if (!open) { /* never allow what could not be looked at */
        answer(self, inquiry, ACCORD_DEFER, "sample.memory", "out of memory");
        return;
    }
    *open = (struct open_case){self, inquiry, self->open, {.words = &self->options->words}};
    self->open = open;
    *inquiry->state = open;
    self->host->pull(inquiry->handle, PIECE);
}

static void payload(void *state, const struct accord_inquiry *inquiry, const uint8_t *bytes, size_t size,
                    bool last)
{
    struct self *self = state;
    struct open_case *open = *inquiry->state;
    int64_t at = 0;
    const char *word = search_piece(&open->search, bytes, size, &at);
    if (word)
        deny(self, inquiry, "sample.word", "the word \"%s\" stands at byte %" PRId64, word, at);
    else if (last)
        answer(self, inquiry, ACCORD_ALLOW, "", "");
    else if (size) /* as much as came: so much is always on its way */
        self->host->pull(inquiry->handle, (int64_t)size);
}

static void cancel(void *state, const struct accord_inquiry *inquiry)
{
    answer(state, inquiry, ACCORD_DEFER, "sample.cancelled", "given up by request");
}

/* ---- life ---- */

static int open_module(void *state, struct accord_instance *instance, const struct accord_policy_host *host,
                       const struct accord_policy_setup *setup, char *why, size_t why_size)
{
    (void)instance, (void)why, (void)why_size;
    *(struct self *)state = (struct self){.host = host, .options = setup->options};
    return ACCORD_OK;
}

static void close_module(void *state)
{
    struct self *self = state;
    while (self->open)
        cancel(self, self->open->inquiry);
}

static const struct accord_policy policy = {
    .size = sizeof(struct accord_policy),
    .flags = ACCORD_READS_PAYLOAD,
    .asks = ACCORD_ASKS(ACCORD_ASK_IN) | ACCORD_ASKS(ACCORD_ASK_OUT),
    .options = {table, sizeof(struct options)},
    .check = check,
    .state_size = sizeof(struct self),
    .open = open_module,
    .close = close_module,
    .judge = judge,
    .payload = payload,
    .cancel = cancel,
};

/* The one symbol that this module exports. */
ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_POLICY,
    .name = "sample",
    .version = "0.1",
    .summary = "Wants certain headers, and refuses certain words.",
    .policy = &policy,
};
