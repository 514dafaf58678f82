/* Reads a stretch of a file at the partner, several requests at a time, and hashes it in order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sftp.h"

#define READS 16 /* under way at once */

struct part {
    uint8_t *bytes;
    uint32_t size, got;
};

struct readback {
    struct client *client;
    readback_fn done;
    void *arg;
    struct sftp_handle handle;
    EVP_MD_CTX *digest;
    uint32_t part_size;
    int64_t from, to;
    int64_t asked, hashed;    /* offsets */
    struct part parts[READS]; /* asked for, not hashed: part number modulo READS */
};

bool sha256_text(EVP_MD_CTX *digest, char text[65])
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    text[0] = '\0';
    if (!digest || EVP_DigestFinal_ex(digest, hash, &size) != 1 || size != 32)
        return false;
    for (unsigned i = 0; i < size; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    return true;
}

void readback_free(struct readback *readback)
{
    if (!readback)
        return;
    client_forget(readback->client, readback);
    for (int i = 0; i < READS; i++)
        free(readback->parts[i].bytes);
    EVP_MD_CTX_free(readback->digest);
    free(readback);
}

/* The owner may free it in `done`: nothing may be touched after this. */
static void fail(struct readback *readback, const char *reason)
{
    client_forget(readback->client, readback);
    readback->done(readback->arg, NULL, reason);
}

static void conclude(struct readback *readback)
{
    char text[65];
    if (sha256_text(readback->digest, text))
        readback->done(readback->arg, text, "");
    else
        fail(readback, "SHA-256 cannot be had");
}

static void hash_in_order(struct readback *readback)
{
    while (readback->hashed < readback->to) {
        struct part *part =
            &readback->parts[(readback->hashed - readback->from) / readback->part_size % READS];
        if (!part->bytes || part->got < part->size)
            break;
        EVP_DigestUpdate(readback->digest, part->bytes, part->size);
        readback->hashed += part->size;
        free(part->bytes);
        *part = (struct part){0};
    }
}

static void on_part(void *arg, uint32_t number, struct sftp_reply *reply);

static void ask(struct readback *readback, uint32_t number)
{
    const struct part *part = &readback->parts[number % READS];
    uint64_t offset = (uint64_t)readback->from + (uint64_t)number * readback->part_size + part->got;
    sftp_put_read(&readback->client->outbox, client_ask(readback->client, on_part, readback, number),
                  &readback->handle, offset, part->size - part->got);
}

static bool ask_parts(struct readback *readback)
{
    while (readback->asked < readback->to &&
           readback->asked - readback->hashed < (int64_t)READS * readback->part_size) {
        uint32_t number = (uint32_t)((readback->asked - readback->from) / readback->part_size);
        struct part *part = &readback->parts[number % READS];
        int64_t left = readback->to - readback->asked;
        if (part->bytes)
            break; /* its turn to be hashed has not come */
        part->size = left < readback->part_size ? (uint32_t)left : readback->part_size;
        part->got = 0;
        part->bytes = malloc(part->size);
        if (!part->bytes)
            return false;
        ask(readback, number);
        readback->asked += part->size;
    }
    return true;
}

/* Less than was asked for is in order (section 6.4 allows it); nothing at all means that the file is shorter now. */
static void on_part(void *arg, uint32_t number, struct sftp_reply *reply)
{
    struct readback *readback = arg;
    struct part *part = &readback->parts[number % READS];
    char reason[384], words[24];
    if (reply->type != SFTP_DATA) {
        snprintf(reason, sizeof reason, "read: %s %s",
                 reply->type == SFTP_STATUS ? sftp_status_text(reply->status, words)
                                            : "not the answer to this",
                 reply->message);
        fail(readback, reason);
        return;
    }
    if (reply->data.size == 0 || reply->data.size > part->size - part->got) {
        fail(readback, "it changed while it was read");
        return;
    }
    memcpy(part->bytes + part->got, reply->data.bytes, reply->data.size);
    part->got += (uint32_t)reply->data.size;
    if (part->got < part->size)
        ask(readback, number);
    hash_in_order(readback);
    if (readback->hashed == readback->to)
        conclude(readback);
    else if (!ask_parts(readback))
        fail(readback, "out of memory");
}

struct readback *readback_new(struct client *client, const EVP_MD *sha256, const struct sftp_handle *handle,
                              int64_t from, int64_t to, readback_fn done, void *arg)
{
    struct readback *readback = calloc(1, sizeof *readback);
    if (!readback)
        return NULL;
    *readback = (struct readback){.client = client,
                                  .done = done,
                                  .arg = arg,
                                  .handle = *handle,
                                  .digest = EVP_MD_CTX_new(),
                                  .part_size = client_read_size(client),
                                  .from = from,
                                  .to = to,
                                  .asked = from,
                                  .hashed = from};
    if (!readback->digest || EVP_DigestInit_ex(readback->digest, sha256, NULL) != 1 || !ask_parts(readback)) {
        readback_free(readback);
        return NULL;
    }
    return readback;
}
