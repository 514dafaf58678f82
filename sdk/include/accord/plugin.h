/* accord/plugin.h: the one symbol that a plugin exports.
 *
 *     ACCORD_PLUGIN = {
 *         .size = sizeof(struct accord_plugin), .abi_major = ACCORD_ABI_MAJOR, .abi_minor = ACCORD_ABI_MINOR,
 *         .kind = ACCORD_CONNECTOR, .name = "sftp", .version = "0.1", .summary = "...", .connector = &sftp,
 *     };
 *
 * Files: connector-NAME.so and policy-NAME.so in the plugin folder, linked with -z now -z defs.
 */
#ifndef ACCORD_PLUGIN_H
#define ACCORD_PLUGIN_H

#include <accord/connector.h>
#include <accord/policy.h>

#ifdef __cplusplus
extern "C" {
#endif

enum accord_plugin_kind { ACCORD_CONNECTOR = 1, ACCORD_POLICY = 2 };

struct accord_plugin {
    uint32_t size; /* first, for ever: sizeof(struct accord_plugin) when the plugin was built */
    uint16_t abi_major;
    uint16_t abi_minor;
    enum accord_plugin_kind kind;
    const char *name; /* as written in conf.d: lower case, digits, hyphens; at most 32 */
    const char *version;
    const char *summary;                      /* one sentence */
    const struct accord_connector *connector; /* kind ACCORD_CONNECTOR */
    const struct accord_policy *policy;       /* kind ACCORD_POLICY */
};

#define ACCORD_PLUGIN_SYMBOL "accord_plugin"
extern __attribute__((visibility("default"))) const struct accord_plugin accord_plugin;
#define ACCORD_PLUGIN const struct accord_plugin accord_plugin

#ifdef __cplusplus
}
#endif
#endif
