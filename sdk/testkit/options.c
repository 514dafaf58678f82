/* Option structs from values as they are written in conf.d. */
#include <accord/testkit/options.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host_private.h"
#include "options_private.h"

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit durations[] = {{"ms", 1},
                                        {"s", 1000},
                                        {"min", 60000},
                                        {"minute", 60000},
                                        {"h", 3600000},
                                        {"hour", 3600000},
                                        {"day", 86400000},
                                        {"week", 7 * 86400000ll},
                                        {"month", 30 * 86400000ll},
                                        {"year", 365 * 86400000ll},
                                        {0}};
static const struct unit sizes[] = {
    {"", 1},      {"B", 1},     {"KiB", 1 << 10}, {"MiB", 1 << 20},   {"GiB", 1 << 30},
    {"KB", 1000}, {"kB", 1000}, {"MB", 1000000},  {"GB", 1000000000}, {0}};

static bool wrong(struct filling *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(struct filling *f, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(f->why, f->room, format, list);
    va_end(list);
    return false;
}

/* ---- numbers ---- */

static bool with_unit(const char *text, const struct unit *units, int64_t *to)
{
    char *end;
    int64_t number = strtoll(text, &end, 10);
    if (end == text || number < 0)
        return false;
    end += strspn(end, " ");
    for (; units->name; units++) {
        size_t size = strlen(units->name);
        bool plural = size && strcmp(end + (strncmp(end, units->name, size) ? 0 : size), "s") == 0;
        if (strcmp(end, units->name) && !(plural && strncmp(end, units->name, size) == 0))
            continue;
        return !__builtin_mul_overflow(number, units->factor, to);
    }
    return false;
}

static bool whole_number(const char *text, int64_t *to)
{
    char *end;
    *to = strtoll(text, &end, 10);
    return end != text && !*end;
}

static bool date(const char *text, int64_t *to)
{
    struct tm day = {0};
    const char *end = strptime(text, "%Y-%m-%d", &day);
    *to = end && !*end ? (int64_t)timegm(&day) * 1000000 : 0;
    return end && !*end;
}

static bool choice(const struct accord_option *option, const char *text, int64_t *to)
{
    for (*to = 0; option->choices[*to]; ++*to)
        if (strcmp(option->choices[*to], text) == 0)
            return true;
    return false;
}

static bool number_of(const struct accord_option *option, const char *text, int64_t *to)
{
    switch (option->kind) {
    case ACCORD_DURATION:
        return with_unit(text, durations, to);
    case ACCORD_SIZE:
        return with_unit(text, sizes, to);
    case ACCORD_DATE:
        return date(text, to);
    case ACCORD_CHOICE:
        return choice(option, text, to);
    case ACCORD_PORT:
        return whole_number(text, to) && *to >= 1 && *to <= 65535;
    default:
        return whole_number(text, to);
    }
}

bool options_limited(const struct accord_option *option)
{
    return option->kind == ACCORD_INTEGER || option->kind == ACCORD_DURATION || option->kind == ACCORD_SIZE;
}

static bool set_number(struct filling *f, const struct accord_option *option, const char *text)
{
    int64_t number;
    if (!number_of(option, text, &number))
        return wrong(f, "%s = %s cannot be", option->name, text);
    bool limits = option->min || option->max;
    if (options_limited(option) && (limits ? number < option->min || number > option->max : number < 0))
        return wrong(f, "%s = %s is not within %" PRId64 " to %" PRId64, option->name, text, option->min,
                     option->max);
    memcpy(f->to->values + option->offset, &number, sizeof number);
    return true;
}

/* ---- texts ---- */

static const char *keep(struct testoptions *to, const char *text)
{
    to->texts = testkit_grow(to->texts, (to->text_count + 1) * sizeof *to->texts);
    return to->texts[to->text_count++] = testkit_copy(text);
}

static bool set_text(struct filling *f, const struct accord_option *option, const char *text)
{
    if (option->kind == ACCORD_PATH && text[0] != '/')
        return wrong(f, "%s = %s is not an absolute path", option->name, text);
    if (option->kind == ACCORD_TEXT && option->max && (int64_t)strlen(text) > option->max)
        return wrong(f, "%s = %.60s is longer than %" PRId64 " bytes", option->name, text, option->max);
    const char *kept = keep(f->to, text);
    memcpy(f->to->values + option->offset, &kept, sizeof kept);
    return true;
}

static bool set_list(struct filling *f, const struct accord_option *option, const char *text)
{
    char *copy = testkit_copy(text), *rest = NULL;
    struct accord_list list = {0};
    const char **items = testkit_alloc((strlen(text) / 2 + 2) * sizeof *items);
    bool good = true;
    for (char *item = strtok_r(copy, ",", &rest); item && good; item = strtok_r(NULL, ",", &rest)) {
        item += strspn(item, " \t");
        for (size_t size = strlen(item); size && isspace((unsigned char)item[size - 1]); size--)
            item[size - 1] = 0;
        int64_t ignored;
        if (option->choices && !choice(option, item, &ignored))
            good = wrong(f, "%s: %s is none of its choices", option->name, item);
        else if (*item)
            items[list.count++] = keep(f->to, item);
    }
    free(copy);
    list.items = items;
    f->to->lists = testkit_grow(f->to->lists, (f->to->list_count + 1) * sizeof *f->to->lists);
    f->to->lists[f->to->list_count++] = items;
    memcpy(f->to->values + option->offset, &list, sizeof list);
    return good;
}

/* ---- one option, and all ---- */

bool options_set(struct filling *f, const struct accord_option *option, const char *text)
{
    bool yes = strcmp(text, "yes") == 0;
    switch (option->kind) {
    case ACCORD_LIST:
        return set_list(f, option, text);
    case ACCORD_BOOL:
        if (!yes && strcmp(text, "no") != 0)
            return wrong(f, "%s = %s is neither yes nor no", option->name, text);
        memcpy(f->to->values + option->offset, &yes, sizeof yes);
        return true;
    case ACCORD_TEXT:
    case ACCORD_HOST:
    case ACCORD_PATH:
    case ACCORD_SECRET:
        return set_text(f, option, text);
    default:
        return set_number(f, option, text);
    }
}

const char *options_written(const struct accord_pair *written, const char *name)
{
    for (; written && written->name; written++)
        if (strcmp(written->name, name) == 0)
            return written->value;
    return NULL;
}

static bool all_known(struct filling *f, const struct accord_options *options,
                      const struct accord_pair *written)
{
    for (; written && written->name; written++) {
        const struct accord_option *option = options->table;
        while (option && option->name && strcmp(option->name, written->name) != 0)
            option++;
        if (!option || !option->name)
            return wrong(f, "there is no option %s", written->name);
    }
    return true;
}

struct testoptions *options_empty(const struct accord_options *options)
{
    struct testoptions *to = testkit_alloc(sizeof *to);
    if (options->table)
        to->values = testkit_alloc(options->size + 1);
    return to;
}

struct testoptions *testoptions_new(const struct accord_options *options, const struct accord_pair *written,
                                    char *why, size_t room)
{
    struct filling f = {.to = options_empty(options), .why = why, .room = room};
    bool good = all_known(&f, options, written);
    for (const struct accord_option *o = options->table; good && o && o->name; o++) {
        const char *text = options_written(written, o->name);
        if (!text && (o->flags & ACCORD_REQUIRED))
            good = wrong(&f, "%s is required", o->name);
        else if (text || o->fallback)
            good = options_set(&f, o, text ? text : o->fallback);
    }
    if (good)
        return f.to;
    testoptions_free(f.to);
    return NULL;
}

const void *testoptions_struct(const struct testoptions *options)
{
    return options->values;
}

void testoptions_free(struct testoptions *options)
{
    if (!options)
        return;
    for (size_t i = 0; i < options->text_count; i++)
        free(options->texts[i]);
    for (size_t i = 0; i < options->list_count; i++)
        free((void *)options->lists[i]);
    free(options->texts);
    free(options->lists);
    free(options->values);
    free(options);
}
