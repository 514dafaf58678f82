#include "conf/value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/calendar.h"
#include "conf/names.h"
#include "util/text.h"

#define LIST_MAX   256 /* items */
#define SECRET_MAX 128 /* bytes of a file name */
#define HOST_MAX   253 /* RFC 1035, without the last dot */

static int64_t most(const struct accord_option *option)
{
    return option->min == 0 && option->max == 0 ? INT64_MAX : option->max;
}

static int check_range(const struct accord_option *option, int64_t number)
{
    return number < option->min || number > most(option) ? ACCORD_ELIMIT : 0;
}

/* Each parser returns 0, ACCORD_EINVAL (not of this kind), ACCORD_ELIMIT (out of range) or ACCORD_ENOMEM. */

static int parse_text(const struct accord_option *option, const char *text, struct conf_value *value)
{
    size_t size = strlen(text);
    value->text = text;
    if (!size || !text_utf8(text, size, false))
        return ACCORD_EINVAL;
    return option->max > 0 && size > (size_t)option->max ? ACCORD_ELIMIT : 0;
}

static int parse_digits(const char *text, int64_t *number)
{
    bool minus = *text == '-';
    text += minus;
    *number = 0;
    if (!*text)
        return ACCORD_EINVAL;
    for (; *text; text++) {
        if (!isdigit((unsigned char)*text))
            return ACCORD_EINVAL;
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, *text - '0', number))
            return ACCORD_ELIMIT;
    }
    if (minus)
        *number = -*number;
    return 0;
}

static int parse_integer(const struct accord_option *option, const char *text, struct conf_value *value)
{
    int result = parse_digits(text, &value->number);
    return result ? result : check_range(option, value->number);
}

static int parse_duration(const struct accord_option *option, const char *text, struct conf_value *value)
{
    struct duration duration;
    int result = duration_parse(text, &duration);
    if (!result)
        result = duration_ms(&duration, &value->number);
    return result ? result : check_range(option, value->number);
}

static int parse_size(const struct accord_option *option, const char *text, struct conf_value *value)
{
    static const struct {
        const char *name;
        int64_t bytes;
    } units[] = {{"", 1},
                 {"B", 1},
                 {"kB", 1000},
                 {"KB", 1000},
                 {"KiB", 1024},
                 {"MB", 1000000},
                 {"MiB", 1 << 20},
                 {"GB", 1000000000},
                 {"GiB", 1 << 30},
                 {"TB", 1000000000000},
                 {"TiB", INT64_C(1) << 40}};
    char digits[24];
    size_t size = strspn(text, "0123456789");
    if (!size || size >= sizeof digits)
        return size ? ACCORD_ELIMIT : ACCORD_EINVAL;
    memcpy(digits, text, size);
    digits[size] = 0;
    text += size;
    text += strspn(text, " ");
    int result = parse_digits(digits, &value->number);
    for (size_t i = 0; !result && i < sizeof units / sizeof *units; i++)
        if (!strcmp(units[i].name, text))
            return __builtin_mul_overflow(value->number, units[i].bytes, &value->number)
                       ? ACCORD_ELIMIT
                       : check_range(option, value->number);
    return result ? result : ACCORD_EINVAL;
}

static int parse_bool(const struct accord_option *option, const char *text, struct conf_value *value)
{
    (void)option;
    value->number = !strcmp(text, "yes");
    return value->number || !strcmp(text, "no") ? 0 : ACCORD_EINVAL;
}

static int parse_date(const struct accord_option *option, const char *text, struct conf_value *value)
{
    (void)option;
    return date_parse(text, &value->number);
}

static bool is_label(const char *text, size_t size)
{
    if (size < 1 || size > 63 || text[0] == '-' || text[size - 1] == '-')
        return false;
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '-')
            return false;
    return true;
}

static bool is_address(const char *text)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static int parse_host(const struct accord_option *option, const char *text, struct conf_value *value)
{
    (void)option;
    value->text = text;
    if (is_address(text))
        return 0;
    if (strlen(text) > HOST_MAX)
        return ACCORD_ELIMIT;
    for (const char *label = text;; label += strcspn(label, ".") + 1) {
        size_t size = strcspn(label, ".");
        if (!is_label(label, size))
            return ACCORD_EINVAL;
        if (label[size])
            continue;
        /* A last label of digits is an IPv4 address gone wrong: 10.0.0.256 (RFC 1123, 2.1). */
        return strspn(label, "0123456789") == size ? ACCORD_EINVAL : 0;
    }
}

static int parse_port(const struct accord_option *option, const char *text, struct conf_value *value)
{
    (void)option;
    int result = parse_digits(text, &value->number);
    return result ? result : value->number < 1 || value->number > 65535 ? ACCORD_ELIMIT : 0;
}

static int parse_path(const struct accord_option *option, const char *text, struct conf_value *value)
{
    (void)option;
    value->text = text;
    if (text[0] != '/' || !text_utf8(text, strlen(text), false))
        return ACCORD_EINVAL;
    if (strlen(text) >= 512)
        return ACCORD_ELIMIT;
    for (const char *part = text; *part; part += strcspn(part, "/")) {
        part += strspn(part, "/");
        size_t size = strcspn(part, "/");
        if ((size == 1 && part[0] == '.') || (size == 2 && !memcmp(part, "..", 2)))
            return ACCORD_EINVAL;
    }
    return 0;
}

static int parse_secret(const struct accord_option *option, const char *text, struct conf_value *value)
{
    (void)option;
    value->text = text;
    size_t size = strlen(text);
    if (!size || text[0] == '.' || strchr(text, '/') || !text_utf8(text, size, false))
        return ACCORD_EINVAL;
    return size > SECRET_MAX ? ACCORD_ELIMIT : 0;
}

static int choice_index(const struct accord_option *option, const char *text, int64_t *index)
{
    for (*index = 0; option->choices && option->choices[*index]; (*index)++)
        if (!strcmp(option->choices[*index], text))
            return 0;
    return ACCORD_EINVAL;
}

static int parse_choice(const struct accord_option *option, const char *text, struct conf_value *value)
{
    return choice_index(option, text, &value->number);
}

static bool list_has(const char *const *items, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(items[i], text))
            return true;
    return false;
}

/* Cuts `text` at its commas, in place, and puts the trimmed items into `items`. */
static int cut_list(const struct accord_option *option, char *text, const char **items, size_t *count)
{
    for (char *rest = text, *item; (item = strsep(&rest, ","));) {
        item += strspn(item, " \t");
        for (char *end = item + strlen(item); end > item && (end[-1] == ' ' || end[-1] == '\t');)
            *--end = 0;
        int64_t index;
        if (!*item || !text_utf8(item, strlen(item), false) || list_has(items, *count, item))
            return ACCORD_EINVAL;
        if (option->choices && choice_index(option, item, &index))
            return ACCORD_EINVAL;
        items[(*count)++] = item;
    }
    return 0;
}

static int parse_list(const struct accord_option *option, const char *text, struct conf_value *value)
{
    size_t count = 1, size = strlen(text) + 1;
    for (const char *p = text; *p; p++)
        count += *p == ',';
    if (count > LIST_MAX)
        return ACCORD_ELIMIT;
    /* One allocation: the pointers, then the texts they point into. */
    const char **items = malloc(count * sizeof *items + size);
    if (!items)
        return ACCORD_ENOMEM;
    char *copy = (char *)(items + count);
    memcpy(copy, text, size);
    value->list.items = items;
    value->list.count = 0;
    return cut_list(option, copy, items, &value->list.count);
}

static const struct {
    const char *name;
    int (*parse)(const struct accord_option *, const char *, struct conf_value *);
    const char *help;
} kinds[] = {
    [ACCORD_TEXT] = {"text", parse_text, "one line of text"},
    [ACCORD_INTEGER] = {"integer", parse_integer, "a whole number"},
    [ACCORD_DURATION] = {"duration", parse_duration, "a duration such as 10 s, 5 min or 90 days"},
    [ACCORD_SIZE] = {"size", parse_size, "a size such as 512, 64 KiB or 10 MB"},
    [ACCORD_BOOL] = {"bool", parse_bool, "yes or no"},
    [ACCORD_DATE] = {"date", parse_date, "a day of the calendar such as 2025-03-14"},
    [ACCORD_LIST] = {"list", parse_list, "a list separated by commas, nothing empty or twice"},
    [ACCORD_HOST] = {"host", parse_host, "a host name or an IP address"},
    [ACCORD_PORT] = {"port", parse_port, "a port, 1 to 65535"},
    [ACCORD_PATH] = {"path", parse_path, "an absolute path without . and .. in it"},
    [ACCORD_SECRET] = {"secret", parse_secret, "the name of a file in credentials/AGREEMENT (no slash)"},
    [ACCORD_CHOICE] = {"choice", parse_choice, "one of"},
};

const char *conf_kind_name(enum accord_kind kind)
{
    return (size_t)kind < sizeof kinds / sizeof *kinds ? kinds[kind].name : "unknown";
}

static void write_limit(const struct accord_option *option, int64_t number, char *to, size_t room)
{
    if (option->kind == ACCORD_DURATION)
        text_duration(to, room, number);
    else if (option->kind == ACCORD_SIZE)
        text_size(to, room, number);
    else
        snprintf(to, room, "%" PRId64, number);
}

static size_t write_range(const struct accord_option *option, char *to, size_t room)
{
    char low[64], high[64];
    write_limit(option, option->min, low, sizeof low);
    write_limit(option, option->max, high, sizeof high);
    int used = 0;
    if (option->kind == ACCORD_TEXT)
        used = option->max > 0 ? snprintf(to, room, " of at most %s bytes", high) : 0;
    else if (option->min == 0 && option->max == 0)
        used = 0;
    else if (option->max == INT64_MAX)
        used = snprintf(to, room, ", at least %s", low);
    else
        used = snprintf(to, room, ", %s to %s", low, high);
    return used < 0 ? 0 : (size_t)used;
}

static size_t write_choices(const struct accord_option *option, char *to, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; option->choices && option->choices[i] && used < room; i++)
        used += (size_t)snprintf(to + used, room - used, "%s%s", i ? ", " : " ", option->choices[i]);
    return used;
}

const char *conf_direction_help(const struct accord_option *option)
{
    return option->flags & ACCORD_WHEN_SENDING     ? "Where the service sends. "
           : option->flags & ACCORD_WHEN_RECEIVING ? "Where the service receives. "
                                                   : "";
}

void conf_kind_help(const struct accord_option *option, char *to, size_t room)
{
    bool known = (size_t)option->kind < sizeof kinds / sizeof *kinds;
    size_t used = (size_t)snprintf(to, room, "%s", known ? kinds[option->kind].help : "nothing");
    if (used >= room)
        return;
    if (option->kind == ACCORD_TEXT || option->kind == ACCORD_INTEGER || option->kind == ACCORD_DURATION ||
        option->kind == ACCORD_SIZE)
        write_range(option, to + used, room - used);
    if (option->kind == ACCORD_LIST && option->choices)
        used += (size_t)snprintf(to + used, room - used, ", of");
    if ((option->kind == ACCORD_CHOICE || option->kind == ACCORD_LIST) && used < room)
        write_choices(option, to + used, room - used);
}

/* The nearest choice to what was written (for a list: to its first item that is no choice). */
static const char *nearest_choice(const struct accord_option *option, const char *text)
{
    if (!option->choices)
        return NULL;
    if (option->kind == ACCORD_CHOICE)
        return text_nearest(text, option->choices);
    const char *nearest = NULL;
    char *copy = strdup(text), *rest = copy, *item;
    while (copy && !nearest && (item = strsep(&rest, ","))) {
        int64_t index;
        item += strspn(item, " \t");
        item[strcspn(item, " \t")] = 0;
        if (choice_index(option, item, &index))
            nearest = text_nearest(item, option->choices);
    }
    free(copy);
    return nearest;
}

static int explain(const struct accord_option *option, const char *text, int result, struct reason *why)
{
    char shown[64], help[300];
    text_copy(shown, sizeof shown, text);
    conf_kind_help(option, help, sizeof help);
    const char *cut = strlen(text) >= sizeof shown ? "..." : "";
    if (result == ACCORD_ENOMEM)
        return fail(why, result, "out of memory");
    /* What stands where a secret's name belongs may be the secret. */
    if (option->kind == ACCORD_SECRET)
        return fail(why, ACCORD_EINVAL, "the value (not shown) is not %s; put the secret into that file",
                    help);
    if (!*text)
        return fail(why, ACCORD_EINVAL, "there is no value; write %s", help);
    if (result == ACCORD_ELIMIT)
        return fail(why, ACCORD_EINVAL, "`%s%s` is out of range; write %s", shown, cut, help);
    const char *nearest = nearest_choice(option, text);
    return fail(why, ACCORD_EINVAL, "`%s%s` is not %s%s%s%s", shown, cut, help,
                nearest ? "; did you mean `" : "", nearest ? nearest : "", nearest ? "`?" : "");
}

int conf_value_parse(const struct accord_option *option, const char *text, struct conf_value *value,
                     struct reason *why)
{
    *value = (struct conf_value){.kind = option->kind};
    if ((size_t)option->kind >= sizeof kinds / sizeof *kinds)
        return fail(why, ACCORD_EINVAL, "the option has an unknown kind (%d)", (int)option->kind);
    int result = kinds[option->kind].parse(option, text, value);
    if (!result)
        return 0;
    conf_value_fini(value);
    return explain(option, text, result, why);
}

void conf_value_fini(struct conf_value *value)
{
    free((void *)(uintptr_t)value->list.items);
    value->list = (struct accord_list){0};
}
