#include "client.h"

#include <accord/base.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void client_fini(struct client *client)
{
    outbox_fini(&client->outbox);
    free(client->inbox);
    memset(client, 0, sizeof *client);
}

uint32_t client_ask(struct client *client, client_reply_fn run, void *arg, uint32_t note)
{
    if (client->waiting == CLIENT_SLOTS) {
        client->overrun = true;
        return UINT32_MAX;
    }
    while (client->slots[client->next].busy)
        client->next = (client->next + 1) % CLIENT_SLOTS;
    struct client_slot *slot = &client->slots[client->next];
    *slot = (struct client_slot){.busy = true, .run = run, .arg = arg, .note = note};
    slot->turn = ++client->turn % (UINT32_MAX / CLIENT_SLOTS);
    client->waiting++;
    return slot->turn * CLIENT_SLOTS + client->next;
}

void client_forget(struct client *client, const void *arg)
{
    for (uint32_t i = 0; i < CLIENT_SLOTS; i++)
        if (client->slots[i].arg == arg)
            client->slots[i].run = NULL;
}

static int keep(struct client *client, const uint8_t *bytes, size_t size)
{
    if (client->in_size + size > client->in_capacity) {
        size_t capacity = client->in_size + size + 4096;
        uint8_t *inbox = realloc(client->inbox, capacity);
        if (!inbox)
            return ACCORD_ENOMEM;
        client->inbox = inbox;
        client->in_capacity = capacity;
    }
    memcpy(client->inbox + client->in_size, bytes, size);
    client->in_size += size;
    return ACCORD_OK;
}

/* A server that gives none keeps to what every one takes. */
static void take_limits(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct client *client = arg;
    struct sftp_limits limits;
    (void)note;
    if (sftp_get_limits(reply, &limits))
        client->limits = limits;
}

/* OpenSSH's packets hold 1024 bytes more than the payload that its limits name. */
static uint32_t payload_size(const struct client *client, uint64_t limit)
{
    const uint64_t most = SFTP_REPLY_MAX - 1024, least = 1024;
    uint64_t packet = client->limits.packet > 1024 ? client->limits.packet - 1024 : 0;
    if (limit == 0)
        limit = SFTP_CHUNK;
    if (packet > 0 && limit > packet)
        limit = packet;
    return (uint32_t)(limit > most ? most : limit < least ? least : limit);
}

uint32_t client_write_size(const struct client *client)
{
    return payload_size(client, client->limits.write);
}

uint32_t client_read_size(const struct client *client)
{
    return payload_size(client, client->limits.read);
}

static int greet(struct client *client, const struct sftp_reply *reply, char *why, size_t why_size)
{
    if (client->greeted || reply->version < 3) {
        snprintf(why, why_size, "the partner speaks version %u of SFTP; 3 is needed", reply->version);
        return ACCORD_EPROTO;
    }
    client->greeted = true;
    client->extensions = reply->extensions;
    if (client->extensions & SFTP_EXT_LIMITS)
        sftp_put_limits(&client->outbox, client_ask(client, take_limits, client, 0));
    return ACCORD_OK;
}

static int dispatch(struct client *client, const uint8_t *bytes, size_t size, char *why, size_t why_size)
{
    struct sftp_reply reply;
    if (sftp_decode(bytes, size, &reply) < 0) {
        snprintf(why, why_size, "the partner sent a reply that is not SFTP (type %u, %zu bytes)", bytes[0],
                 size);
        return ACCORD_EPROTO;
    }
    if (reply.type == SFTP_VERSION)
        return greet(client, &reply, why, why_size);
    struct client_slot *slot = &client->slots[reply.id % CLIENT_SLOTS];
    if (!slot->busy || slot->turn != reply.id / CLIENT_SLOTS) {
        snprintf(why, why_size, "the partner answered a request that was not made (%u)", reply.id);
        return ACCORD_EPROTO;
    }
    client_reply_fn run = slot->run;
    slot->busy = false;
    slot->run = NULL;
    client->waiting--;
    if (run)
        run(slot->arg, slot->note, &reply);
    else if (reply.type == SFTP_HANDLE)
        sftp_put_close(&client->outbox, client_ask(client, NULL, NULL, 0), &reply.handle);
    return ACCORD_OK;
}

int client_feed(struct client *client, const uint8_t *bytes, size_t size, const bool *stop, char *why,
                size_t why_size)
{
    int result = keep(client, bytes, size);
    if (result < 0)
        snprintf(why, why_size, "out of memory");
    size_t at = 0;
    while (result == 0 && !*stop) {
        size_t length;
        int whole = sftp_frame(client->inbox + at, client->in_size - at, &length);
        if (whole < 0) {
            snprintf(why, why_size, "the partner sent a reply of %zu bytes, which SFTP does not allow",
                     length);
            return whole;
        }
        if (!whole)
            break;
        result = dispatch(client, client->inbox + at + 4, length, why, why_size);
        at += 4 + length;
    }
    if (at)
        memmove(client->inbox, client->inbox + at, client->in_size - at);
    client->in_size -= at;
    return result;
}
