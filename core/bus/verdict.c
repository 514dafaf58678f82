#include <stdlib.h>

#include "bus/bus.h"
#include "util/text.h"

static const struct bus_words silence;
/* Stands in for words for which there is no memory. */
static const struct bus_words no_memory = {"hub", "hub.no-memory",
                                           "out of memory: the reason could not be kept"};

const struct bus_words *bus_verdict_words(const struct bus_verdict *verdict)
{
    return verdict->words ? verdict->words : &silence;
}

static void words_free(const struct bus_words *words)
{
    if (words != &no_memory)
        free((void *)(uintptr_t)words);
}

void bus_verdict_say(struct bus_verdict *verdict, const char *module, const char *rule, const char *reason)
{
    struct bus_words *words = malloc(sizeof *words);
    words_free(verdict->words);
    verdict->words = words ? words : &no_memory;
    if (!words)
        return;
    text_copy(words->module, sizeof words->module, module);
    text_copy(words->rule, sizeof words->rule, rule);
    text_copy(words->reason, sizeof words->reason, reason);
}

void bus_verdict_fini(struct bus_verdict *verdict)
{
    free(verdict->keys);
    words_free(verdict->words);
    verdict->keys = NULL;
    verdict->key_count = 0;
    verdict->words = NULL;
}
