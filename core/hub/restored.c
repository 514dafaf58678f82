#include "hub/restored.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/trail.h"
#include "store/store.h"
#include "util/log.h"
#include "util/text.h"

struct telling {
    struct hub *hub;
    char reason[ACCORD_REASON_MAX];
    struct store_heads heads;
};

static void free_telling(struct telling *telling)
{
    free(telling->heads.rows);
    free(telling);
}

/* Not recorded: the next start tells it again. */
static void recorded(void *arg, int result)
{
    struct telling *telling = arg;
    struct reason why = {""};
    if (!result)
        result = store_restored_told(telling->hub->store, &why);
    if (result)
        log_event(ACCORD_WARNING, "store.restored", NULL,
                  "that the store was restored is told again at the next start: %s",
                  *why.text ? why.text : error_name(result));
    free_telling(telling);
}

static void render(const struct telling *telling, const struct store_head *head, struct store_audit *to)
{
    char sequence[24];
    struct accord_pair detail = {"last-sequence", sequence};
    snprintf(sequence, sizeof sequence, "%" PRIu64, head->head.sequence);
    bool host = !strcmp(head->chain, AUDIT_HOST_CHAIN);
    struct audit_event event = {.action = AUDIT_STORE_RESTORED,
                                .outcome = AUDIT_UNKNOWN,
                                .agreement = host ? NULL : head->chain,
                                .reason = telling->reason,
                                .details = &detail,
                                .detail_count = 1};
    *to = (struct store_audit){.chain = head->chain};
    audit_render(&to->body, &event);
}

/* One commit for all chains. */
static void heads_read(void *arg, int result)
{
    struct telling *telling = arg;
    size_t count = telling->heads.count;
    struct store_audit *records = result || !count ? NULL : calloc(count, sizeof *records);
    if (!records) {
        recorded(telling, result || count ? ACCORD_EIO : 0);
        return;
    }
    for (size_t i = 0; i < count; i++)
        render(telling, &telling->heads.rows[i], &records[i]);
    store_audit(telling->hub->store, records, count, recorded, telling);
    free(records);
}

void restored_tell(struct hub *hub, int64_t made)
{
    struct telling *telling = calloc(1, sizeof *telling);
    char when[32] = "an unknown time";
    if (!telling)
        return;
    telling->hub = hub;
    if (made > 0)
        text_time(when, sizeof when, made);
    snprintf(telling->reason, sizeof telling->reason,
             "the store was restored from a backup made at %s: what happened after it is not in the store, "
             "what was "
             "being delivered then is delivered again, and other copies of the trail go on differently",
             when);
    trail_incident(hub, NULL, NULL, "store.restored", telling->reason);
    store_heads(hub->store, &telling->heads, heads_read, telling);
}
