#include "store/numbers.h"

#include <accord/base.h>
#include <stdlib.h>

void numbers_fini(struct numbers *numbers)
{
    free(numbers->slots);
    *numbers = (struct numbers){0};
}

static size_t home(const struct numbers *numbers, uint64_t number)
{
    return (size_t)(number * 0x9e3779b97f4a7c15u >> 20) & (numbers->room - 1);
}

static size_t find(const struct numbers *numbers, uint64_t number)
{
    size_t at = home(numbers, number);
    while (numbers->slots[at] && numbers->slots[at] != number)
        at = (at + 1) & (numbers->room - 1);
    return at;
}

static int grow(struct numbers *numbers)
{
    struct numbers more = {.room = numbers->room ? 2 * numbers->room : 64, .count = numbers->count};
    if (!(more.slots = calloc(more.room, sizeof *more.slots)))
        return ACCORD_ENOMEM;
    for (size_t i = 0; i < numbers->room; i++)
        if (numbers->slots[i])
            more.slots[find(&more, numbers->slots[i])] = numbers->slots[i];
    free(numbers->slots);
    *numbers = more;
    return 0;
}

int numbers_add(struct numbers *numbers, uint64_t number)
{
    if (2 * (numbers->count + 1) > numbers->room && grow(numbers))
        return ACCORD_ENOMEM;
    size_t at = find(numbers, number);
    numbers->count += !numbers->slots[at];
    numbers->slots[at] = number;
    return 0;
}

bool numbers_has(const struct numbers *numbers, uint64_t number)
{
    return numbers->count && numbers->slots[find(numbers, number)] == number;
}

bool numbers_remove(struct numbers *numbers, uint64_t number)
{
    if (!numbers_has(numbers, number))
        return false;
    size_t hole = find(numbers, number);
    numbers->slots[hole] = 0;
    numbers->count--;
    /* Those behind the hole must stay reachable from their homes. */
    for (size_t at = (hole + 1) & (numbers->room - 1); numbers->slots[at];
         at = (at + 1) & (numbers->room - 1)) {
        uint64_t moved = numbers->slots[at];
        numbers->slots[at] = 0;
        numbers->slots[find(numbers, moved)] = moved;
    }
    return true;
}
