#include "plugin/answers.h"

#include <stdlib.h>
#include <string.h>

#include "plugin/limits.h"
#include "util/text.h"

void answers_init(struct answers *a)
{
    *a = (struct answers){0};
    text_copy(a->rule, sizeof a->rule, "plugin.protocol");
}

static void free_choices(const char *const *choices)
{
    for (const char *const *choice = choices; choice && *choice; choice++)
        free((void *)*choice);
    free((void *)choices);
}

static void option_fini(struct accord_option *option)
{
    free((void *)option->name);
    free((void *)option->fallback);
    free((void *)option->help);
    free_choices(option->choices);
}

void answers_free_options(struct accord_option *options)
{
    for (struct accord_option *option = options; option && option->name; option++)
        option_fini(option);
    free(options);
}

void answers_fini(struct answers *a)
{
    answers_free_options(a->plugin.options);
    answers_free_options(a->plugin.service_options);
    a->plugin.options = a->plugin.service_options = NULL;
}

static bool is_line(const char *text, size_t max)
{
    size_t size = strlen(text);
    return size && size < max && text_utf8(text, size, false);
}

static int take_walls(struct answers *a, const struct wire_SANDBOXED *m, struct reason *why)
{
    const char *seccomp = wire_pairs_get(&m->walls, "seccomp");
    if (a->sandboxed || !seccomp || strcmp(seccomp, "yes") != 0)
        return fail(why, ACCORD_EPROTO, "the child's sandbox is not closed");
    a->sandboxed = true;
    return 0;
}

static int take_plugin(struct answers *a, const struct wire_PLUGIN *m, struct reason *why)
{
    struct conf_plugin *p = &a->plugin;
    if (a->named || (m->kind != ACCORD_CONNECTOR && m->kind != ACCORD_POLICY) || !text_is_name(m->name, 32) ||
        !is_line(m->version, sizeof p->version) || !is_line(m->summary, sizeof p->summary))
        return fail(why, ACCORD_EPROTO,
                    "it describes itself with a kind, name, version or summary that cannot be");
    a->named = true;
    p->kind = (enum accord_plugin_kind)m->kind;
    text_copy(p->name, sizeof p->name, m->name);
    text_copy(p->version, sizeof p->version, m->version);
    text_copy(p->summary, sizeof p->summary, m->summary);
    p->flags = m->flags;
    p->asks = m->asks;
    p->has_check = m->has_check == 1;
    p->has_profile = m->has_profile == 1;
    p->options = calloc(ANSWERS_OPTIONS_MAX + 1, sizeof *p->options);
    p->service_options = calloc(ANSWERS_OPTIONS_MAX + 1, sizeof *p->service_options);
    return p->options && p->service_options ? 0 : fail(why, ACCORD_ENOMEM, "out of memory");
}

static int check_option(const struct wire_OPTION *m, struct reason *why)
{
    bool choice = m->kind == ACCORD_CHOICE, folder = m->flags & (ACCORD_FOLDER_READ | ACCORD_FOLDER_WRITE);
    uint32_t flags = m->table == 1 ? SERVICE_OPTION_FLAGS : OPTION_FLAGS;
    if (m->table > 1 || !text_is_name(m->name, 48) || m->kind > ACCORD_CHOICE || (m->flags & ~flags))
        return fail(why, ACCORD_EPROTO, "an option has a name, kind or flags that cannot be");
    if (!is_line(m->help, OPTION_HELP_MAX) || m->has_fallback > 1 ||
        (m->fallback[0] && (!m->has_fallback || !is_line(m->fallback, OPTION_HELP_MAX))))
        return fail(why, ACCORD_EPROTO, "option %s has a default or help that is not one line", m->name);
    if (m->min > m->max || !option_direction_possible(m->flags) || (folder && m->kind != ACCORD_PATH) ||
        ((m->flags & ACCORD_FOR_HANDSHAKE) && m->kind != ACCORD_SECRET) ||
        (m->has_fallback && (m->flags & ACCORD_REQUIRED)))
        return fail(why, ACCORD_EPROTO, "option %s contradicts itself", m->name);
    if (m->choices.count > OPTION_CHOICES_MAX || choice != (choice && m->choices.count) ||
        (m->choices.count && !choice && m->kind != ACCORD_LIST))
        return fail(why, ACCORD_EPROTO, "option %s has too many choices, or some where none belong", m->name);
    return 0;
}

static const char *const *copy_choices(const struct wire_pairs *pairs)
{
    const char **choices = calloc(pairs->count + 1, sizeof *choices);
    struct accord_pair pair;
    size_t count = 0;
    for (size_t at = 0; choices && wire_pairs_next(pairs, &at, &pair); count++) {
        choices[count] = is_line(pair.name, 128) ? strdup(pair.name) : NULL;
        if (!choices[count]) {
            free_choices(choices);
            return NULL;
        }
    }
    return choices;
}

static bool declared(const struct accord_option *options, const char *name)
{
    for (; options->name; options++)
        if (strcmp(options->name, name) == 0)
            return true;
    return false;
}

static int take_option(struct answers *a, const struct wire_OPTION *m, struct reason *why)
{
    int result =
        a->named ? check_option(m, why) : fail(why, ACCORD_EPROTO, "an option comes before its plugin");
    if (result)
        return result;
    struct accord_option *table = m->table ? a->plugin.service_options : a->plugin.options;
    size_t *count = &a->option_count[m->table];
    if (*count >= ANSWERS_OPTIONS_MAX || declared(table, m->name))
        return fail(why, ACCORD_EPROTO, "option %s is one too many, or declared twice", m->name);
    struct accord_option option = {.kind = m->kind, .flags = m->flags, .min = m->min, .max = m->max};
    option.fallback = m->has_fallback ? strdup(m->fallback) : NULL;
    option.help = strdup(m->help);
    option.choices = m->choices.count ? copy_choices(&m->choices) : NULL;
    option.name = strdup(m->name);
    if (!option.name || !option.help || (m->has_fallback && !option.fallback) ||
        (m->choices.count && !option.choices)) {
        option_fini(&option);
        return fail(why, ACCORD_EPROTO, "option %s has a choice that is not a word, or memory is short",
                    m->name);
    }
    table[(*count)++] = option;
    return 0;
}

static int take_end(struct answers *a, struct reason *why)
{
    if (!a->sandboxed || !a->named)
        return fail(why, ACCORD_EPROTO, "it says it is done, and has said nothing");
    a->finished = true;
    return 0;
}

/* The rule is the child's word: one of those that children may use, or ours. */
static int take_failed(struct answers *a, const struct wire_FAILED *m, struct reason *why)
{
    if ((strncmp(m->rule, "plugin.", 7) == 0 && text_is_name(m->rule + 7, 32)) ||
        strcmp(m->rule, "hub.sandbox") == 0)
        text_copy(a->rule, sizeof a->rule, m->rule);
    bool line = is_line(m->reason, WIRE_TEXT_MAX);
    return fail(why, ACCORD_EFORMAT, "%s", line ? m->reason : "it failed without a reason");
}

static int take(struct answers *a, const struct wire_message *m, struct reason *why)
{
    if (a->finished)
        return fail(why, ACCORD_EPROTO, "it goes on after its end");
    switch (m->type) {
    case WIRE_SANDBOXED:
        return take_walls(a, &m->SANDBOXED, why);
    case WIRE_PLUGIN:
        return take_plugin(a, &m->PLUGIN, why);
    case WIRE_OPTION:
        return take_option(a, &m->OPTION, why);
    case WIRE_DESCRIBED:
        return take_end(a, why);
    case WIRE_FAILED:
        return take_failed(a, &m->FAILED, why);
    default:
        return fail(why, ACCORD_EPROTO, "message %s has no place here", wire_type_name(m->type));
    }
}

int answers_take(struct answers *a, struct wire_bytes datagram, struct reason *why)
{
    a->bytes += datagram.size;
    if (a->bytes > ANSWERS_BYTES_MAX)
        return fail(why, ACCORD_EPROTO, "it says more than %zu bytes", ANSWERS_BYTES_MAX);
    while (datagram.size) {
        struct wire_message message;
        int result = wire_decode(&datagram, WIRE_D, &message, why);
        if (!result)
            result = take(a, &message, why);
        if (result)
            return result;
    }
    return a->finished ? 0 : 1;
}
