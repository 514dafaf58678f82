/* The blocks of a feed on their way to the bus: read into memory, named by their content, offered in order, handed over as
 * the host asks. A block of up to BLOCK_WHOLE bytes is offered when it is whole and another one has begun, or when the
 * part has ended: the last of a part carries the cursor. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feed.h"

static const struct accord_host *host_of(const struct feed *feed)
{
    return feed->link->host;
}

/* ---- memory ---- */

static void drop_bytes(struct block *block)
{
    struct feed *feed = block->feed;
    feed->bytes -= (int64_t)(block->size - block->from);
    if (block->bytes && feed->spares < FEED_SPARE && feed->rooms <= FEED_HELD) {
        feed->spare[feed->spares].bytes = block->bytes;
        feed->spare[feed->spares++].room = block->room;
    } else {
        feed->rooms -= block->room;
        free(block->bytes);
    }
    block->bytes = NULL;
    block->from = block->size = block->room = 0;
}

static void take_spare(struct block *block)
{
    struct feed *feed = block->feed;
    if (!feed->spares)
        return;
    block->bytes = feed->spare[--feed->spares].bytes;
    block->room = feed->spare[feed->spares].room;
}

static void free_spares(struct feed *feed)
{
    while (feed->spares) {
        free(feed->spare[--feed->spares].bytes);
        feed->rooms -= feed->spare[feed->spares].room;
    }
}

static bool make_room(struct block *block, size_t more)
{
    if (!block->bytes)
        take_spare(block);
    if (block->from && block->from >= block->size / 2) {
        memmove(block->bytes, block->bytes + block->from, block->size - block->from);
        block->size -= block->from;
        block->from = 0;
    }
    size_t room = block->room ? block->room : 16384;
    while (room < block->size + more)
        room *= 2;
    uint8_t *bytes = room == block->room ? block->bytes : realloc(block->bytes, room);
    if (!bytes)
        return false;
    block->feed->rooms += room - block->room;
    block->bytes = bytes;
    block->room = room;
    return true;
}

/* ---- the line of blocks ---- */

static void free_block(struct block *block)
{
    drop_bytes(block);
    fingerprint_drop(&block->print);
    free(block);
}

static struct block *add(struct feed *feed)
{
    struct block *block = calloc(1, sizeof *block);
    if (!block)
        return NULL;
    block->feed = feed;
    *feed->last = block;
    feed->last = &block->next;
    return block;
}

void blocks_tidy(struct feed *feed)
{
    if (!feed->blocks && !exchange_runs(&feed->exchange))
        free_spares(feed);
}

/* Those in front that are over are let go, and where they lead to is held. */
static void pop(struct feed *feed)
{
    while (feed->blocks && feed->blocks->over && feed->blocks != feed->current) {
        struct block *block = feed->blocks;
        if (block->has_then)
            feed->held = block->then;
        feed->blocks = block->next;
        if (!feed->blocks)
            feed->last = &feed->blocks;
        free_block(block);
    }
    blocks_tidy(feed);
}

/* ---- reading ---- */

static void name_it(struct block *block)
{
    char print[FINGERPRINT_TEXT];
    if (block->source_id[0] || !fingerprint_end(&block->print, print))
        return;
    snprintf(block->source_id, sizeof block->source_id, "%s:%s", block->large ? "prefix" : "content", print);
    for (const char *c = block->source_id; *c; c++) /* FNV-1a */
        block->feed->digest = (block->feed->digest ^ (uint8_t)*c) * UINT64_C(1099511628211);
}

bool blocks_begin(struct feed *feed, const struct answer_block *from)
{
    struct block *block = add(feed);
    if (!block)
        return false;
    feed->current = block;
    feed->came++;
    snprintf(block->binding, sizeof block->binding, "%s", from->binding);
    snprintf(block->subtype, sizeof block->subtype, "%s", from->subtype);
    if (!fingerprint_begin(&block->print, feed->print))
        return false;
    blocks_offer(feed); /* the one before is not the last of its part */
    return true;
}

static bool print_more(struct block *block, const uint8_t *bytes, size_t size)
{
    int64_t left = BLOCK_WHOLE - block->total;
    return block->large || left <= 0 ||
           fingerprint_add(&block->print, bytes, size < (size_t)left ? size : (size_t)left);
}

static bool write_more(struct block *);

bool blocks_content(struct feed *feed, const uint8_t *bytes, size_t size)
{
    struct block *block = feed->current;
    if (!block || block->over)
        return true; /* it is not wanted */
    if (!print_more(block, bytes, size) || !make_room(block, size))
        return false;
    memcpy(block->bytes + block->size, bytes, size);
    block->size += size;
    block->total += (int64_t)size;
    feed->bytes += (int64_t)size;
    if (!block->large && block->total > BLOCK_WHOLE) {
        block->large = true;
        name_it(block);
        blocks_offer(feed);
    } else if (block->offer) {
        write_more(block);
    }
    return true;
}

bool blocks_end(struct feed *feed, const char *label)
{
    struct block *block = feed->current;
    if (!block)
        return true;
    feed->current = NULL;
    block->whole = true;
    snprintf(block->label, sizeof block->label, "%.63s", label);
    name_it(block);
    if (!block->source_id[0])
        return false;
    if (block->offer && !write_more(block))
        return true;
    pop(feed);
    return true;
}

bool blocks_part(struct feed *feed, const struct position *then)
{
    struct block *last = feed->blocks;
    while (last && last->next)
        last = last->next;
    if (!last || last->offered || last->mark || last->over) {
        last = add(feed);
        if (!last)
            return false;
        last->mark = last->whole = true;
    }
    last->has_then = true;
    last->then = *then;
    blocks_offer(feed);
    return true;
}

/* ---- handing over ---- */

/* False: the host did not take it, and the block may be gone. */
static bool write_more(struct block *block)
{
    struct feed *feed = block->feed;
    while (block->offer && !block->written && block->credit > 0) {
        size_t part = block->size - block->from;
        if (part > (size_t)block->credit)
            part = (size_t)block->credit;
        if (part > ACCORD_PIECE_MAX)
            part = ACCORD_PIECE_MAX;
        bool last = block->whole && block->from + part == block->size;
        if (!part && !last)
            break;
        block->written = last;
        block->credit -= (int64_t)part;
        const uint8_t *bytes = block->bytes ? block->bytes + block->from : (const uint8_t *)"";
        if (host_of(feed)->offer_write(block->offer, bytes, part, last) < 0) {
            host_of(feed)->offer_abort(block->offer);
            block->offer = NULL;
            feed->open--;
            feed_again(feed, "the host does not take what was read");
            return false;
        }
        block->from += part;
        feed->bytes -= (int64_t)part;
    }
    if (block->written)
        drop_bytes(block);
    else if (block->from == block->size)
        block->from = block->size = 0;
    return true;
}

void block_pull(struct block *block, int64_t bytes)
{
    struct feed *feed = block->feed;
    block->credit += bytes;
    write_more(block);
    feed_moved(feed);
}

/* ---- offering ---- */

/* "AIS-0123456789abcdef.xml": the same for the same content. */
static void file_name(const struct block *block, char name[ACCORD_NAME_MAX])
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    char collection[64];
    snprintf(collection, sizeof collection, "%.63s", block->feed->options->collection);
    for (char *at = collection; *at; at++)
        if (!strchr(plain, *at) || (at == collection && *at == '.'))
            *at = '_';
    snprintf(name, ACCORD_NAME_MAX, "%s-%.16s.xml", collection, strchr(block->source_id, ':') + 1);
}

static bool offer(struct block *block)
{
    struct feed *feed = block->feed;
    char name[ACCORD_NAME_MAX], cursor[ACCORD_CURSOR_MAX];
    struct accord_pair headers[5] = {{ACCORD_HEADER_CONTENT_TYPE, "application/xml"},
                                     {"taxii-collection", feed->options->collection},
                                     {"taxii-binding", block->binding}};
    size_t count = 3;
    if (block->subtype[0])
        headers[count++] = (struct accord_pair){"taxii-subtype", block->subtype};
    if (block->label[0])
        headers[count++] = (struct accord_pair){"taxii-label", block->label};
    file_name(block, name);
    if (block->has_then)
        position_write(&block->then, cursor);
    const struct accord_incoming message = {.name = name,
                                            .source_id = block->source_id,
                                            .size = block->large ? -1 : block->total,
                                            .headers = headers,
                                            .header_count = count,
                                            .cursor = block->has_then ? cursor : NULL,
                                            .session = feed->session};
    block->offer = host_of(feed)->offer(feed->link->instance, feed->service, &message, block);
    return block->offer != NULL;
}

static void on_committed(void *arg, int result, const char *reason)
{
    struct block *block = arg;
    struct feed *feed = block->feed;
    feed->open--;
    block->over = true;
    block->has_then = block->has_then && result == ACCORD_OK;
    pop(feed);
    if (result != ACCORD_OK && !feed->again)
        feed_again(feed, reason);
    feed_moved(feed);
}

static bool advance(struct block *block)
{
    struct feed *feed = block->feed;
    char cursor[ACCORD_CURSOR_MAX];
    position_write(&block->then, cursor);
    return host_of(feed)->advance(feed->link->instance, feed->service, cursor, on_committed, block) >= 0;
}

/* A whole one waits until it is known whether it is the last of its part. */
static bool may_go(const struct block *block)
{
    return block->mark || block->large || (block->whole && (block->next || block->has_then));
}

void blocks_offer(struct feed *feed)
{
    for (struct block *block = feed->blocks; block && !feed->again && feed->started; block = block->next) {
        if (block->offered)
            continue;
        if (!may_go(block) || feed->open >= FEED_OPEN || (!block->mark && !feed->live))
            return;
        if (block->mark && !advance(block)) {
            feed_again(feed, "the host does not take the cursor");
            return;
        }
        feed->full = !block->mark && !offer(block);
        if (feed->full)
            return;
        block->offered = true;
        feed->open++;
    }
}

bool blocks_wait(const struct feed *feed)
{
    for (const struct block *block = feed->blocks; block; block = block->next)
        if (!block->offered && block->whole)
            return true;
    return false;
}

bool blocks_room(const struct feed *feed)
{
    return !feed->full && feed->open < FEED_OPEN && feed->bytes < FEED_HELD;
}

/* ---- the verdict ---- */

static void tell(const struct block *block, const char *event, const char *what,
                 const struct accord_admitted *admitted)
{
    link_log(block->feed->link, ACCORD_WARNING, event, "a block of %.100s (%s) %s: %.300s [%s]",
             block->feed->options->collection, block->source_id, what, admitted->reason, admitted->rule);
}

void block_verdict(struct block *block, const struct accord_admitted *admitted)
{
    struct feed *feed = block->feed;
    const struct link *link = feed->link;
    block->offer = NULL;
    block->over = admitted->admission != ACCORD_DEFERRED;
    drop_bytes(block);
    feed->open--;
    if (admitted->admission == ACCORD_DEFERRED) {
        feed_again(feed, admitted->reason);
        feed_moved(feed);
        return;
    }
    if (admitted->admission == ACCORD_QUARANTINED)
        tell(block, "taxii.quarantined", "was set aside in quarantine", admitted);
    if (admitted->admission == ACCORD_REJECTED) {
        tell(block, "taxii.rejected", "is not taken, and is left at the partner", admitted);
        link->host->incident(link->instance, "taxii.block-rejected",
                             "a block of a feed was not taken and is passed over: see the log");
    } else {
        link->host->metric(link->instance, "blocks_received", 1);
    }
    feed->last_new = link->host->ticks(link->instance);
    pop(feed);
    feed_moved(feed);
}

/* ---- letting go ---- */

void blocks_cut(struct feed *feed)
{
    struct block **at = &feed->blocks;
    bool gap = false; /* no cursor behind it will be committed */
    feed->current = NULL;
    while (*at) {
        struct block *block = *at;
        block->has_then = block->has_then && !gap;
        if (block->over || (block->offered && block->whole && (block->mark || block->offer))) {
            at = &block->next;
            continue;
        }
        gap = true;
        if (block->offer) {
            host_of(feed)->offer_abort(block->offer);
            feed->open--;
        }
        *at = block->next;
        free_block(block);
    }
    feed->last = at;
    pop(feed);
}

void blocks_clear(struct feed *feed)
{
    feed->current = NULL;
    while (feed->blocks) {
        struct block *block = feed->blocks;
        feed->blocks = block->next;
        if (block->offer)
            host_of(feed)->offer_abort(block->offer);
        free_block(block);
    }
    free_spares(feed);
    feed->last = &feed->blocks;
    feed->open = 0;
}
