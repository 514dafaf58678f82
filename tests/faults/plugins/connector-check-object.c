/* Its check objects to every service, and to a link whose mode is plain. */
#include <accord/plugin.h>
#include <stdio.h>

static int object(const struct accord_link_setup *setup, char *why, size_t why_size);

#define FAULT_NAME  "check-object"
#define FAULT_CHECK object
#include "good.h"

static int object(const struct accord_link_setup *setup, char *why, size_t why_size)
{
    const struct good_options *options = setup->options;
    if (setup->service_count) {
        snprintf(why, why_size, "service %s: directory = %s is not one", setup->services[0]->name,
                 *(const char *const *)setup->services[0]->options);
        return ACCORD_EINVAL;
    }
    snprintf(why, why_size, "wait of %lld ms is too short for mode plain", (long long)options->wait);
    return options->mode ? ACCORD_OK : ACCORD_EINVAL;
}
