#include "meaning.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* `rule` NULL: the condition's own name behind "mq.". */
static const struct row {
    const char *condition;
    enum means means;
    const char *advice;
} rows[] = {
    {"amqp:not-found", MEANS_LONG, "have it created at the broker, or correct address"},
    {"amqp:unauthorized-access", MEANS_PARK,
     "ask the broker's operator for the right to it, then unpark the link"},
    {"amqp:resource-limit-exceeded", MEANS_LATER, "it is full, or a limit was reached; it is tried again"},
    {"amqp:resource-locked", MEANS_LATER, "somebody else has it for himself; it is tried again"},
    {"amqp:resource-deleted", MEANS_LONG, "it was deleted at the broker: have it created again"},
    {"amqp:not-allowed", MEANS_REFUSED,
     "the broker does not allow it: compare the link's options with the broker's"},
    {"amqp:not-implemented", MEANS_REFUSED, "the broker has not got that: is profile the right one?"},
    {"amqp:precondition-failed", MEANS_REFUSED, "the broker has it in another way than it was asked for"},
    {"amqp:invalid-field", MEANS_REFUSED, "the broker does not know that: is profile the right one?"},
    {"amqp:decode-error", MEANS_REFUSED, "the broker cannot read it"},
    {"amqp:frame-size-too-small", MEANS_REFUSED, "raise max-frame"},
    {"amqp:internal-error", MEANS_LATER, "the broker has trouble of its own; it is tried again"},
    {"amqp:illegal-state", MEANS_LATER, "it is tried again"},
    {"amqp:link:message-size-exceeded", MEANS_REFUSED, "it is larger than the broker takes"},
    {"amqp:link:transfer-limit-exceeded", MEANS_LATER, "it is tried again"},
    {"amqp:link:detach-forced", MEANS_LATER, "the broker's operator ended it; it is tried again"},
    {"amqp:link:stolen", MEANS_LATER, "another one attached under the same name: does an agent run twice?"},
    {"amqp:connection:forced", MEANS_LATER, "the broker's operator ended it; it is tried again"},
};

static const struct row *find(const char *condition)
{
    static const struct row unknown = {"", MEANS_LATER, "it is tried again"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].condition, condition) == 0)
            return &rows[i];
    return &unknown;
}

/* One line, whatever they wrote. */
static void copy_words(char *to, size_t size, const char *from)
{
    size_t put = 0;
    for (; from && *from && put + 1 < size; from++)
        to[put++] = (unsigned char)*from < 0x20 || *from == 0x7f ? ' ' : *from;
    while (put && (to[put - 1] & 0xc0) == 0x80 && from && *from) /* cut inside a character */
        put--;
    to[put] = '\0';
}

static void copy_rule(char *to, size_t size, const char *condition)
{
    const char *last = strrchr(condition, ':');
    size_t put = (size_t)snprintf(to, size, "mq.");
    for (const char *at = last ? last + 1 : condition; *at && put + 1 < size; at++)
        to[put++] = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') ? *at : '-';
    to[put] = '\0';
}

void meaning_of(struct meaning *meaning, const char *what, pn_condition_t *condition)
{
    char name[100], words[220];
    const char *given = condition && pn_condition_is_set(condition) ? pn_condition_get_name(condition) : NULL;
    copy_words(name, sizeof name, given ? given : "");
    copy_words(words, sizeof words, given ? pn_condition_get_description(condition) : "");
    const struct row *row = find(name);
    meaning->means = row->means;
    meaning->rule[0] = '\0';
    if (name[0])
        copy_rule(meaning->rule, sizeof meaning->rule, name);
    snprintf(meaning->reason, sizeof meaning->reason, "%.150s: the broker says %s%s%s: %s", what,
             name[0] ? name : "nothing about why", words[0] ? ", " : "", words, row->advice);
}

void meaning_say(struct meaning *meaning, enum means means, const char *rule, const char *format, ...)
{
    va_list args;
    meaning->means = means;
    snprintf(meaning->rule, sizeof meaning->rule, "%s", rule);
    va_start(args, format);
    vsnprintf(meaning->reason, sizeof meaning->reason, format, args);
    va_end(args);
}
