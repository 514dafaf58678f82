/* Values that an option's table allows, but nobody would write. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host_private.h"
#include "options_private.h"

static unsigned next(unsigned *seed, unsigned below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (unsigned)((uint64_t)(*seed >> 8) * below >> 24);
}

static const char *const texts[] = {"x",     "/",   "..", "a b", "*",  "-",  "%s%n", "\xc3\xa4\xe2\x82\xac",
                                    "a,b",   "0",   "[",  "{",   "\\", "//", "~",    ".hidden",
                                    "a/b/c", "'\"", "=",  "[a-", "**"};

static void long_text(char *to, size_t room, unsigned *seed)
{
    size_t size = 1 + next(seed, (unsigned)room - 2);
    memset(to, "ax/*."[next(seed, 5)], size);
    to[size] = 0;
}

static void text_value(const struct accord_option *option, char *to, size_t room, unsigned *seed)
{
    size_t most = option->kind == ACCORD_TEXT && option->max && option->max + 1 < (int64_t)room
                      ? (size_t)option->max + 1
                      : room;
    if (next(seed, 4) == 0 && most > 4)
        long_text(to, most, seed);
    else
        snprintf(to, most, "%s", texts[next(seed, sizeof texts / sizeof *texts)]);
}

static void number_value(const struct accord_option *option, char *to, size_t room, unsigned *seed)
{
    int64_t least = option->min, most = option->max, number;
    if (!least && !most)
        most = option->kind == ACCORD_INTEGER ? INT64_MAX : INT64_MAX / 2;
    switch (next(seed, 4)) {
    case 0:
        number = least;
        break;
    case 1:
        number = most;
        break;
    case 2:
        number = least < most ? least + 1 : least;
        break;
    default:
        number =
            least + (int64_t)(next(seed, 1 << 20) % ((uint64_t)(most - least) + (most - least < INT64_MAX)));
    }
    snprintf(to, room, "%" PRId64 "%s", number, option->kind == ACCORD_DURATION ? " ms" : "");
}

static void list_value(const struct accord_option *option, char *to, size_t room, unsigned *seed)
{
    size_t used = 0, choices = 0;
    to[0] = 0;
    while (option->choices && option->choices[choices])
        choices++;
    for (unsigned count = next(seed, 6); count; count--) {
        char item[64];
        if (choices)
            snprintf(item, sizeof item, "%s", option->choices[next(seed, (unsigned)choices)]);
        else
            text_value(&(struct accord_option){.kind = ACCORD_TEXT}, item, sizeof item, seed);
        used += (size_t)snprintf(to + used, room - used, "%s%s", used ? ", " : "", item);
        if (used >= room)
            return;
    }
}

static void value(const struct accord_option *option, char *to, size_t room, unsigned *seed)
{
    size_t choices = 0;
    switch (option->kind) {
    case ACCORD_BOOL:
        snprintf(to, room, next(seed, 2) ? "yes" : "no");
        break;
    case ACCORD_PORT:
        snprintf(to, room, "%u", 1 + next(seed, 65535));
        break;
    case ACCORD_DATE:
        snprintf(to, room, "%04u-%02u-%02u", 1970 + next(seed, 200), 1 + next(seed, 12), 1 + next(seed, 28));
        break;
    case ACCORD_CHOICE:
        while (option->choices[choices])
            choices++;
        snprintf(to, room, "%s", option->choices[next(seed, (unsigned)choices)]);
        break;
    case ACCORD_LIST:
        list_value(option, to, room, seed);
        break;
    case ACCORD_PATH:
        to[0] = '/';
        text_value(option, to + 1, room - 1, seed);
        break;
    case ACCORD_HOST:
        snprintf(to, room, next(seed, 2) ? "2001:db8::1" : "a.example");
        break;
    case ACCORD_TEXT:
    case ACCORD_SECRET:
        text_value(option, to, room, seed);
        break;
    default:
        number_value(option, to, room, seed);
    }
}

struct testoptions *testoptions_random(const struct accord_options *options, const struct accord_pair *keep,
                                       unsigned seed)
{
    char why[ACCORD_REASON_MAX], text[1024];
    struct filling f = {.to = options_empty(options), .why = why, .room = sizeof why};
    for (const struct accord_option *o = options->table; o && o->name; o++) {
        const char *kept = options_written(keep, o->name);
        unsigned kind = next(&seed, 4);
        if (kept || (kind == 0 && o->fallback))
            options_set(&f, o, kept ? kept : o->fallback);
        else if (kind == 1 && !(o->flags & ACCORD_REQUIRED) && !o->fallback)
            continue; /* nothing is said */
        else {
            value(o, text, sizeof text, &seed);
            options_set(&f, o, text);
        }
    }
    return f.to;
}
