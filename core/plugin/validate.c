/* What a correct descriptor looks like. A plugin that fails here was never run; one that passes cannot
 * make the host read or write beside its structs. */
#include <string.h>

#include "conf/value.h"
#include "plugin/limits.h"
#include "plugin/loader.h"
#include "util/text.h"

#define OPTIONS_MAX     128
#define OPTION_NAME_MAX 48
#define STRUCT_MAX      65536
#define STATE_MAX       ((size_t)1 << 20)

#define CONNECTOR_FLAGS ((uint32_t)(ACCORD_CAN_SEND | ACCORD_CAN_RECEIVE | ACCORD_DIALS))
#define POLICY_FLAGS    ((uint32_t)ACCORD_READS_PAYLOAD)
#define POLICY_ASKS                                                                                          \
    (ACCORD_ASKS(ACCORD_ASK_HANDSHAKE) | ACCORD_ASKS(ACCORD_ASK_AUTHENTICATED) |                             \
     ACCORD_ASKS(ACCORD_ASK_IN) | ACCORD_ASKS(ACCORD_ASK_OUT))

/* Tables grow at their end (accord/base.h): one of an older minor is as large as that minor's was, and no
 * smaller than the first. Here stand the last fields of ABI 1.0, for ever. */
#define CONNECTOR_LEAST (offsetof(struct accord_connector, probe) + sizeof(void (*)(void)))
#define POLICY_LEAST    (offsetof(struct accord_policy, profile) + sizeof(void (*)(void)))

struct field {
    size_t size, alignment;
};

static const struct field fields[] = {
    [ACCORD_TEXT] = {sizeof(char *), _Alignof(char *)},
    [ACCORD_INTEGER] = {sizeof(int64_t), _Alignof(int64_t)},
    [ACCORD_DURATION] = {sizeof(int64_t), _Alignof(int64_t)},
    [ACCORD_SIZE] = {sizeof(int64_t), _Alignof(int64_t)},
    [ACCORD_BOOL] = {sizeof(bool), _Alignof(bool)},
    [ACCORD_DATE] = {sizeof(int64_t), _Alignof(int64_t)},
    [ACCORD_LIST] = {sizeof(struct accord_list), _Alignof(struct accord_list)},
    [ACCORD_HOST] = {sizeof(char *), _Alignof(char *)},
    [ACCORD_PORT] = {sizeof(int64_t), _Alignof(int64_t)},
    [ACCORD_PATH] = {sizeof(char *), _Alignof(char *)},
    [ACCORD_SECRET] = {sizeof(char *), _Alignof(char *)},
    [ACCORD_CHOICE] = {sizeof(int64_t), _Alignof(int64_t)},
};

#define KINDS (sizeof fields / sizeof *fields)

/* One line of UTF-8, 1..max-1 bytes. */
static bool is_line(const char *text, size_t max)
{
    size_t size = text ? strnlen(text, max) : 0;
    return size && size < max && text_utf8(text, size, false);
}

static int check_choices(const struct accord_option *option, struct reason *why)
{
    if (!option->choices)
        return option->kind == ACCORD_CHOICE
                   ? fail(why, ACCORD_EFORMAT, "option %s has no choices", option->name)
                   : 0;
    if (option->kind != ACCORD_CHOICE && option->kind != ACCORD_LIST)
        return fail(why, ACCORD_EFORMAT, "option %s has choices, but is neither a choice nor a list",
                    option->name);
    size_t count = 0;
    for (const char *const *choice = option->choices; *choice; choice++)
        if (++count > OPTION_CHOICES_MAX || !is_line(*choice, 128))
            return fail(why, ACCORD_EFORMAT, "option %s has too many choices, or one that is not a word",
                        option->name);
    return count ? 0 : fail(why, ACCORD_EFORMAT, "option %s has no choices", option->name);
}

/* The default must be what a file might say. An empty text is one. */
static int check_fallback(const struct accord_option *option, struct reason *why)
{
    struct conf_value value;
    struct reason cause;
    if (!option->fallback || !option->fallback[0])
        return 0;
    if (!is_line(option->fallback, OPTION_HELP_MAX))
        return fail(why, ACCORD_EFORMAT, "option %s: its default is not one line of text", option->name);
    if (conf_value_parse(option, option->fallback, &value, &cause) < 0)
        return fail(why, ACCORD_EFORMAT, "option %s: its default cannot be: %.300s", option->name,
                    cause.text);
    conf_value_fini(&value);
    return 0;
}

static int check_words(const struct accord_option *option, uint32_t flags, struct reason *why)
{
    if (!is_line(option->help, OPTION_HELP_MAX))
        return fail(why, ACCORD_EFORMAT, "option %s has no help, or not one line of it", option->name);
    if (option->flags & ~flags)
        return fail(why, ACCORD_EFORMAT, "option %s has unknown flags %#x", option->name, option->flags);
    if ((option->flags & (ACCORD_FOLDER_READ | ACCORD_FOLDER_WRITE)) && option->kind != ACCORD_PATH)
        return fail(why, ACCORD_EFORMAT, "option %s opens a folder, but is not a path", option->name);
    if ((option->flags & ACCORD_FOR_HANDSHAKE) && option->kind != ACCORD_SECRET)
        return fail(why, ACCORD_EFORMAT, "option %s is for the handshake, but is not a secret", option->name);
    if (!option_direction_possible(option->flags))
        return fail(why, ACCORD_EFORMAT, "option %s is for one direction, and also for the other or required",
                    option->name);
    if (option->fallback && (option->flags & ACCORD_REQUIRED))
        return fail(why, ACCORD_EFORMAT, "option %s is required and has a default", option->name);
    if (option->min > option->max)
        return fail(why, ACCORD_EFORMAT, "option %s: its least value is above its greatest", option->name);
    int result = check_choices(option, why);
    return result ? result : check_fallback(option, why);
}

/* Two options may not share bytes: the second would overwrite the first. */
static int check_place(const struct accord_options *options, size_t index, struct reason *why)
{
    const struct accord_option *option = &options->table[index];
    const struct field *field = &fields[option->kind];
    if (option->offset > options->size || field->size > options->size - option->offset ||
        option->offset % field->alignment)
        return fail(why, ACCORD_EFORMAT, "option %s does not fit its struct of %zu bytes (offset %zu)",
                    option->name, options->size, option->offset);
    for (size_t i = 0; i < index; i++) {
        const struct accord_option *other = &options->table[i];
        if (strcmp(option->name, other->name) == 0)
            return fail(why, ACCORD_EFORMAT, "option %s is declared twice", option->name);
        if (option->offset < other->offset + fields[other->kind].size &&
            other->offset < option->offset + field->size)
            return fail(why, ACCORD_EFORMAT, "options %s and %s share the same field", other->name,
                        option->name);
    }
    return 0;
}

static int check_options(const struct accord_options *options, uint32_t flags, struct reason *why)
{
    if (options->size > STRUCT_MAX)
        return fail(why, ACCORD_EFORMAT, "an option struct of %zu bytes is too large", options->size);
    for (size_t i = 0; options->table && options->table[i].name; i++) {
        const struct accord_option *option = &options->table[i];
        if (i >= OPTIONS_MAX)
            return fail(why, ACCORD_EFORMAT, "more than %d options, or a table without its end", OPTIONS_MAX);
        if (strnlen(option->name, OPTION_NAME_MAX + 1) > OPTION_NAME_MAX ||
            !text_is_name(option->name, OPTION_NAME_MAX))
            return fail(why, ACCORD_EFORMAT, "option %zu has a name that cannot be written in a file", i);
        if ((unsigned)option->kind >= KINDS)
            return fail(why, ACCORD_EFORMAT, "option %s is of unknown kind %d", option->name,
                        (int)option->kind);
        int result = check_words(option, flags, why);
        if (!result)
            result = check_place(options, i, why);
        if (result)
            return result;
    }
    return 0;
}

static int check_size(const char *table, uint32_t says, size_t least, size_t most, struct reason *why)
{
    if (says >= least && says <= most && says % sizeof(void *) == 0)
        return 0;
    return fail(why, ACCORD_EFORMAT, "its %s table says %u bytes; one of ABI %d.0 to %d.%d has %zu to %zu",
                table, says, ACCORD_ABI_MAJOR, ACCORD_ABI_MAJOR, ACCORD_ABI_MINOR, least, most);
}

#define NEEDS(table, condition, slot)                                                                        \
    do {                                                                                                     \
        if ((condition) && !(table)->slot)                                                                   \
            return fail(why, ACCORD_EFORMAT, "its slot `" #slot "` is missing");                             \
    } while (0)

static int check_connector(const struct accord_connector *c, struct reason *why)
{
    if (!c)
        return fail(why, ACCORD_EFORMAT, "it says connector, and has no connector table");
    int result = check_size("connector", c->size, CONNECTOR_LEAST, sizeof *c, why);
    if (result)
        return result;
    bool sends = c->flags & ACCORD_CAN_SEND, receives = c->flags & ACCORD_CAN_RECEIVE;
    if ((c->flags & ~CONNECTOR_FLAGS) || (!sends && !receives))
        return fail(why, ACCORD_EFORMAT,
                    "connector flags %#x: it must send or receive, and no other is known", c->flags);
    if (c->state_size > STATE_MAX)
        return fail(why, ACCORD_EFORMAT, "its state of %zu bytes is too large", c->state_size);
    NEEDS(c, true, open);
    NEEDS(c, true, start);
    NEEDS(c, true, stop);
    NEEDS(c, true, close);
    NEEDS(c, sends, deliver);
    NEEDS(c, sends, payload);
    NEEDS(c, sends, cancel);
    NEEDS(c, receives, offer_pull);
    NEEDS(c, receives, offer_done);
    result = check_options(&c->link_options, OPTION_FLAGS, why);
    return result ? result : check_options(&c->service_options, SERVICE_OPTION_FLAGS, why);
}

static int check_policy(const struct accord_policy *p, struct reason *why)
{
    if (!p)
        return fail(why, ACCORD_EFORMAT, "it says policy, and has no policy table");
    int result = check_size("policy", p->size, POLICY_LEAST, sizeof *p, why);
    if (result)
        return result;
    if ((p->flags & ~POLICY_FLAGS) || (p->asks & ~POLICY_ASKS))
        return fail(why, ACCORD_EFORMAT, "policy flags %#x or questions %#x are unknown", p->flags, p->asks);
    if (!p->asks && !p->profile)
        return fail(why, ACCORD_EFORMAT, "it answers no question and compiles no profile");
    if (p->state_size > STATE_MAX)
        return fail(why, ACCORD_EFORMAT, "its state of %zu bytes is too large", p->state_size);
    NEEDS(p, true, open);
    NEEDS(p, true, close);
    NEEDS(p, p->asks, judge);
    NEEDS(p, p->flags & ACCORD_READS_PAYLOAD, payload);
    NEEDS(p, p->flags & ACCORD_READS_PAYLOAD, cancel);
    return check_options(&p->options, OPTION_FLAGS, why);
}

int plugin_validate(const struct accord_plugin *plugin, struct reason *why)
{
    if (!plugin->name || strnlen(plugin->name, 33) > 32 || !text_is_name(plugin->name, 32))
        return fail(why, ACCORD_EFORMAT, "its name must be 1 to 32 lower-case letters, digits and hyphens");
    if (!is_line(plugin->version, 32) || !is_line(plugin->summary, 256))
        return fail(why, ACCORD_EFORMAT,
                    "version (at most 31 bytes) and summary (255) must be one line each");
    switch (plugin->kind) {
    case ACCORD_CONNECTOR:
        return check_connector(plugin->connector, why);
    case ACCORD_POLICY:
        return check_policy(plugin->policy, why);
    default:
        return fail(why, ACCORD_EFORMAT, "its kind %d is neither connector nor policy", (int)plugin->kind);
    }
}
