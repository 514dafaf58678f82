/* Where the key is that the store is sealed with. */
#ifndef HUB_STORE_KEY_H
#define HUB_STORE_KEY_H

#include "conf/conf.h"
#include "util/error.h"

/* [store] key-file of agent.conf; otherwise the systemd credential accord-store-key, if there is one; otherwise
 * STATE/keys/store.key. */
int store_key_path(const struct conf_agent *, char *to, size_t room, struct reason *why);

#endif
