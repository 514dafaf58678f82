/* The symbol is there, and is no descriptor. */
#include <stdint.h>

__attribute__((visibility("default"))) const uint16_t accord_plugin = 4711;
