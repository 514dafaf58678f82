/* A line of an exported trail: whoever can write to the audit folder wrote it. */
#include <stdint.h>
#include <stdlib.h>

#include "audit/anchor.h"
#include "audit/chain.h"
#include "audit/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct audit_seal_facts facts;
    struct audit_chain_head head;
    struct line line;
    struct reason why;
    char date[LINE_DATE_SIZE];
    audit_unseal(text, size, &facts, &why);
    if (line_date(text, size, date) && !line_is_date(date))
        abort();
    if (line_parse(&line, text, size, &why) == 0) {
        anchor_check(&line, NULL, &why);
        for (size_t at = 0; anchor_next(&line, &at, &head);)
            if (!head.head.sequence)
                abort();
    }
    line_fini(&line);
    return 0;
}
