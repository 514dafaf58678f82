/* Times of a local clock that come every week, or once: `Sun 02:00-06:00`, `2026-12-24 18:00 - 2026-12-26 06:00`.
 *
 *     HH:MM-HH:MM              every day; an end that is not after the beginning is on the next day
 *     DAY[-DAY] HH:MM-HH:MM    on these days (Mon Tue Wed Thu Fri Sat Sun)
 *     DAY HH:MM-DAY HH:MM      from one day to another, every week
 *     DAY[-DAY]                these days, whole
 *     DATE [HH:MM] [- DATE [HH:MM]]   once; a day without a time is meant whole
 *
 * Everything is counted in minutes that a local clock shows. Where the clock is put ahead, what it skips does not
 * happen; where it is put back, what it shows twice happens twice.
 */
#ifndef WINDOW_SPANS_H
#define WINDOW_SPANS_H

#include <accord/option.h>

#include <stdbool.h>

#define SPANS_MAX    64
#define SPANS_DAY    1440
#define SPANS_WEEK   (7 * SPANS_DAY)

/* One option's list. */
struct spans {
    const char *option;
    const struct accord_list *items; /* as written; must stay */
    uint8_t week[SPANS_WEEK];        /* from Monday 00:00: the number of the item, from 1; 0: none */
    struct span {
        int64_t from, until; /* local minutes since 1970 */
        size_t item;         /* from 1 */
    } once[SPANS_MAX];
    size_t once_count;
};

/* Negative: `why` names the item and the position in it, or the two that overlap. */
int spans_parse(struct spans *, const char *option, const struct accord_list *, char *why, size_t why_size);
/* The item, from 1, that this local minute is in; 0: none. */
size_t spans_at(const struct spans *, int64_t local);
/* "2026-12-26 06:00" */
void spans_print(char *to, size_t room, int64_t local);

#endif
