#include "cli/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "conf/value.h"
#include "plugin/spawn.h"
#include "util/clock.h"
#include "util/id.h"
#include "util/text.h"
#include "wire/codec.h"

#define PATIENCE 60 /* seconds without a word from the child */
#define END_MS   1000
#define STREAM   1

struct inspection {
    const struct inspect_question *question;
    struct inspect_verdict *verdict;
    int channel, file;
    int64_t left; /* bytes of the file not yet sent */
    bool ended, judged;
    uint8_t *datagram, *piece;
};

/* ---- the file ---- */

static int read_some(struct inspection *s, size_t want, size_t *got, struct reason *why)
{
    ssize_t n;
    do
        n = read(s->file, s->piece, want);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return fail(why, error_from_errno(errno), "cannot read %s: %s", s->question->path, strerror(errno));
    *got = (size_t)n;
    return 0;
}

/* The hub knows size and hash before it asks, so they are taken in a pass of their own. */
static int measure(struct inspection *s, struct reason *why)
{
    struct digest *digest = digest_new();
    uint8_t hash[DIGEST_SIZE];
    size_t got = 1;
    int result = digest ? 0 : fail(why, ACCORD_ENOMEM, "out of memory");
    while (!result && got) {
        result = read_some(s, ACCORD_PIECE_MAX, &got, why);
        if (!result)
            digest_add(digest, s->piece, got);
        s->left += result ? 0 : (int64_t)got;
    }
    if (result) {
        digest_free(digest);
        return result;
    }
    digest_end(digest, hash);
    hex_encode(s->verdict->sha256, hash, sizeof hash);
    s->verdict->size = s->left;
    return lseek(s->file, 0, SEEK_SET) < 0 ? fail(why, ACCORD_EIO, "cannot rewind %s", s->question->path) : 0;
}

static int open_file(struct inspection *s, struct reason *why)
{
    s->file = open(s->question->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    if (s->file < 0 || fstat(s->file, &st) < 0)
        return fail(why, error_from_errno(errno), "cannot open %s: %s", s->question->path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return fail(why, ACCORD_EINVAL, "%s is not a regular file", s->question->path);
    return measure(s, why);
}

/* ---- the talk with the child ---- */

static int say(struct inspection *s, struct buf *frames, struct reason *why)
{
    ssize_t n = frames->failed ? -1 : send(s->channel, frames->data, frames->size, MSG_NOSIGNAL);
    buf_fini(frames);
    return n < 0 ? fail(why, ACCORD_EIO, "the inspecting process cannot be reached: %s", strerror(errno)) : 0;
}

static int say_setup(struct inspection *s, struct reason *why)
{
    const struct inspect_question *q = s->question;
    struct accord_pair folders[WIRE_PAIRS_MAX];
    size_t folder_count =
        conf_options_folders(q->plugin->options, q->options, q->option_count, folders, 0, WIRE_PAIRS_MAX);
    char folder[512];
    struct buf out = {0};
    text_copy(folder, sizeof folder, q->plugin->path);
    wire_put_SETUP(&out, &(struct wire_SETUP){.version = WIRE_VERSION,
                                              .role = "inspect",
                                              .agreement = q->agreement,
                                              .plugins = dirname(folder),
                                              .folders = WIRE_PAIRS(folders, folder_count)});
    wire_put_LOAD(&out, &(struct wire_LOAD){q->plugin->path, q->plugin->sha256});
    wire_put_LINK(&out, &(struct wire_LINK){.link = 0, .name = "file", .connector = "dir", .tunnel = "none"});
    wire_put_SERVICE(&out, &(struct wire_SERVICE){.service = 0,
                                                  .link = 0,
                                                  .name = "file",
                                                  .type = q->type,
                                                  .direction = ACCORD_SEND,
                                                  .max_size = INT64_MAX});
    wire_put_MODULE(&out, &(struct wire_MODULE){.module = 0,
                                                .name = q->plugin->name,
                                                .from = 0,
                                                .until = INT64_MAX,
                                                .options = WIRE_PAIRS(q->options, q->option_count)});
    wire_put_START(&out, &(struct wire_START){0});
    return say(s, &out, why);
}

static int say_judge(struct inspection *s, struct reason *why)
{
    char path[PATH_MAX], name[ACCORD_NAME_MAX];
    struct id id;
    struct buf out = {0};
    text_copy(path, sizeof path, s->question->path);
    text_safe_name(name, sizeof name, basename(path));
    if (id_make(&id, clock_wall()))
        return fail(why, ACCORD_EIO, "the system gives no random bytes");
    wire_put_JUDGE(&out, &(struct wire_JUDGE){.stream = STREAM,
                                              .question = ACCORD_ASK_OUT,
                                              .link = 0,
                                              .service = 0,
                                              .envelope = {.id = id.text,
                                                           .type = s->question->type,
                                                           .name = name,
                                                           .origin = "site/file",
                                                           .source_id = "",
                                                           .time = clock_wall(),
                                                           .size = s->verdict->size,
                                                           .sha256 = s->verdict->sha256}});
    return say(s, &out, why);
}

static int say_pieces(struct inspection *s, int64_t credit, struct reason *why)
{
    int result = 0;
    while (!result && credit > 0 && !s->ended) {
        struct buf out = {0};
        size_t got = 0, most = credit < ACCORD_PIECE_MAX ? (size_t)credit : ACCORD_PIECE_MAX;
        result = read_some(s, (int64_t)most < s->left ? most : (size_t)s->left, &got, why);
        if (!result && !got && s->left)
            result = fail(why, ACCORD_ESTATE, "%s became shorter while it was read", s->question->path);
        if (result)
            break;
        s->left -= (int64_t)got;
        credit -= (int64_t)got;
        s->ended = s->left == 0;
        wire_put_PIECE(&out, &(struct wire_PIECE){STREAM, s->ended, {s->piece, got}});
        result = say(s, &out, why);
    }
    return result;
}

static void take_verdict(struct inspection *s, const struct wire_VERDICT *said)
{
    s->verdict->answer = (enum accord_answer)said->answer;
    text_copy(s->verdict->rule, sizeof s->verdict->rule, said->rule);
    text_copy(s->verdict->reason, sizeof s->verdict->reason, said->reason);
    s->judged = true;
}

static int take(struct inspection *s, const struct wire_message *message, struct reason *why)
{
    switch (message->type) {
    case WIRE_SANDBOXED:
    case WIRE_LOG:
    case WIRE_METRIC:
    case WIRE_INCIDENT:
        return 0;
    case WIRE_READY:
        return say_judge(s, why);
    case WIRE_PULL:
        return say_pieces(s, message->PULL.bytes, why);
    case WIRE_VERDICT:
        if (message->VERDICT.answer > ACCORD_DEFER)
            return fail(why, ACCORD_EPROTO, "the inspecting process gave a verdict that does not exist");
        take_verdict(s, &message->VERDICT);
        return 0;
    case WIRE_FAILED:
        return fail(why, ACCORD_ESTATE, "the inspecting process could not start: %.300s [%.60s]",
                    message->FAILED.reason, message->FAILED.rule);
    default:
        return fail(why, ACCORD_EPROTO, "the inspecting process said %s", wire_type_name(message->type));
    }
}

static int hear(struct inspection *s, struct wire_bytes *bytes, struct reason *why)
{
    ssize_t n;
    do
        n = recv(s->channel, s->datagram, WIRE_DATAGRAM_MAX, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return fail(why, ACCORD_ETIMEOUT, "the inspecting process said nothing for %d s", PATIENCE);
    if (n <= 0)
        return fail(why, ACCORD_EPROTO,
                    "the inspecting process died over this file: the hub would quarantine it as "
                    "inspect-crashed");
    *bytes = (struct wire_bytes){s->datagram, (size_t)n};
    return 0;
}

static int converse(struct inspection *s, struct reason *why)
{
    struct timeval patience = {.tv_sec = PATIENCE};
    setsockopt(s->channel, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(s->channel, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    int result = say_setup(s, why);
    while (!result && !s->judged) {
        struct wire_bytes bytes = {0};
        struct wire_message message;
        result = hear(s, &bytes, why);
        while (!result && bytes.size && !s->judged) {
            result = wire_decode(&bytes, WIRE_P, &message, why);
            if (!result)
                result = take(s, &message, why);
        }
    }
    return result;
}

int inspect_file(const struct inspect_question *question, struct inspect_verdict *verdict, struct reason *why)
{
    struct inspection s = {.question = question,
                           .verdict = verdict,
                           .channel = -1,
                           .file = -1,
                           .datagram = malloc(WIRE_DATAGRAM_MAX),
                           .piece = malloc(ACCORD_PIECE_MAX)};
    pid_t pid = 0;
    *verdict = (struct inspect_verdict){0};
    int result = s.datagram && s.piece ? open_file(&s, why) : fail(why, ACCORD_ENOMEM, "out of memory");
    if (!result)
        result = spawn_child(question->daemon, "inspect", question->agreement, &pid, &s.channel, why);
    if (!result) {
        result = converse(&s, why);
        close(s.channel);
        spawn_end(pid, result ? 0 : END_MS);
    }
    if (s.file >= 0)
        close(s.file);
    free(s.datagram);
    free(s.piece);
    return result;
}
