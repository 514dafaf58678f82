#include "hub/store_key.h"

#include <stdlib.h>
#include <unistd.h>

#include "util/file.h"
#include "util/text.h"

#define CREDENTIAL "accord-store-key"

int store_key_path(const struct conf_agent *agent, char *to, size_t room, struct reason *why)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    if (*agent->key_file) {
        text_copy(to, room, agent->key_file);
        return 0;
    }
    if (credentials && *credentials && !file_path(to, room, credentials, CREDENTIAL) && access(to, F_OK) == 0)
        return 0;
    return file_path(to, room, agent->state, "keys/store.key")
               ? fail(why, ACCORD_EINVAL, "the state folder's name is too long: %s", agent->state)
               : 0;
}
