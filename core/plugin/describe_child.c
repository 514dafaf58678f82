/* The describing child: loads one plugin inside the sandbox and says what it declares. */
#include <string.h>

#include "plugin/check.h"
#include "plugin/child.h"
#include "plugin/describe.h"
#include "plugin/loader.h"

static int send_and_clear(struct buf *out, struct reason *why)
{
    int result = child_send(out, why);
    buf_clear(out);
    return result;
}

static int send_option(struct buf *out, unsigned table, const struct accord_option *option,
                       struct reason *why)
{
    struct accord_pair choices[WIRE_PAIRS_MAX];
    size_t count = 0;
    for (const char *const *choice = option->choices; choice && *choice && count < WIRE_PAIRS_MAX; choice++)
        choices[count++] = (struct accord_pair){*choice, ""};
    wire_put_OPTION(out, &(struct wire_OPTION){
                             .table = (uint8_t)table,
                             .name = option->name,
                             .kind = (uint8_t)option->kind,
                             .flags = option->flags,
                             .has_fallback = option->fallback != NULL,
                             .fallback = option->fallback,
                             .min = option->min,
                             .max = option->max,
                             .choices = WIRE_PAIRS(choices, count),
                             .help = option->help,
                         });
    return send_and_clear(out, why);
}

static int send_options(struct buf *out, unsigned table, const struct accord_options *options,
                        struct reason *why)
{
    int result = 0;
    for (const struct accord_option *option = options->table; option && option->name && !result; option++)
        result = send_option(out, table, option, why);
    return result;
}

static int send_plugin(struct buf *out, const struct accord_plugin *plugin, struct reason *why)
{
    bool connector = plugin->kind == ACCORD_CONNECTOR;
    wire_put_PLUGIN(out, &(struct wire_PLUGIN){
                             .kind = (uint8_t)plugin->kind,
                             .name = plugin->name,
                             .version = plugin->version,
                             .summary = plugin->summary,
                             .flags = connector ? plugin->connector->flags : plugin->policy->flags,
                             .asks = connector ? 0 : plugin->policy->asks,
                             .has_check = (connector ? (void *)plugin->connector->check
                                                     : (void *)plugin->policy->check) != NULL,
                             .has_profile = !connector && plugin->policy->profile,
                         });
    int result = send_and_clear(out, why);
    if (!result)
        result = send_options(out, 0, connector ? &plugin->connector->link_options : &plugin->policy->options,
                              why);
    if (!result && connector)
        result = send_options(out, 1, &plugin->connector->service_options, why);
    if (!result) {
        wire_put_DESCRIBED(out, &(struct wire_DESCRIBED){0});
        result = send_and_clear(out, why);
    }
    return result;
}

/* LOAD may follow SETUP in its datagram or come in one of its own. */
static int receive_load(struct child *child, struct wire_message *message, struct reason *why)
{
    if (!child->rest.size) {
        int result = child_receive(&child->datagram, why);
        if (result)
            return result;
        child->rest = (struct wire_bytes){child->datagram.data, child->datagram.size};
    }
    int result = wire_decode(&child->rest, WIRE_H, message, why);
    if (!result && message->type != WIRE_LOAD)
        result =
            fail(why, ACCORD_EPROTO, "the hub sent %s where LOAD was due", wire_type_name(message->type));
    return result;
}

static int describe(struct child *child, char rule[ACCORD_RULE_MAX], struct reason *why)
{
    struct wire_message message;
    char path[512], sha256[DIGEST_HEX];
    const struct accord_plugin *plugin;
    int result = receive_load(child, &message, why);
    if (!result)
        result = child_plugin_path(child, message.LOAD.plugin, path, sizeof path, why);
    if (!result)
        result = plugin_load(path, message.LOAD.sha256[0] ? message.LOAD.sha256 : NULL, &plugin, sha256, rule,
                             why);
    if (result)
        return result;
    struct buf out = {0};
    result = send_plugin(&out, plugin, why);
    buf_fini(&out);
    return result;
}

int describe_main(pid_t parent)
{
    struct child child;
    struct reason why;
    char rule[ACCORD_RULE_MAX] = "plugin.protocol";
    if (child_begin(&child, SANDBOX_DESCRIBE, parent, &why) < 0) {
        child_fini(&child);
        return child_failed("hub.sandbox", &why);
    }
    int result = child.agreement[0] ? check_child(&child, rule, &why) : describe(&child, rule, &why);
    child_fini(&child);
    return result ? child_failed(rule, &why) : 0;
}
