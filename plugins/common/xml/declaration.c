#include "declaration.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { OPEN = 5, CLOSE = 2 }; /* "<?xml", "?>" */

bool declaration_target(const struct lexer_token *token)
{
    const char *bytes = (const char *)token->bytes;
    return token->size >= OPEN + CLOSE && !strncasecmp(bytes + 2, "xml", 3) &&
           (lexer_is_space(token->bytes[OPEN]) || bytes[OPEN] == '?');
}

static bool is(const char *text, size_t size, const char *word)
{
    return strlen(word) == size && !strncasecmp(text, word, size);
}

static int check_encoding(const struct lexer_attribute *a, char *why, size_t room)
{
    if (is(a->value, a->value_size, "utf-8") || is(a->value, a->value_size, "us-ascii"))
        return 0;
    char name[32];
    size_t used = 0;
    for (; used < a->value_size && used < sizeof name - 1; used++)
        name[used] = isgraph((unsigned char)a->value[used]) ? a->value[used] : '?';
    name[used] = 0;
    snprintf(why, room, "encoding \"%s\" is not allowed, only UTF-8 and US-ASCII", name);
    return ACCORD_EFORMAT;
}

/* The pseudo-attributes in their order: version, then encoding, then standalone. */
static int check_part(const struct lexer_attribute *a, int *last, char *why, size_t room)
{
    static const char *const parts[] = {"version", "encoding", "standalone"};
    int part = 0;
    while (part < 3 && !(strlen(parts[part]) == a->name_size && !memcmp(a->name, parts[part], a->name_size)))
        part++;
    if (part == 3 || part <= *last || (*last < 0 && part != 0)) {
        snprintf(why, room, "the XML declaration is malformed");
        return ACCORD_EFORMAT;
    }
    *last = part;
    if (part == 1)
        return check_encoding(a, why, room);
    if (part == 0 ? is(a->value, a->value_size, "1.0")
                  : is(a->value, a->value_size, "yes") || is(a->value, a->value_size, "no"))
        return 0;
    snprintf(why, room, "%s", part ? "the XML declaration is malformed" : "only XML version 1.0 is read");
    return ACCORD_EFORMAT;
}

int declaration_check(const struct lexer_token *token, char *why, size_t room)
{
    size_t offset = OPEN, end = token->size - CLOSE;
    int last = -1, error = 0;
    if (memcmp(token->bytes, "<?xml", OPEN))
        end = offset; /* <?XML: no declaration */
    for (size_t at = offset; !error && at < end;) {
        while (at < end && lexer_is_space(token->bytes[at]))
            at++;
        if (at == end)
            break;
        struct lexer_attribute attribute;
        if (lexer_attribute(token->bytes, end, &offset, &attribute) != 1) {
            last = -1;
            break;
        }
        error = check_part(&attribute, &last, why, room);
        at = offset;
    }
    if (!error && last < 0) {
        snprintf(why, room, "the XML declaration is malformed");
        error = ACCORD_EFORMAT;
    }
    return error;
}
