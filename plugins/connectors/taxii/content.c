#include "content.h"

#include <string.h>
#include <strings.h>

static const char mark[] = "\xef\xbb\xbf", prefix[] = "<?xml";

void content_init(struct content *content, enum content_form form)
{
    *content = (struct content){.form = form, .stage = form == FORM_XML ? CONTENT_MARK : CONTENT_BODY};
}

/* ---- XML ---- */

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The value of `encoding` in a declaration; an empty one when it has none. */
static size_t encoding_of(const char *declaration, const char **value)
{
    const char *at = strstr(declaration, "encoding");
    if (!at)
        return 0;
    at += strlen("encoding");
    at += strspn(at, " \t\r\n");
    if (*at != '=')
        return 0;
    at++;
    at += strspn(at, " \t\r\n");
    char quote = *at;
    const char *end = quote == '"' || quote == '\'' ? strchr(at + 1, quote) : NULL;
    *value = at + 1;
    return end ? (size_t)(end - at - 1) : 0;
}

static const char *judge_declaration(const char *declaration)
{
    static const char *const fine[] = {"UTF-8", "US-ASCII", "ASCII"};
    const char *value = "";
    size_t size = encoding_of(declaration, &value);
    bool good = !strstr(declaration, "encoding");
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        good = good || (size == strlen(fine[i]) && strncasecmp(value, fine[i], size) == 0);
    return good
               ? NULL
               : "its XML declaration names another encoding than UTF-8, in which TAXII messages are written";
}

static const char *take_mark(struct content *content, struct draft *draft, uint8_t c)
{
    if (c == (uint8_t)mark[content->held]) {
        if (++content->held == 3) {
            draft_put(draft, "   ");
            content->stage = CONTENT_PREFIX;
            content->held = 0;
        }
        return NULL;
    }
    if (content->held || c == 0xfe || c == 0xff || c == 0)
        return "it is not in UTF-8, in which TAXII messages are written";
    content->stage = CONTENT_PREFIX;
    return content_add(content, draft, &c, 1);
}

/* "<?xml" and white space is a declaration; "<?xml-stylesheet" is not. */
static const char *take_prefix(struct content *content, struct draft *draft, uint8_t c)
{
    if (content->held < 5 && c == (uint8_t)prefix[content->held]) {
        content->held++;
        return NULL;
    }
    if (content->held == 5 && is_space(c)) {
        draft_put(draft, "      ");
        content->stage = CONTENT_DECLARATION;
        return NULL;
    }
    size_t held = content->held;
    content->stage = held ? CONTENT_BODY : CONTENT_FIRST;
    draft_bytes(draft, prefix, held);
    return content_add(content, draft, &c, 1);
}

static const char *take_declaration(struct content *content, struct draft *draft, uint8_t c)
{
    char *declaration = content->declaration;
    if (content->declared + 1 >= sizeof content->declaration)
        return "its XML declaration does not end";
    draft_put(draft, " ");
    declaration[content->declared++] = (char)(c ? c : ' ');
    if (c != '>' || content->declared < 2 || declaration[content->declared - 2] != '?')
        return NULL;
    content->stage = CONTENT_FIRST;
    return judge_declaration(declaration);
}

/* What is no XML at all would make the whole message unreadable. */
static const char *take_first(struct content *content, struct draft *draft, uint8_t c)
{
    if (!is_space(c) && c != '<')
        return "it is not XML: it does not begin with < (content of another kind needs form = escaped)";
    if (c == '<')
        content->stage = CONTENT_BODY;
    draft_bytes(draft, &c, 1);
    return NULL;
}

/* ---- text ---- */

static bool is_character(uint32_t point)
{
    return (point >= 0x20 || point == '\t' || point == '\n' || point == '\r') &&
           (point < 0xd800 || point > 0xdfff) && point != 0xfffe && point != 0xffff && point <= 0x10ffff;
}

/* False: not UTF-8, or a character that XML has no way to write. */
static bool check_byte(struct content *content, uint8_t c)
{
    if (content->more) {
        content->point = content->point << 6 | (c & 0x3f);
        if ((c & 0xc0) != 0x80)
            return false;
        return --content->more || (content->point >= content->least && is_character(content->point));
    }
    if (c < 0x80)
        return is_character(c);
    if (c < 0xc2 || c > 0xf4)
        return false;
    content->more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    content->least = content->more == 1 ? 0x80 : content->more == 2 ? 0x800 : 0x10000;
    content->point = c & (0x3fu >> content->more);
    return true;
}

static const char *escaped_of(uint8_t c)
{
    return c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '\r' ? "&#13;" : NULL;
}

static const char *add_escaped(struct content *content, struct draft *draft, const uint8_t *bytes,
                               size_t size)
{
    size_t from = 0;
    for (size_t i = 0; i < size; i++) {
        const char *escaped = escaped_of(bytes[i]);
        if (!check_byte(content, bytes[i]))
            return "it is not text in UTF-8, or has characters that XML cannot hold";
        if (!escaped)
            continue;
        draft_bytes(draft, bytes + from, i - from);
        draft_put(draft, escaped);
        from = i + 1;
    }
    draft_bytes(draft, bytes + from, size - from);
    return NULL;
}

/* ---- both ---- */

const char *content_add(struct content *content, struct draft *draft, const uint8_t *bytes, size_t size)
{
    const char *why = NULL;
    if (content->form == FORM_ESCAPED)
        return add_escaped(content, draft, bytes, size);
    for (; size && !why && content->stage != CONTENT_BODY; bytes++, size--)
        switch (content->stage) {
        case CONTENT_MARK:
            why = take_mark(content, draft, *bytes);
            break;
        case CONTENT_PREFIX:
            why = take_prefix(content, draft, *bytes);
            break;
        case CONTENT_DECLARATION:
            why = take_declaration(content, draft, *bytes);
            break;
        default:
            why = take_first(content, draft, *bytes);
        }
    if (!why)
        draft_bytes(draft, bytes, size);
    return why;
}

const char *content_end(struct content *content)
{
    if (content->form == FORM_ESCAPED)
        return content->more ? "it ends in mid-character" : NULL;
    return content->stage == CONTENT_BODY ? NULL : "it is not XML: there is no element in it";
}
