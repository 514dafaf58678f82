#include "bus/cursors.h"

#include <stdlib.h>
#include <string.h>

#include <accord/base.h>

void cursors_init(struct cursors *cursors)
{
    *cursors = (struct cursors){0};
    cursors->line.next = cursors->line.previous = &cursors->line;
}

/* ---- one cursor ---- */

static void tell(struct cursors *cursors, struct cursor *cursor, int result)
{
    struct cursor_wait *wait = cursor->waits;
    cursor->waits = NULL;
    while (wait) {
        struct cursor_wait *next = wait->next;
        cursors->waiting--;
        wait->done(wait, result);
        wait = next;
    }
}

/* Nobody hears of it again after this. */
static void drop(struct cursors *cursors, struct cursor *cursor, int result)
{
    struct cursor dropped = *cursor;
    *cursor = (struct cursor){0};
    free(dropped.text);
    tell(cursors, &dropped, result);
}

/* A newer cursor takes the place of an older one, and those who wait for that wait for it. */
static void replace(struct cursor *old, struct cursor *new)
{
    struct cursor_wait **last = &new->waits;
    if (!new->text)
        return;
    while (*last)
        last = &(*last)->next;
    *last = old->waits;
    free(old->text);
    *old = *new;
    *new = (struct cursor){0};
}

static int make(struct cursors *cursors, struct cursor *cursor, const char *text)
{
    *cursor = (struct cursor){.text = strdup(text)};
    if (!cursor->text)
        return ACCORD_ENOMEM;
    cursor->serial = ++cursors->serial;
    return 0;
}

/* ---- the line ---- */

int cursors_enter(struct cursors *cursors, struct cursor_turn *turn, const char *cursor)
{
    *turn = (struct cursor_turn){.of = cursors};
    if (cursor && make(cursors, &turn->own, cursor) < 0)
        return ACCORD_ENOMEM;
    turn->next = &cursors->line;
    turn->previous = cursors->line.previous;
    turn->previous->next = turn->next->previous = turn;
    return 0;
}

/* What everything before it is held for. */
static struct cursor *behind(struct cursors *cursors, struct cursor_turn *turn)
{
    return turn == &cursors->line ? &cursors->due : &turn->after;
}

int cursors_advance(struct cursors *cursors, const char *cursor, struct cursor_wait *wait)
{
    struct cursor new;
    if (make(cursors, &new, cursor) < 0)
        return ACCORD_ENOMEM;
    wait->next = NULL;
    new.waits = wait;
    cursors->waiting++;
    replace(behind(cursors, cursors->line.previous), &new);
    return 0;
}

void cursors_leave(struct cursor_turn *turn, bool held)
{
    struct cursors *cursors = turn->of;
    if (!turn->next)
        return;
    for (struct cursor_turn *at = turn; !held && at != &cursors->line; at = at->next) {
        drop(cursors, &at->own, ACCORD_ECANCELED);
        drop(cursors, &at->after, ACCORD_ECANCELED);
    }
    struct cursor *to = behind(cursors, turn->previous);
    replace(to, &turn->own);
    replace(to, &turn->after);
    turn->previous->next = turn->next;
    turn->next->previous = turn->previous;
    turn->next = turn->previous = NULL;
}

void cursors_reset(struct cursors *cursors)
{
    struct cursor_turn *first;
    while ((first = cursors->line.next) != &cursors->line)
        cursors_leave(first, false);
    tell(cursors, &cursors->due, ACCORD_ECANCELED);
}

void cursors_fini(struct cursors *cursors)
{
    cursors_reset(cursors);
    drop(cursors, &cursors->due, ACCORD_ECANCELED);
}

/* ---- commits ---- */

static const char *give(const struct cursor *cursor, uint64_t *serial)
{
    *serial = cursor->serial;
    return cursor->text;
}

const char *cursors_with(const struct cursor_turn *turn, uint64_t *serial)
{
    *serial = 0;
    if (!turn->next || turn->previous != &turn->of->line)
        return NULL;
    return turn->after.text ? give(&turn->after, serial)
           : turn->own.text ? give(&turn->own, serial)
                            : give(&turn->of->due, serial);
}

const char *cursors_due(const struct cursors *cursors, uint64_t *serial)
{
    return give(&cursors->due, serial);
}

void cursors_committed(struct cursors *cursors, uint64_t serial)
{
    if (cursors->due.text && cursors->due.serial <= serial)
        drop(cursors, &cursors->due, 0);
}

void cursors_failed(struct cursors *cursors, uint64_t serial, int result)
{
    if (cursors->due.text && cursors->due.serial <= serial)
        tell(cursors, &cursors->due, result);
}
