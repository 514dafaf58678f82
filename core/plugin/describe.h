/* Learns the plugins' option tables from a sandboxed child (`accordd --role=describe`), whose words are
 * decoded as untrusted. One child for each file, so that a crash names its culprit.
 */
#ifndef PLUGIN_DESCRIBE_H
#define PLUGIN_DESCRIBE_H

#include <stdatomic.h>
#include <sys/types.h>

#include "conf/conf.h"
#include "util/error.h"

#define DESCRIBE_MS 10000 /* for one plugin */

struct describing {
    const char *executable; /* accordd */
    const char *folder;     /* of the plugins */
    const struct accord_pair *pins;
    size_t pin_count;
    const char *cache; /* folder of plugin/cache.h, made when needed; NULL: everything is asked anew */
    int deadline_ms;   /* for one plugin */
    const atomic_bool *cancel; /* NULL; becomes true: end soon with ACCORD_ECANCELED */
};
/* As plugin_describe_all(), with what was said before, from any thread. */
int plugin_describe_with(const struct describing *, struct conf_plugins *out, struct conf_report *);

/* Asks every connector-*.so and policy-*.so in `folder`. Plugins that fail are reported (as errors of the
 * file name) and left out. Blocks for at most 10 s a plugin. `executable` is accordd. `pins`: file name to
 * SHA-256; a pinned plugin whose hash differs is refused. */
int plugin_describe_all(const char *executable, const char *folder, const struct accord_pair *pins,
                        size_t pin_count, struct conf_plugins *out, struct conf_report *);

/* Asks one file, which must have the hash that plugin_inspect_file() took. `rule` receives what was wrong:
 * those of loader.h, "plugin.crashed", "plugin.silent" (the deadline passed), "plugin.protocol" (its
 * answer is not one), "hub.sandbox" (the child could not be confined) or "hub.spawn". */
int plugin_describe(const char *executable, const char *path, const char *sha256, int deadline_ms,
                    struct conf_plugin *out, char rule[ACCORD_RULE_MAX], struct reason *why);

/* The child's side: reads SETUP and LOAD from descriptor 3, answers PLUGIN, OPTION..., DESCRIBED or FAILED. A SETUP that
 * names an agreement asks for that agreement's `check` slots instead (check.h).
 * `parent` is what --parent says. Returns the exit status. */
int describe_main(pid_t parent);

#endif
