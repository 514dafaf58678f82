#include "probe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "taxii.h"

/* What is asked, one after the other, as far as there is a path for it. Nothing is submitted and nothing is fetched: an
 * address that takes no such question answers with a status, which shows that it speaks TAXII and knows us. */
enum { ASK_DISCOVERY, ASK_COLLECTIONS, ASK_SERVICE, ASK_NOTHING };

struct probe {
    struct exchange exchange; /* first */
    struct accord_probe *handle;
    struct probe *next;
    int turn;
    struct catalogue catalogue; /* the link's own, while ours is in its place */
    char step[32], words[ACCORD_REASON_MAX]; /* the last step that http told, to be told before the next one */
    int result;
    size_t instances, collections;
};

static void tell(struct probe *probe, bool last, const char *step, int result, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void tell(struct probe *probe, bool last, const char *step, int result, const char *format, ...)
{
    char text[ACCORD_REASON_MAX];
    const struct link *link = probe->exchange.link;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    link->host->probed(probe->handle, step, result, text, last);
}
