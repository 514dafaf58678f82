/* Goes on where an interrupted attempt stopped: docs/decisions says why here and not later.
 *
 * When the write that made the file as long as it is went out, no more than SFTP_WINDOW was unacknowledged: what lies
 * further back than that, the partner said it had, in whatever order it works. The end of it is read back all the same,
 * or all of it, and compared with our own bytes, which pass by on their way to the hash of the whole. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "upload.h"

#define TAIL (1 << 20)

struct resume {
    int64_t from, point; /* what is compared: [from, point); sending begins at `point`, 0: not known yet */
    struct readback *readback;
    EVP_MD_CTX *digest; /* of our bytes there */
    char ours[65], theirs[65];
};

bool resume_wanted(const struct upload *upload)
{
    return upload->service->resume != RESUME_NO && upload->out->attempt > 1 &&
           upload->out->envelope->size > SFTP_WINDOW + ACCORD_PIECE_MAX;
}

void resume_free(struct resume *resume)
{
    if (!resume)
        return;
    readback_free(resume->readback);
    EVP_MD_CTX_free(resume->digest);
    free(resume);
}

int64_t resume_end(const struct resume *resume)
{
    return resume->point;
}

/* Without what is there: all of it is sent, over it. */
static void begin_anew(struct upload *upload)
{
    resume_free(upload->resume);
    upload->resume = NULL;
    flow_begin(upload);
}

static void conclude(struct upload *upload)
{
    struct resume *resume = upload->resume;
    if (!resume->ours[0] || !resume->theirs[0])
        return;
    if (strcmp(resume->ours, resume->theirs) != 0) {
        upload_give_up(
            upload, ACCORD_RETRY,
            "what an earlier attempt left in %.200s is not what was sent; it is removed, and all is sent "
            "again",
            upload->temporary);
        return;
    }
    upload->resumed_at = resume->point;
    link_log(upload->link, ACCORD_INFO, "sftp.resumed", "%s goes on at byte %" PRId64 " of %" PRId64,
             upload->out->envelope->id, resume->point, upload->out->envelope->size);
    begin_anew(upload);
}

static void on_read(void *arg, const char *hash, const char *reason)
{
    struct upload *upload = arg;
    if (hash) {
        memcpy(upload->resume->theirs, hash, 65);
        conclude(upload);
    } else {
        upload_give_up(upload, ACCORD_RETRY,
                       "what an earlier attempt left in %.200s cannot be read back (%.200s)",
                       upload->temporary, reason);
    }
}

void resume_take(struct upload *upload, const uint8_t *bytes, size_t size)
{
    struct resume *resume = upload->resume;
    int64_t begins = upload->given - (int64_t)size, skipped = 0;
    if (begins < resume->from)
        skipped = resume->from - begins < (int64_t)size ? resume->from - begins : (int64_t)size;
    EVP_DigestUpdate(resume->digest, bytes + skipped, size - (size_t)skipped);
    upload->offset += (int64_t)size;
    flow_acknowledge(upload, (int64_t)size);
    if (upload->given == resume->point && sha256_text(resume->digest, resume->ours))
        conclude(upload);
}

static bool compare_from(struct upload *upload, int64_t point)
{
    struct resume *resume = upload->resume;
    bool all = upload->service->resume == RESUME_VERIFIED || point < TAIL;
    resume->from = all ? 0 : point - TAIL;
    resume->point = point;
    resume->digest = EVP_MD_CTX_new();
    resume->readback = readback_new(upload_client(upload), upload->link->sha256, &upload->handle,
                                    resume->from, point, on_read, upload);
    return resume->readback && resume->digest &&
           EVP_DigestInit_ex(resume->digest, upload->link->sha256, NULL) == 1;
}

static void on_sized(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct upload *upload = arg;
    uint64_t size = reply->attrs.size, ours = (uint64_t)upload->out->envelope->size;
    (void)note;
    if (reply->type != SFTP_ATTRS) {
        upload_refused(upload, "size", upload->temporary, reply);
        return;
    }
    if ((reply->attrs.flags & SFTP_ATTR_SIZE) && size > ours)
        upload_give_up(
            upload, ACCORD_RETRY,
            "what an earlier attempt left in %.200s is longer than the message; it is removed, and all is "
            "sent again",
            upload->temporary);
    else if (!(reply->attrs.flags & SFTP_ATTR_SIZE) || size < SFTP_WINDOW + ACCORD_PIECE_MAX)
        begin_anew(upload);
    else if (!compare_from(upload, (int64_t)((size - SFTP_WINDOW) / ACCORD_PIECE_MAX * ACCORD_PIECE_MAX)))
        upload_give_up(upload, ACCORD_RETRY, "out of memory");
}

void resume_begin(struct upload *upload)
{
    struct client *client = upload_client(upload);
    upload->state = UPLOAD_RESUMING;
    upload->resume = calloc(1, sizeof *upload->resume);
    if (upload->resume)
        sftp_put_fstat(&client->outbox, client_ask(client, on_sized, upload, 0), &upload->handle);
    else
        upload_give_up(upload, ACCORD_RETRY, "out of memory");
}
