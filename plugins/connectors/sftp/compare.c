/* Looks at a file that the partner has already, and compares its size and SHA-256 with the message's. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sftp.h"

struct compare {
    struct client *client;
    const EVP_MD *md;
    compare_fn done;
    void *arg;
    int64_t size;
    char sha256[65];
    bool open;
    struct sftp_handle handle;
    struct readback *readback;
};

void compare_free(struct compare *compare)
{
    if (!compare)
        return;
    client_forget(compare->client, compare);
    readback_free(compare->readback);
    if (compare->open)
        sftp_put_close(&compare->client->outbox, client_ask(compare->client, NULL, NULL, 0),
                       &compare->handle);
    free(compare);
}

/* The owner frees the comparison in `done`: nothing may be touched after this. */
static void fail_on(struct compare *compare, const char *what, const struct sftp_reply *reply)
{
    char text[384], words[24];
    snprintf(text, sizeof text, "%s: %s %s", what,
             reply->type == SFTP_STATUS ? sftp_status_text(reply->status, words) : "not the answer to this",
             reply->message);
    compare->done(compare->arg, ACCORD_ENET, text);
}

static void on_read(void *arg, const char *hash, const char *reason)
{
    struct compare *compare = arg;
    bool equal = hash && strcmp(hash, compare->sha256) == 0;
    if (hash)
        compare->done(compare->arg, equal, equal ? "" : "same size, other SHA-256");
    else
        compare->done(compare->arg, ACCORD_ENET, reason);
}

/* The SHA-256 of nothing needs no reading. */
static void conclude_empty(struct compare *compare)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    char text[65] = "";
    if (digest && EVP_DigestInit_ex(digest, compare->md, NULL) == 1)
        sha256_text(digest, text);
    EVP_MD_CTX_free(digest);
    on_read(compare, text, "");
}

static void on_sized(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct compare *compare = arg;
    char text[128];
    (void)note;
    if (reply->type != SFTP_ATTRS || !(reply->attrs.flags & SFTP_ATTR_SIZE)) {
        fail_on(compare, "size", reply);
        return;
    }
    if (reply->attrs.size != (uint64_t)compare->size) {
        snprintf(text, sizeof text, "%" PRIu64 " bytes there, %" PRId64 " here", reply->attrs.size,
                 compare->size);
        compare->done(compare->arg, 0, text);
        return;
    }
    if (compare->size == 0) {
        conclude_empty(compare);
        return;
    }
    compare->readback =
        readback_new(compare->client, compare->md, &compare->handle, 0, compare->size, on_read, compare);
    if (!compare->readback)
        compare->done(compare->arg, ACCORD_ENOMEM, "out of memory");
}

static void on_opened(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct compare *compare = arg;
    (void)note;
    if (reply->type != SFTP_HANDLE) {
        fail_on(compare, "open", reply);
        return;
    }
    compare->handle = reply->handle;
    compare->open = true;
    sftp_put_fstat(&compare->client->outbox, client_ask(compare->client, on_sized, compare, 0),
                   &compare->handle);
}

struct compare *compare_new(struct client *client, const EVP_MD *md, const char *path, int64_t size,
                            const char *sha256, compare_fn done, void *arg)
{
    struct compare *compare = calloc(1, sizeof *compare);
    if (!compare)
        return NULL;
    *compare = (struct compare){.client = client, .md = md, .done = done, .arg = arg, .size = size};
    snprintf(compare->sha256, sizeof compare->sha256, "%s", sha256);
    sftp_put_open(&client->outbox, client_ask(client, on_opened, compare, 0), path, SFTP_OPEN_READ, -1);
    return compare;
}
