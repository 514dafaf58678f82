/* Lists of known names, for saying what is allowed and which known name was probably meant. */
#ifndef CONF_NAMES_H
#define CONF_NAMES_H

#include <accord/option.h>

#define NAMES_MAX 255

/* The names are borrowed. More than NAMES_MAX are left out of the hint. */
struct names {
    const char *items[NAMES_MAX + 1];
    size_t count;
};

void names_add(struct names *, const char *name);
void names_add_options(struct names *, const struct accord_option *table);
/* "did you mean `host`? Known: host, port", or as much of it as applies and fits. */
void names_hint(const struct names *, const char *text, char *to, size_t room);

#endif
