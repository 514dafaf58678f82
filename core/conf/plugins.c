#include "conf/conf.h"

#include <stdlib.h>
#include <string.h>

const struct conf_plugin *conf_plugin_find(const struct conf_plugins *plugins, enum accord_plugin_kind kind,
                                           const char *name)
{
    for (size_t i = 0; i < plugins->count; i++)
        if (plugins->items[i].kind == kind && !strcmp(plugins->items[i].name, name))
            return &plugins->items[i];
    return NULL;
}

static void free_text(const char *text)
{
    free((void *)(uintptr_t)text);
}

static void free_table(struct accord_option *table)
{
    for (struct accord_option *option = table; option && option->name; option++) {
        free_text(option->name);
        free_text(option->fallback);
        free_text(option->help);
        for (size_t i = 0; option->choices && option->choices[i]; i++)
            free_text(option->choices[i]);
        free((void *)(uintptr_t)option->choices);
    }
    free(table);
}

void conf_plugins_free(struct conf_plugins *plugins)
{
    for (size_t i = 0; i < plugins->count; i++) {
        free_table(plugins->items[i].options);
        free_table(plugins->items[i].service_options);
    }
    free(plugins->items);
    *plugins = (struct conf_plugins){0};
}
