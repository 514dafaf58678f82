#include "plugin/loader.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <ltdl.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

static int refuse(char rule[ACCORD_RULE_MAX], const char *name, int code)
{
    text_copy(rule, ACCORD_RULE_MAX, name);
    return code;
}

/* libltdl calls everything "file not found", and binds lazily. The dynamic linker itself knows what is
 * wrong, and with RTLD_NOW a missing symbol fails here instead of killing the process at its first call.
 * The handle is kept: nothing is ever unloaded. */
static int bind_now(const char *path, struct reason *why)
{
    dlerror();
    if (dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE))
        return 0;
    const char *cause = dlerror();
    return fail(why, ACCORD_EFORMAT,
                "the dynamic linker refuses %s: %.300s; build it against SDK %d.%d and install it again",
                path, cause ? cause : "no reason given", ACCORD_ABI_MAJOR, ACCORD_ABI_MINOR);
}

/* Own symbols only, for ever, and no .la file or other extension: the name is the file. */
static int open_module(const char *path, lt_dlhandle *out, struct reason *why)
{
    unsetenv("LTDL_LIBRARY_PATH");
    lt_dladvise advise;
    if (lt_dlinit() != 0 || lt_dladvise_init(&advise) != 0)
        return fail(why, ACCORD_ENOMEM, "libltdl does not start: %s", lt_dlerror());
    lt_dlhandle module = NULL;
    if (lt_dladvise_local(&advise) == 0 && lt_dladvise_resident(&advise) == 0)
        module = lt_dlopenadvise(path, advise);
    const char *cause = module ? NULL : lt_dlerror();
    lt_dladvise_destroy(&advise);
    *out = module;
    return module ? 0
                  : fail(why, ACCORD_EFORMAT, "libltdl cannot load %s: %s", path,
                         cause ? cause : "no reason given");
}

/* A descriptor shorter than it says would be read beyond its end. */
static size_t symbol_size(const void *address)
{
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    bool found = dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT) != 0;
    return found && symbol && info.dli_saddr == address ? symbol->st_size : 0;
}

/* The descriptor of ABI 1.0, for ever; it grows at its end. */
#define DESCRIPTOR_LEAST (offsetof(struct accord_plugin, policy) + sizeof(void *))

/* Only size and ABI numbers may be read before they are known to be good. */
static int check_abi(const struct accord_plugin *plugin, const char *path, struct reason *why)
{
    size_t least = offsetof(struct accord_plugin, kind);
    if (symbol_size(plugin) < least)
        return fail(why, ACCORD_EFORMAT, "%s: its symbol " ACCORD_PLUGIN_SYMBOL " is no plugin descriptor",
                    path);
    if (plugin->abi_major != ACCORD_ABI_MAJOR)
        return fail(why, ACCORD_ENOTSUP,
                    "%s was built for plugin ABI %u.%u, this program has %d.%d; the first number "
                    "must be the same: build the plugin against this release's headers",
                    path, plugin->abi_major, plugin->abi_minor, ACCORD_ABI_MAJOR, ACCORD_ABI_MINOR);
    if (plugin->abi_minor > ACCORD_ABI_MINOR)
        return fail(why, ACCORD_ENOTSUP,
                    "%s needs plugin ABI %u.%u, this program has %d.%d; install a newer Accord", path,
                    plugin->abi_major, plugin->abi_minor, ACCORD_ABI_MAJOR, ACCORD_ABI_MINOR);
    if (plugin->size < DESCRIPTOR_LEAST || plugin->size > symbol_size(plugin))
        return fail(why, ACCORD_EFORMAT,
                    "%s: its descriptor says %u bytes, of which %zu are there and %zu are needed", path,
                    plugin->size, symbol_size(plugin), DESCRIPTOR_LEAST);
    return 0;
}

static int find_descriptor(lt_dlhandle module, const char *path, const struct accord_plugin **out,
                           char rule[ACCORD_RULE_MAX], struct reason *why)
{
    const struct accord_plugin *plugin = lt_dlsym(module, ACCORD_PLUGIN_SYMBOL);
    if (!plugin)
        return refuse(rule, "plugin.no-symbol",
                      fail(why, ACCORD_EFORMAT,
                           "%s exports no symbol " ACCORD_PLUGIN_SYMBOL
                           "; is it a plugin? It needs ACCORD_PLUGIN = {...}",
                           path));
    int result = check_abi(plugin, path, why);
    if (result)
        return refuse(rule, result == ACCORD_ENOTSUP ? "plugin.abi" : "plugin.malformed", result);
    struct reason cause;
    if (plugin_validate(plugin, &cause) < 0)
        return refuse(rule, "plugin.malformed", fail(why, ACCORD_EFORMAT, "%s: %.300s", path, cause.text));
    *out = plugin;
    return 0;
}

int plugin_load(const char *path, const char *expected, const struct accord_plugin **out,
                char sha256[DIGEST_HEX], char rule[ACCORD_RULE_MAX], struct reason *why)
{
    *out = NULL;
    int result = plugin_inspect_file(path, sha256, rule, why);
    if (result)
        return result;
    if (expected && strcmp(expected, sha256) != 0)
        return refuse(rule, "plugin.hash",
                      fail(why, ACCORD_EDENIED,
                           "%s has the SHA-256 %s, expected was %.64s; if the file was replaced on "
                           "purpose, restart the agent or change its pin",
                           path, sha256, expected));
    lt_dlhandle module;
    result = bind_now(path, why);
    if (!result)
        result = open_module(path, &module, why);
    if (result)
        return refuse(rule, "plugin.corrupt", result);
    return find_descriptor(module, path, out, rule, why);
}
