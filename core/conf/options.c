#include "conf/options.h"

#include <stdlib.h>
#include <string.h>

#include "conf/names.h"

struct conf_options {
    struct arena arena;
    void *fields; /* what the plugin sees; 16-byte aligned */
};

size_t options_field_size(enum accord_kind kind)
{
    switch (kind) {
    case ACCORD_TEXT:
    case ACCORD_HOST:
    case ACCORD_PATH:
    case ACCORD_SECRET:
        return sizeof(const char *);
    case ACCORD_INTEGER:
    case ACCORD_DURATION:
    case ACCORD_SIZE:
    case ACCORD_DATE:
    case ACCORD_PORT:
    case ACCORD_CHOICE:
        return sizeof(int64_t);
    case ACCORD_BOOL:
        return sizeof(bool);
    case ACCORD_LIST:
        return sizeof(struct accord_list);
    }
    return 0;
}

static int copy_list(const struct accord_list *from, struct accord_list *to, struct arena *arena)
{
    const char **items = arena_array(arena, from->count, sizeof *items);
    if (!items)
        return ACCORD_ENOMEM;
    for (size_t i = 0; i < from->count; i++)
        if (!(items[i] = arena_text(arena, from->items[i])))
            return ACCORD_ENOMEM;
    *to = (struct accord_list){.items = items, .count = from->count};
    return 0;
}

static int store(const struct accord_option *option, const struct conf_value *value, void *field,
                 struct arena *arena)
{
    if (option->kind == ACCORD_LIST)
        return copy_list(&value->list, field, arena);
    if (option->kind == ACCORD_BOOL) {
        *(bool *)field = value->number != 0;
    } else if (value->text) {
        if (!(*(const char **)field = arena_text(arena, value->text)))
            return ACCORD_ENOMEM;
    } else {
        *(int64_t *)field = value->number;
    }
    return 0;
}

int options_store(const struct accord_option *option, const char *text, void *base, struct arena *arena,
                  struct reason *why)
{
    struct conf_value value;
    int result = conf_value_parse(option, text, &value, why);
    if (result)
        return result;
    if (base)
        result = store(option, &value, (char *)base + option->offset, arena);
    conf_value_fini(&value);
    return result ? fail(why, result, "out of memory") : 0;
}

static const struct accord_option *find(const struct accord_option *table, const char *name)
{
    for (; table && table->name; table++)
        if (!strcmp(table->name, name))
            return table;
    return NULL;
}

/* Fields must lie in the struct, each aligned as its type wants. */
static int check_layout(const struct accord_options *options, struct reason *why)
{
    for (const struct accord_option *option = options->table; option && option->name; option++) {
        size_t size = options_field_size(option->kind);
        size_t alignment = option->kind == ACCORD_BOOL ? _Alignof(bool) : _Alignof(int64_t);
        if (!size || size > options->size || option->offset > options->size - size ||
            option->offset % alignment)
            return fail(why, ACCORD_EINVAL, "the option table does not fit its struct at `%s`", option->name);
    }
    return 0;
}

static int check_pairs(const struct accord_options *options, const struct accord_pair *pairs, size_t count,
                       struct reason *why)
{
    for (size_t i = 0; i < count; i++) {
        if (!find(options->table, pairs[i].name)) {
            struct names names = {0};
            char hint[300];
            names_add_options(&names, options->table);
            names_hint(&names, pairs[i].name, hint, sizeof hint);
            return fail(why, ACCORD_EINVAL, "unknown option `%.64s`; %s", pairs[i].name, hint);
        }
        for (size_t j = 0; j < i; j++)
            if (!strcmp(pairs[i].name, pairs[j].name))
                return fail(why, ACCORD_EINVAL, "option `%s` is given twice", pairs[i].name);
    }
    return 0;
}

static int fill_field(const struct accord_option *option, const struct accord_pair *pairs, size_t count,
                      struct conf_options *to, struct reason *why)
{
    const char *text = option->fallback;
    for (size_t i = 0; i < count; i++)
        if (!strcmp(pairs[i].name, option->name))
            text = pairs[i].value;
    if (!text)
        return option->flags & ACCORD_REQUIRED
                   ? fail(why, ACCORD_EINVAL, "option `%s` is missing", option->name)
                   : 0;
    struct reason inner = {""};
    int result = options_store(option, text, to->fields, &to->arena, &inner);
    return result ? fail(why, result, "option `%s`: %.400s", option->name, inner.text) : 0;
}

int conf_options_fill(const struct accord_options *options, const struct accord_pair *pairs, size_t count,
                      struct conf_options **out, struct reason *why)
{
    *out = NULL;
    int result = check_layout(options, why);
    if (!result)
        result = check_pairs(options, pairs, count, why);
    if (result)
        return result;
    struct conf_options *to = calloc(1, sizeof *to);
    if (to)
        to->fields = arena_array(&to->arena, 1, options->size);
    if (!to || !to->fields) {
        conf_options_free(to);
        return fail(why, ACCORD_ENOMEM, "out of memory");
    }
    for (const struct accord_option *option = options->table; option && option->name && !result; option++)
        result = fill_field(option, pairs, count, to, why);
    if (result) {
        conf_options_free(to);
        return result;
    }
    *out = to;
    return 0;
}

const void *conf_options_struct(const struct conf_options *options)
{
    return options->fields;
}

void conf_options_free(struct conf_options *options)
{
    if (!options)
        return;
    arena_fini(&options->arena);
    free(options);
}

static const char *written(const struct accord_pair *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(pairs[i].name, name))
            return pairs[i].value;
    return NULL;
}

size_t conf_options_folders(const struct accord_option *table, const struct accord_pair *pairs,
                            size_t pair_count, struct accord_pair *folders, size_t count, size_t room)
{
    for (; table && table->name; table++) {
        const char *path = written(pairs, pair_count, table->name);
        if (!path || !*path || !(table->flags & (ACCORD_FOLDER_READ | ACCORD_FOLDER_WRITE)) || count == room)
            continue;
        folders[count++] = (struct accord_pair){path, table->flags & ACCORD_FOLDER_WRITE ? "write" : "read"};
    }
    return count;
}
