#include "policy_load.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct testpolicy *policy_of(const char *module)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/lib/accord/plugins/policy-%s.so", getenv("ACCORD_BUILD"), module);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct accord_plugin *plugin = library ? dlsym(library, ACCORD_PLUGIN_SYMBOL) : NULL;
    if (!plugin)
        fail_msg("%s", dlerror());
    assert_string_equal(plugin->name, module);
    struct testpolicy *h = testpolicy_new(plugin);
    h->setup.agreement = "cbp-isa";
    return h;
}

void policy_end(struct testpolicy *h)
{
    testpolicy_close(h);
    assert_int_equal(testhost_complaints(h->host), 0);
    testpolicy_free(h);
}
