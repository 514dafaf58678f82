/* Learns the plugins' option tables from a sandboxed child (`accordd --role=describe`), whose words are decoded
 * as untrusted. One child for each file, so that a crash names its culprit.
 */
#ifndef PLUGIN_DESCRIBE_H
#define PLUGIN_DESCRIBE_H

#include "conf/conf.h"

/* Asks every connector-*.so and policy-*.so in `folder`. Plugins that fail are reported (as errors of the file
 * name) and left out. Blocks for at most 10 s a plugin. `executable` is accordd. `pins`: file name to SHA-256;
 * a pinned plugin whose hash differs is refused. */
int plugin_describe_all(const char *executable, const char *folder, const struct accord_pair *pins, size_t pin_count,
                        struct conf_plugins *out, struct conf_report *);

/* The child's side: reads SETUP and LOAD from descriptor 3, answers PLUGIN, OPTION..., DESCRIBED or FAILED. */
int describe_main(void);

#endif
