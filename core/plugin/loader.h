/* Loads one plugin file with libltdl. Child processes only: the hub never loads one, it only looks at the
 * file.
 *
 * The path is absolute and ends in .so, so that no .la file and no search path can redirect it; owner and
 * mode are checked; the SHA-256 is taken before the dynamic linker sees the bytes and compared with the
 * one that the hub expects. Nothing is ever unloaded.
 */
#ifndef PLUGIN_LOADER_H
#define PLUGIN_LOADER_H

#include <accord/plugin.h>

#include "util/digest.h"
#include "util/error.h"

/* `expected`: SHA-256 in hex, or NULL. `rule` receives what was wrong: "plugin.missing",
 * "plugin.unsafe-file", "plugin.hash", "plugin.corrupt", "plugin.no-symbol", "plugin.abi",
 * "plugin.malformed". */
int plugin_load(const char *path, const char *expected, const struct accord_plugin **out,
                char sha256[DIGEST_HEX], char rule[ACCORD_RULE_MAX], struct reason *why);

/* What plugin_load does before the dynamic linker: the file is regular, owned by root or this user,
 * writable by nobody else, neither are the folders above it (but for sticky ones), and whole. Also the
 * hub's side: inside a user namespace every foreign owner looks like root, so only a check from outside,
 * and the hash that it took, tell root from others. */
int plugin_inspect_file(const char *path, char sha256[DIGEST_HEX], char rule[ACCORD_RULE_MAX],
                        struct reason *why);

/* Refuses a descriptor that a correct plugin cannot have: missing slots, bad names, option tables that do
 * not fit their struct. */
int plugin_validate(const struct accord_plugin *, struct reason *why);

#endif
