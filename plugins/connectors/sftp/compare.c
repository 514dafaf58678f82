/* Reads a file that the partner has already, and compares its size and SHA-256 with the message's. */
#include "sftp.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READS 16 /* under way at once */

struct compare {
    struct client *client;
    compare_fn done;
    void *arg;
    int64_t size;
    char sha256[65];
    EVP_MD_CTX *digest;
    bool open;
    struct sftp_handle handle;
    int64_t asked;  /* offset of the next READ */
    int64_t hashed; /* bytes so far, in order */
    struct {
        uint8_t *bytes; /* answers that came before their turn, or as they are due */
        uint32_t size;
    } parts[READS];
};

static void ask_parts(struct compare *compare);

void compare_free(struct compare *compare)
{
    if (!compare)
        return;
    client_forget(compare->client, compare);
    if (compare->open)
        sftp_put_close(&compare->client->outbox, client_ask(compare->client, NULL, NULL, 0),
                       &compare->handle);
    for (int i = 0; i < READS; i++)
        free(compare->parts[i].bytes);
    EVP_MD_CTX_free(compare->digest);
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

static void conclude(struct compare *compare)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    char text[2 * EVP_MAX_MD_SIZE + 1] = "";
    if (EVP_DigestFinal_ex(compare->digest, hash, &size) != 1)
        size = 0;
    for (unsigned i = 0; i < size; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    bool equal = size > 0 && strcmp(text, compare->sha256) == 0;
    compare->done(compare->arg, equal, equal ? "" : "same size, other SHA-256");
}

static void hash_in_order(struct compare *compare)
{
    while (compare->hashed < compare->size) {
        size_t i = (size_t)(compare->hashed / SFTP_CHUNK) % READS;
        if (!compare->parts[i].bytes)
            break;
        EVP_DigestUpdate(compare->digest, compare->parts[i].bytes, compare->parts[i].size);
        compare->hashed += compare->parts[i].size;
        free(compare->parts[i].bytes);
        compare->parts[i].bytes = NULL;
    }
}

/* `note` is the part's number; a READ may be answered with less than it asked for only at the end of the file
 * (OpenSSH and every other server of regular files keeps to that), so that short means changed. */
static void on_part(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct compare *compare = arg;
    int64_t offset = (int64_t)note * SFTP_CHUNK;
    int64_t left = compare->size - offset;
    size_t due = (size_t)(left < SFTP_CHUNK ? left : SFTP_CHUNK);
    if (reply->type != SFTP_DATA) {
        fail_on(compare, "read", reply);
        return;
    }
    if (reply->data.size != due) {
        compare->done(compare->arg, ACCORD_ENET, "it changed while it was read");
        return;
    }
    uint8_t *bytes = malloc(due);
    if (!bytes) {
        compare->done(compare->arg, ACCORD_ENOMEM, "out of memory");
        return;
    }
    memcpy(bytes, reply->data.bytes, due);
    compare->parts[note % READS].bytes = bytes;
    compare->parts[note % READS].size = (uint32_t)due;
    hash_in_order(compare);
    if (compare->hashed == compare->size)
        conclude(compare);
    else
        ask_parts(compare);
}

static void ask_parts(struct compare *compare)
{
    while (compare->asked < compare->size && compare->asked - compare->hashed < (int64_t)READS * SFTP_CHUNK) {
        int64_t left = compare->size - compare->asked;
        uint32_t size = left < SFTP_CHUNK ? (uint32_t)left : SFTP_CHUNK;
        uint32_t id = client_ask(compare->client, on_part, compare, (uint32_t)(compare->asked / SFTP_CHUNK));
        sftp_put_read(&compare->client->outbox, id, &compare->handle, (uint64_t)compare->asked, size);
        compare->asked += size;
    }
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
    } else if (compare->size == 0) {
        conclude(compare);
    } else {
        ask_parts(compare);
    }
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

struct compare *compare_new(struct client *client, const char *path, int64_t size, const char *sha256,
                            compare_fn done, void *arg)
{
    struct compare *compare = calloc(1, sizeof *compare);
    if (!compare)
        return NULL;
    compare->client = client;
    compare->done = done;
    compare->arg = arg;
    compare->size = size;
    snprintf(compare->sha256, sizeof compare->sha256, "%s", sha256);
    compare->digest = EVP_MD_CTX_new();
    if (!compare->digest || EVP_DigestInit_ex(compare->digest, EVP_sha256(), NULL) != 1) {
        compare_free(compare);
        return NULL;
    }
    sftp_put_open(&client->outbox, client_ask(client, on_opened, compare, 0), path, SFTP_OPEN_READ, -1);
    return compare;
}
