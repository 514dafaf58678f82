#include "mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_id(const char *text, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return size == FOUND_ID - 1 && strspn(text, digits) >= size;
}

bool mark_read(struct mark *mark, const char *text)
{
    char *end;
    *mark = (struct mark){0};
    if (!*text)
        return true;
    if (strncmp(text, "1 ", 2) != 0 || text[2] < '0' || text[2] > '9')
        return false;
    unsigned long long modified = strtoull(text + 2, &end, 10);
    if (modified > UINT32_MAX)
        return false;
    struct mark read = {.any = true, .modified = (uint32_t)modified};
    while (*end == ' ') {
        const char *id = end + 1;
        size_t size = strcspn(id, " ");
        if (!is_id(id, size) || read.count == MARK_IDS)
            return false;
        memcpy(read.ids[read.count++], id, size);
        end += 1 + size;
    }
    if (*end)
        return false;
    read.next = read.count % MARK_IDS;
    *mark = read;
    return true;
}

void mark_write(const struct mark *mark, char text[ACCORD_CURSOR_MAX])
{
    size_t used = (size_t)snprintf(text, ACCORD_CURSOR_MAX, "1 %u", mark->modified);
    if (!mark->any)
        used = (size_t)snprintf(text, ACCORD_CURSOR_MAX, "1 0");
    for (size_t i = 0; i < mark->count; i++) /* the oldest first */
        used += (size_t)snprintf(text + used, ACCORD_CURSOR_MAX - used, " %s",
                                 mark->ids[(mark->next + MARK_IDS - mark->count + i) % MARK_IDS]);
}

void mark_add(struct mark *mark, const struct found *found)
{
    if (!mark->any || found->modified > mark->modified)
        mark->modified = found->modified;
    mark->any = true;
    found_id(found, mark->ids[mark->next]);
    mark->next = (mark->next + 1) % MARK_IDS;
    mark->count += mark->count < MARK_IDS;
}

static bool named(const struct mark *mark, const char *id, size_t *at)
{
    for (size_t i = 0; i < mark->count; i++) {
        *at = (mark->next + MARK_IDS - mark->count + i) % MARK_IDS;
        if (strcmp(mark->ids[*at], id) == 0)
            return true;
    }
    return false;
}

/* What stands in its place is a name that no file has. */
void mark_remove(struct mark *mark, const struct found *found)
{
    char id[FOUND_ID];
    size_t at;
    found_id(found, id);
    while (named(mark, id, &at))
        memcpy(mark->ids[at], "AAAAAAAAAAA", FOUND_ID);
}

bool mark_has(const struct mark *mark, const struct found *found, int64_t look_back)
{
    char id[FOUND_ID];
    size_t at;
    if (!mark->any)
        return false;
    if ((int64_t)found->modified * 1000 + look_back < (int64_t)mark->modified * 1000)
        return true;
    found_id(found, id);
    return named(mark, id, &at);
}
