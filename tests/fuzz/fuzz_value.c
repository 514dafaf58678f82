/* Values of every kind: the first byte chooses the kind and whether there are limits, the rest is what was
 * written. What is accepted must be within its limits. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(const struct accord_option *option, const struct conf_value *value)
{
    bool limited =
        option->kind == ACCORD_INTEGER || option->kind == ACCORD_DURATION || option->kind == ACCORD_SIZE;
    if (limited && (value->number < option->min || (option->max && value->number > option->max)))
        abort();
    if (option->kind == ACCORD_PORT && (value->number < 1 || value->number > 65535))
        abort();
    if (option->kind == ACCORD_CHOICE && (value->number < 0 || value->number > 2))
        abort();
    if (option->kind == ACCORD_SECRET && (strchr(value->text, '/') || value->text[0] == '.'))
        abort();
    for (size_t i = 0; i < value->list.count; i++)
        if (!value->list.items[i][0])
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const choices[] = {"resend", "hold", "skip", NULL};
    if (!size)
        return 0;
    bool limits = data[0] & 0x10, of_choices = data[0] & 0x20;
    struct accord_option option = {.name = "x", .kind = (enum accord_kind)(data[0] & 0x0f)};
    if (limits) {
        option.min = 10;
        option.max = 1000000;
    }
    if (of_choices || option.kind == ACCORD_CHOICE)
        option.choices = choices;
    char *text = malloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    struct conf_value value;
    struct reason why = {""};
    char help[64];
    conf_kind_help(&option, help, sizeof help);
    if (!conf_value_parse(&option, text, &value, &why)) {
        check_value(&option, &value);
        conf_value_fini(&value);
    } else if (!why.text[0]) {
        abort();
    }
    free(text);
    return 0;
}
