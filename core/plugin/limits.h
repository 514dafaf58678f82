/* What options of a plugin may be: asked where its tables are read, in the describing child, and again where the hub takes
 * what that child says, as untrusted. */
#ifndef PLUGIN_LIMITS_H
#define PLUGIN_LIMITS_H

#include <accord/option.h>

#define OPTION_CHOICES_MAX 64
#define OPTION_HELP_MAX    1024

#define OPTION_FLAGS                                                                                         \
    ((uint32_t)(ACCORD_REQUIRED | ACCORD_FOLDER_READ | ACCORD_FOLDER_WRITE | ACCORD_FOR_HANDSHAKE))
#define SERVICE_OPTION_FLAGS ((uint32_t)(OPTION_FLAGS | ACCORD_WHEN_SENDING | ACCORD_WHEN_RECEIVING))

/* For one direction: not for the other too, nor required. */
static inline bool option_direction_possible(uint32_t flags)
{
    uint32_t directions = flags & (ACCORD_WHEN_SENDING | ACCORD_WHEN_RECEIVING);
    return !directions ||
           (directions != (ACCORD_WHEN_SENDING | ACCORD_WHEN_RECEIVING) && !(flags & ACCORD_REQUIRED));
}

#endif
