/* client_submit: one file, offered over the control socket as a connector would offer it. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/client.h"
#include "util/text.h"

#define OFFER_NUMBER 1 /* one offer for each connection */

struct submission {
    struct client *client;
    int fd;
    const char *path;
    int64_t left;   /* bytes of the file not yet sent */
    int64_t credit; /* bytes that the agent asked for */
    bool ended;     /* the last piece was sent */
    uint8_t *piece;
};

static int open_file(struct submission *s, struct reason *why)
{
    s->fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    if (s->fd < 0 || fstat(s->fd, &st) < 0)
        return fail(why, error_from_errno(errno), "cannot open %s: %s", s->path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return fail(why, ACCORD_EINVAL, "%s is not a regular file", s->path);
    s->left = st.st_size;
    return 0;
}

static int offer(struct submission *s, const char *route, struct reason *why)
{
    char path[PATH_MAX];
    text_copy(path, sizeof path, s->path);
    struct buf frame = {0};
    wire_put_OFFER(&frame, &(struct wire_OFFER){.offer = OFFER_NUMBER,
                                                .service = WIRE_NONE,
                                                .route = route,
                                                .name = basename(path),
                                                .source_id = "",
                                                .size = s->left});
    int result = client_send(s->client, &frame, why);
    buf_fini(&frame);
    return result;
}

/* A file that changes under our hands is not offered to its end: closing the connection withdraws the offer. */
static int read_piece(struct submission *s, size_t want, struct reason *why)
{
    for (size_t got = 0; got < want;) {
        ssize_t n = read(s->fd, s->piece + got, want - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(why, error_from_errno(errno), "cannot read %s: %s", s->path, strerror(errno));
        if (n == 0)
            return fail(why, ACCORD_ESTATE, "%s became shorter while it was read; nothing was submitted",
                        s->path);
        got += (size_t)n;
    }
    return 0;
}

static int send_pieces(struct submission *s, struct reason *why)
{
    struct buf frame = {0};
    int result = 0;
    while (!result && s->credit > 0 && !s->ended) {
        int64_t most = s->credit < ACCORD_PIECE_MAX ? s->credit : ACCORD_PIECE_MAX;
        size_t size = (size_t)(s->left < most ? s->left : most);
        result = read_piece(s, size, why);
        if (result)
            break;
        s->left -= (int64_t)size;
        s->credit -= (int64_t)size;
        s->ended = s->left == 0;
        buf_clear(&frame);
        wire_put_OFFER_DATA(&frame, &(struct wire_OFFER_DATA){OFFER_NUMBER, s->ended, {s->piece, size}});
        result = client_send(s->client, &frame, why);
    }
    buf_fini(&frame);
    return result;
}

static void take_verdict(struct client_verdict *verdict, const struct wire_OFFER_DONE *done)
{
    verdict->admission = (enum accord_admission)done->admission;
    text_copy(verdict->id, sizeof verdict->id, done->id);
    text_copy(verdict->rule, sizeof verdict->rule, done->rule);
    text_copy(verdict->reason, sizeof verdict->reason, done->reason);
}

/* Credit adds up, but never past what a file can need. */
static int serve_pull(struct submission *s, const struct wire_OFFER_PULL *pull, struct reason *why)
{
    if (pull->bytes < 0 || pull->bytes > INT64_MAX - s->credit)
        return fail(why, ACCORD_EPROTO, "the agent asked for an impossible number of bytes");
    s->credit += pull->bytes;
    return send_pieces(s, why);
}

static int converse(struct submission *s, struct client_verdict *verdict, struct reason *why)
{
    struct wire_message message;
    for (;;) {
        int result = client_next(s->client, &message, why);
        if (result)
            return result;
        switch (message.type) {
        case WIRE_OFFER_PULL:
            result = serve_pull(s, &message.OFFER_PULL, why);
            if (result && result != ACCORD_ENET) /* hung up: its verdict may be waiting to be read */
                return result;
            break;
        case WIRE_OFFER_DONE:
            if (message.OFFER_DONE.admission > ACCORD_REJECTED)
                return fail(why, ACCORD_EPROTO, "the agent gave a verdict that this command does not know");
            take_verdict(verdict, &message.OFFER_DONE);
            return 0;
        case WIRE_END: /* refused before it became an offer: no such service, not this user */
            return fail(why, ACCORD_EDENIED, "%.*s", ACCORD_REASON_MAX - 1, message.END.line);
        default:
            return fail(why, ACCORD_EPROTO, "the agent answered an offer with %s",
                        wire_type_name(message.type));
        }
    }
}

int client_submit(struct client *client, const char *route, const char *path, struct client_verdict *verdict,
                  struct reason *why)
{
    struct submission s = {.client = client, .fd = -1, .path = path, .piece = malloc(ACCORD_PIECE_MAX)};
    int result = s.piece ? open_file(&s, why) : fail(why, ACCORD_ENOMEM, "out of memory");
    if (!result)
        result = offer(&s, route, why);
    if (!result)
        result = converse(&s, verdict, why);
    if (s.fd >= 0)
        close(s.fd);
    free(s.piece);
    return result;
}
