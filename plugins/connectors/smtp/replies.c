#include "replies.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- lines ---- */

static char shown(char c)
{
    return c == '\t' ? ' ' : c < ' ' || c > '~' ? '?' : c;
}

static void keep_text(struct replies *replies, const char *text, size_t size)
{
    size_t room = sizeof replies->text - 1 - replies->text_size;
    if (replies->lines > 1 && room) {
        replies->text[replies->text_size++] = '\n';
        room--;
    }
    replies->overlong = replies->overlong || size > room;
    size = size > room ? room : size;
    for (size_t i = 0; i < size; i++)
        replies->text[replies->text_size++] = shown(text[i]);
    replies->text[replies->text_size] = 0;
}

static bool is_code(const char *line)
{
    return line[0] >= '2' && line[0] <= '5' && isdigit((unsigned char)line[1]) &&
           isdigit((unsigned char)line[2]);
}

/* As replies_next(). */
static int take_line(struct replies *replies)
{
    const char *line = replies->line;
    size_t size = replies->line_size;
    replies->line_size = 0;
    if (size && line[size - 1] == '\r')
        size--;
    if (size < 3 || !is_code(line) || (size > 3 && line[3] != ' ' && line[3] != '-'))
        return -1;
    int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    if ((replies->lines && code != replies->code) || ++replies->lines > REPLY_LINES)
        return -1;
    replies->code = code;
    keep_text(replies, size > 4 ? line + 4 : "", size > 4 ? size - 4 : 0);
    replies->whole = size == 3 || line[3] == ' ';
    return replies->whole ? 1 : 0;
}

static void begin(struct replies *replies)
{
    replies->whole = replies->overlong = false;
    replies->lines = 0;
    replies->code = 0;
    replies->text_size = 0;
    replies->text[0] = 0;
}

int replies_next(struct replies *replies, const char **bytes, size_t *size)
{
    int result = 0;
    while (result == 0 && *size) {
        const char *end = memchr(*bytes, '\n', *size);
        size_t more = end ? (size_t)(end - *bytes) : *size;
        if (replies->whole)
            begin(replies);
        if (more > sizeof replies->line - replies->line_size)
            return -1;
        memcpy(replies->line + replies->line_size, *bytes, more);
        replies->line_size += more;
        more += end ? 1 : 0;
        *bytes += more;
        *size -= more;
        if (end)
            result = take_line(replies);
    }
    return result;
}

/* ---- what they say ---- */

void replies_say(const struct replies *replies, char *to, size_t size)
{
    snprintf(to, size, "%03d %s%s", replies->code, replies->text, replies->overlong ? " ..." : "");
    for (char *at = to; *at; at++)
        if (*at == '\n')
            *at = ' ';
}

static int64_t unit(const char *word)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"seconds", 1000}, {"second", 1000},   {"secs", 1000},     {"sec", 1000},
                 {"s", 1000},       {"minutes", 60000}, {"minute", 60000},  {"mins", 60000},
                 {"min", 60000},    {"m", 60000},       {"hours", 3600000}, {"hour", 3600000}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t size = strlen(units[i].name);
        if (strncasecmp(word, units[i].name, size) == 0 && !isalnum((unsigned char)word[size]))
            return units[i].ms;
    }
    return 0;
}

int64_t replies_wait(const char *text)
{
    for (const char *at = text; *at; at++) {
        int64_t number = 0, ms;
        bool begins = isdigit((unsigned char)*at) && (at == text || strchr(" (<=:", at[-1]));
        if (!begins)
            continue;
        while (isdigit((unsigned char)*at) && number < REPLY_WAIT_MAX)
            number = number * 10 + (*at++ - '0');
        ms = unit(*at == ' ' ? at + 1 : at);
        if (ms)
            return number > REPLY_WAIT_MAX / ms ? REPLY_WAIT_MAX : number * ms;
        if (!*at)
            break;
    }
    return 0;
}

/* ---- what a server can ---- */

bool capabilities_list(const char *list, const char *name)
{
    size_t size = strlen(name);
    while (size && *list) {
        size_t item = strcspn(list, ",");
        if (item == size && strncasecmp(list, name, size) == 0)
            return true;
        list += item + (list[item] == ',');
    }
    return false;
}

static bool is_mechanism(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_')
            return false;
    return size && size <= 20; /* RFC 4422, 3.1 */
}

static void read_mechanisms(struct capabilities *can, const char *text, size_t size)
{
    char name[24];
    size_t used = strlen(can->mechanisms);
    for (size_t at = 0, end; at < size; at = end + 1) {
        for (end = at; end < size && text[end] != ' '; end++)
            ;
        if (!is_mechanism(text + at, end - at) || used + (end - at) + 2 > sizeof can->mechanisms)
            continue;
        for (size_t i = at; i < end; i++)
            name[i - at] = (char)toupper((unsigned char)text[i]);
        name[end - at] = 0;
        if (capabilities_list(can->mechanisms, name))
            continue;
        used += (size_t)snprintf(can->mechanisms + used, sizeof can->mechanisms - used, "%s%s",
                                 used ? "," : "", name);
    }
}

static int64_t read_number(const char *text, size_t size)
{
    int64_t number = 0;
    for (size_t i = 0; i < size; i++) {
        if (!isdigit((unsigned char)text[i]) || number > INT64_MAX / 10 - 10)
            return 0;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

static void read_one(struct capabilities *can, const char *line, size_t size)
{
    size_t word = 0;
    while (word < size && line[word] != ' ' && line[word] != '=')
        word++;
    size_t rest = word < size ? word + 1 : size;
    if (word == 10 && strncasecmp(line, "PIPELINING", word) == 0)
        can->pipelining = true;
    else if (word == 4 && strncasecmp(line, "AUTH", word) == 0)
        read_mechanisms(can, line + rest, size - rest);
    else if (word == 4 && strncasecmp(line, "SIZE", word) == 0) {
        can->size = true;
        can->size_limit = read_number(line + rest, size - rest);
    }
}

void capabilities_read(struct capabilities *can, const struct replies *replies)
{
    const char *line = strchr(replies->text, '\n'); /* the first is its name */
    *can = (struct capabilities){0};
    while (line) {
        const char *next = strchr(++line, '\n');
        read_one(can, line, next ? (size_t)(next - line) : strlen(line));
        line = next;
    }
}
