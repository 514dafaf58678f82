/* A host of the next minor and the plugins of this one: everything here is compiled with headers that have something more
 * at every end (CMakeLists.txt), but the plugins are those of the build.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/instance.h"
#include "plugin/loader.h"

#include <cmocka.h> /* last: it has a macro `fail` */

static struct reason why;
static char rule[ACCORD_RULE_MAX], sha256[DIGEST_HEX];

static const struct accord_plugin *load(const char *folder, const char *name)
{
    char path[PATH_MAX];
    const struct accord_plugin *plugin;
    snprintf(path, sizeof path, "%s/lib/accord/%s/%s.so", getenv("ACCORD_BUILD"), folder, name);
    why.text[0] = 0;
    int result = plugin_load(path, NULL, &plugin, sha256, rule, &why);
    assert_true((result == 0) == (plugin != NULL));
    return plugin;
}

static void the_plugins_are_older_than_this_host(void **state)
{
    (void)state;
    const struct accord_plugin *plugin = load("faults", "connector-good");
    if (!plugin)
        fail_msg("%s", why.text);
    assert_int_equal(plugin->abi_minor, ACCORD_ABI_MINOR - 1);
    assert_int_equal(plugin->size, sizeof *plugin - sizeof(void *));
    assert_int_equal(plugin->connector->size, sizeof *plugin->connector - sizeof(void *));
}

static void a_slot_that_an_older_table_does_not_reach_is_missing(void **state)
{
    (void)state;
    const struct accord_plugin *connector = load("plugins", "connector-dir");
    const struct accord_plugin *policy = load("plugins", "policy-services");
    if (!connector || !policy)
        fail_msg("%s", why.text);
    struct accord_connector c;
    struct accord_policy p;
    memset(&c, 0xff, sizeof c);
    memset(&p, 0xff, sizeof p);
    instance_vtable(&c, sizeof c, connector->connector);
    instance_vtable(&p, sizeof p, policy->policy);
    assert_null(c.later);
    assert_null(p.later);
    assert_true(c.open == connector->connector->open && c.probe == connector->connector->probe);
    assert_true(p.open == policy->policy->open && p.profile == policy->policy->profile);
}

/* One of this host's own minor has the slot; one that says less than the first minor had is none. */
static void a_table_may_have_any_size_from_the_first_minor_on(void **state)
{
    (void)state;
    const struct accord_plugin *good = load("faults", "connector-good");
    assert_non_null(good);
    struct accord_connector connector;
    instance_vtable(&connector, sizeof connector, good->connector);
    struct accord_plugin plugin = {.size = sizeof plugin,
                                   .abi_major = ACCORD_ABI_MAJOR,
                                   .abi_minor = ACCORD_ABI_MINOR,
                                   .kind = ACCORD_CONNECTOR,
                                   .name = "good",
                                   .version = "1",
                                   .summary = "Good.",
                                   .connector = &connector};
    connector.size = sizeof connector;
    assert_int_equal(plugin_validate(&plugin, &why), 0);
    connector.size = offsetof(struct accord_connector, later);
    assert_int_equal(plugin_validate(&plugin, &why), 0);
    connector.size = offsetof(struct accord_connector, probe);
    assert_int_equal(plugin_validate(&plugin, &why), ACCORD_EFORMAT);
    connector.size = sizeof connector + sizeof(void *);
    assert_int_equal(plugin_validate(&plugin, &why), ACCORD_EFORMAT);
    assert_non_null(strstr(why.text, "its connector table says"));
}

static void another_major_is_refused_with_what_to_do(void **state)
{
    (void)state;
    assert_null(load("faults", "connector-wrong-major"));
    assert_string_equal(rule, "plugin.abi");
    assert_non_null(strstr(why.text, "build the plugin against this release's headers"));
}

/* What is newer than the host of today is of the minor of this one. */
static void what_was_newer_than_the_host_of_before_is_taken_now(void **state)
{
    (void)state;
    const struct accord_plugin *plugin = load("faults", "connector-newer-minor");
    if (!plugin)
        fail_msg("%s", why.text);
    assert_int_equal(plugin->abi_minor, ACCORD_ABI_MINOR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plugins_are_older_than_this_host),
        cmocka_unit_test(a_slot_that_an_older_table_does_not_reach_is_missing),
        cmocka_unit_test(a_table_may_have_any_size_from_the_first_minor_on),
        cmocka_unit_test(another_major_is_refused_with_what_to_do),
        cmocka_unit_test(what_was_newer_than_the_host_of_before_is_taken_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
