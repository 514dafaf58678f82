/* The files of conf.d to begin with, as they are in the sources (core/CMakeLists.txt puts them in). */
#ifndef CLI_SHIPPED_H
#define CLI_SHIPPED_H

#include <stddef.h>

struct shipped {
    const unsigned char *bytes;
    size_t size;
};
extern const struct shipped shipped_agent, shipped_site, shipped_cbp_isa, shipped_cisa_ais;

#endif
