#include "stix_personal.h"

#include <stdbool.h>
#include <string.h>

#define CARD_MAX 19

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool alphanumeric(char c)
{
    return digit(c) || letter(c) || (c & 0x80);
}

/* Numbers inside of hashes, UUIDs, addresses, paths and URLs are not looked at. */
static bool begins(const char *text, size_t at)
{
    return !at || strchr(" \t\r\n,;:()[]<>\"'", text[at - 1]);
}

static bool ends(const char *at)
{
    return !alphanumeric(*at) && !(*at && strchr("-./_:@", *at) && alphanumeric(at[1]));
}

/* ---- e-mail addresses ---- */

static bool local_part(char c)
{
    return alphanumeric(c) || (c && strchr(".!#$%&'*+/=?^_`{|}~-", c));
}

/* At the '@': a name before it, and labels with a letter-only top level behind it. */
static bool address(const char *text, size_t at)
{
    if (!at || !local_part(text[at - 1]) || text[at - 1] == '.')
        return false;
    const char *label = text + at + 1;
    for (bool more = false;; more = true) {
        size_t size = 0, letters = 0;
        for (; alphanumeric(label[size]) || label[size] == '-'; size++)
            letters += letter(label[size]);
        if (!size)
            return false;
        if (label[size] != '.' || !alphanumeric(label[size + 1]))
            return more && size >= 2 && letters == size;
        label += size + 1;
    }
}

/* ---- numbers ---- */

static bool digits(const char **at, int count)
{
    for (; count; count--, (*at)++)
        if (!digit(**at))
            return false;
    return true;
}

static bool separator(const char **at)
{
    if (**at != ' ' && **at != '-' && **at != '.')
        return false;
    (*at)++;
    return true;
}

/* 123-45-6789, in the ranges that were ever given out. */
static bool social_security(const char *at)
{
    const char *number = at, *group = at + 4;
    if (!digits(&at, 3) || (*at != '-' && *at != ' '))
        return false;
    char between = *at++;
    if (!digits(&at, 2) || *at++ != between || !digits(&at, 4) || !ends(at))
        return false;
    return strncmp(number, "000", 3) && strncmp(number, "666", 3) && *number != '9' &&
           strncmp(group, "00", 2) && strncmp(at - 4, "0000", 4);
}

/* (202) 555-0143, 202-555-0143, 1.202.555.0143 */
static bool telephone_us(const char *at)
{
    if (*at == '1' && (at[1] == ' ' || at[1] == '-' || at[1] == '.'))
        at += 2;
    bool braced = *at == '(';
    at += braced;
    if (*at < '2' || !digits(&at, 3) || (braced && *at++ != ')'))
        return false;
    if (!separator(&at) && !braced)
        return false;
    return *at >= '2' && digits(&at, 3) && separator(&at) && digits(&at, 4) && ends(at);
}

/* +49 30 1234567: 8 to 15 digits (E.164) */
static bool telephone_world(const char *at)
{
    int count = 0;
    if (*at++ != '+')
        return false;
    for (; count < 16; at++) {
        if (digit(*at))
            count++;
        else if (!*at || !strchr(" -.()", *at) || !at[1] || !(digit(at[1]) || strchr(" (", at[1])))
            break;
    }
    return count >= 8 && count <= 15 && ends(at);
}

static bool luhn(const char *number, size_t size)
{
    int sum = 0;
    for (size_t i = 0; i < size; i++) {
        int value = number[size - 1 - i] - '0';
        value = i % 2 ? value * 2 : value;
        sum += value > 9 ? value - 9 : value;
    }
    return sum % 10 == 0;
}

static bool between(const char *number, int count, int from, int to)
{
    int value = 0;
    for (int i = 0; i < count; i++)
        value = value * 10 + (number[i] - '0');
    return value >= from && value <= to;
}

/* Lengths and beginnings of the issuers (ISO/IEC 7812), so that times and counters are not taken for cards. */
static bool issued(const char *number, size_t size)
{
    if (*number == '4')
        return size == 13 || size == 16 || size == 19;
    if (between(number, 2, 34, 34) || between(number, 2, 37, 37))
        return size == 15;
    if (between(number, 3, 300, 305) || between(number, 2, 36, 36) || between(number, 2, 38, 38))
        return size == 14;
    return size == 16 &&
           (between(number, 2, 51, 55) || between(number, 4, 2221, 2720) || between(number, 2, 35, 35) ||
            between(number, 4, 6011, 6011) || between(number, 2, 65, 65) || between(number, 3, 644, 649));
}

static bool card(const char *at)
{
    char number[CARD_MAX];
    size_t size = 0;
    for (; size < CARD_MAX; at++) {
        if (digit(*at))
            number[size++] = *at;
        else if ((*at != ' ' && *at != '-') || !digit(at[1]))
            break;
    }
    return size >= 13 && ends(at) && issued(number, size) && luhn(number, size);
}

static const char *number_at(const char *at)
{
    if (social_security(at))
        return "a social security number";
    if (card(at))
        return "a payment card number";
    if (telephone_us(at) || telephone_world(at))
        return "a telephone number";
    return NULL;
}

const char *stix_personal_find(const char *text, size_t *at)
{
    for (*at = 0; text[*at]; ++*at) {
        char c = text[*at];
        if (c == '@' && address(text, *at))
            return "an e-mail address";
        const char *found =
            (digit(c) || c == '(' || c == '+') && begins(text, *at) ? number_at(text + *at) : NULL;
        if (found)
            return found;
    }
    return NULL;
}
