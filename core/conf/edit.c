#include "conf/edit.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* One line: the text, and what ends it: "\n", "\r\n", or nothing at the end of the file. */
struct line {
    const char *text, *end, *next;
    int number;
};

/* What was found: places in the file, NULL while not there. */
struct found {
    const char *header_end; /* behind the section's header line */
    const char *value, *value_end;
    bool blank;          /* one must be put before the value: nothing stands behind the `=` */
    const char *newline; /* of the header's line */
    int section_line, key_line;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool next_line(struct line *line, const char *end)
{
    const char *at = line->next;
    if (at == end)
        return false;
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    line->text = at;
    line->next = newline ? newline + 1 : end;
    line->end = newline ? newline : end;
    if (line->end > at && line->end[-1] == '\r')
        line->end--;
    line->number++;
    return true;
}

/* "[link  sftp] ; comment" is the section "link sftp". */
static bool is_header(const struct line *line, const char *section)
{
    char words[160] = "";
    size_t size = 0;
    const char *at = line->text + 1;
    while (at < line->end && is_blank(*at))
        at++;
    for (; at < line->end && *at != ']' && size + 1 < sizeof words; at++)
        if (!is_blank(*at) || (size && !is_blank(words[size - 1])))
            words[size++] = *at == '\t' ? ' ' : *at;
    while (size && words[size - 1] == ' ')
        size--;
    words[size] = 0;
    return at < line->end && !strcmp(words, section);
}

/* Where the value of a line with this key begins and ends; the comment behind it does not belong to it. */
static bool find_value(const struct line *line, const char *key, struct found *found)
{
    size_t size = strlen(key);
    const char *at = line->text + size;
    if ((size_t)(line->end - line->text) <= size || memcmp(line->text, key, size) != 0)
        return false;
    while (at < line->end && is_blank(*at))
        at++;
    if (at == line->end || *at != '=')
        return false;
    const char *equals = at++;
    while (at < line->end && is_blank(*at))
        at++;
    const char *end = at;
    while (end < line->end && !(*end == ';' && is_blank(end[-1])))
        end++;
    if (end == at) { /* no value: it goes right behind the `=` */
        at = equals + 1;
        end = at;
    }
    while (end > at && is_blank(end[-1]))
        end--;
    found->value = at;
    found->value_end = end;
    found->blank = at == equals + 1 && at == end;
    return true;
}

static int find(const char *begin, const char *end, const char *section, const char *key, struct found *found,
                struct reason *why)
{
    struct line line = {.next = begin};
    bool inside = false;
    while (next_line(&line, end)) {
        struct found here = {0};
        if (line.text < line.end && *line.text == '[') {
            inside = is_header(&line, section);
            if (inside && found->section_line)
                return fail(why, ACCORD_EEXIST, "[%s] stands there twice, on line %d and on line %d", section,
                            found->section_line, line.number);
            if (inside) {
                found->section_line = line.number;
                found->header_end = line.next;
                found->newline = line.end;
            }
        } else if (inside && find_value(&line, key, &here)) {
            if (found->key_line)
                return fail(why, ACCORD_EEXIST, "`%s` stands there twice, on line %d and on line %d", key,
                            found->key_line, line.number);
            found->key_line = line.number;
            found->value = here.value;
            found->value_end = here.value_end;
            found->blank = here.blank;
        }
    }
    return found->section_line ? 0 : fail(why, ACCORD_ENOENT, "there is no section [%s]", section);
}

int conf_edit(const void *bytes, size_t size, const char *section, const char *key, const char *value,
              struct buf *out, struct reason *why)
{
    const char *begin = bytes, *end = begin + size;
    struct found found = {0};
    size_t mark = size >= 3 && !memcmp(begin, "\xef\xbb\xbf", 3) ? 3 : 0;
    int result = find(begin + mark, end, section, key, &found, why);
    if (result)
        return result;
    if (found.key_line) {
        buf_put(out, begin, (size_t)(found.value - begin));
        buf_text(out, found.blank ? " " : "");
        buf_text(out, value);
        buf_put(out, found.value_end, (size_t)(end - found.value_end));
    } else {
        bool ended = found.header_end[-1] == '\n';
        const char *newline = ended && *found.newline == '\r' ? "\r\n" : "\n";
        buf_put(out, begin, (size_t)(found.header_end - begin));
        buf_format(out, "%s%s = %s%s", ended ? "" : newline, key, value, newline);
        buf_put(out, found.header_end, (size_t)(end - found.header_end));
    }
    return out->failed ? fail(why, ACCORD_ENOMEM, "out of memory") : 0;
}
