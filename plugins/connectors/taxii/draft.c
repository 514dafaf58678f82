#include "draft.h"

#include <stdlib.h>
#include <string.h>

void draft_fini(struct draft *draft)
{
    free(draft->bytes);
    *draft = (struct draft){0};
}

void draft_empty(struct draft *draft)
{
    draft->size = 0;
    draft->failed = false;
}

static bool resize(struct draft *draft, size_t room)
{
    char *bytes = realloc(draft->bytes, room);
    if (!bytes) {
        draft->failed = true;
        return false;
    }
    draft->bytes = bytes;
    draft->room = room;
    return true;
}

static bool grow(struct draft *draft, size_t more)
{
    size_t room = draft->room ? draft->room : 512;
    while (room < draft->size + more + 1)
        room *= 2;
    return room == draft->room || resize(draft, room);
}

void draft_reserve(struct draft *draft, size_t size)
{
    if (!draft->failed && size >= draft->room)
        resize(draft, size + 1);
}

void draft_bytes(struct draft *draft, const void *bytes, size_t size)
{
    if (draft->failed || !grow(draft, size))
        return;
    if (size)
        memcpy(draft->bytes + draft->size, bytes, size);
    draft->size += size;
    draft->bytes[draft->size] = '\0';
}

void draft_put(struct draft *draft, const char *text)
{
    draft_bytes(draft, text, strlen(text));
}

static const char *escape(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\t':
        return "&#9;";
    case '\n':
        return "&#10;";
    case '\r':
        return "&#13;";
    default:
        return NULL;
    }
}

void draft_text(struct draft *draft, const char *text)
{
    const char *from = text;
    for (const char *at = text; *at; at++) {
        const char *escaped = escape(*at);
        if (!escaped)
            continue;
        draft_bytes(draft, from, (size_t)(at - from));
        draft_put(draft, escaped);
        from = at + 1;
    }
    draft_put(draft, from);
}

void draft_number(struct draft *draft, int64_t number)
{
    char text[24] = "", *at = text + sizeof text - 1;
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (number < 0)
        *--at = '-';
    draft_put(draft, at);
}
