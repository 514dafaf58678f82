#include "conf/user.h"

#include <pwd.h>
#include <stddef.h>

bool conf_user_find(const char *name, uid_t *uid)
{
    char texts[4096];
    struct passwd entry, *found = NULL;
    if (getpwnam_r(name, &entry, texts, sizeof texts, &found) || !found)
        return false;
    *uid = found->pw_uid;
    return true;
}
