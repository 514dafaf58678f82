/* What describing children said, kept by the SHA-256 of the plugin, so that a plugin is asked once. Read as untrusted:
 * an entry that is damaged, of another version, or that answers.h refuses counts as none.
 */
#ifndef PLUGIN_CACHE_H
#define PLUGIN_CACHE_H

#include "plugin/answers.h"
#include "util/buf.h"

/* Decodes what is kept. False: nothing of use. */
bool cache_get(const char *folder, const char *sha256, struct answers *);
/* `said`: datagrams, each added by cache_add(). Failing is no harm: the plugin is asked again. */
void cache_put(const char *folder, const char *sha256, const struct buf *said);
void cache_add(struct buf *said, struct wire_bytes datagram);
/* Removes entries of plugins that are not there any more. */
void cache_tidy(const char *folder, const struct conf_plugins *);
/* The bytes of a file of the cache. False: they could not be made. */
bool cache_encode(const struct buf *said, struct buf *file);
bool cache_decode(const uint8_t *bytes, size_t size, struct answers *);

#endif
