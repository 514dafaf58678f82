#include "taxii_feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define NOW    (INT64_C(1763776800) * SECOND) /* 2025-11-22T02:00:00Z */

struct ais_bench bench;

static const struct accord_pair plain[] = {
    {"collection", "AIS"}, {"settle", "0 s"},         {"start", "12 hours"}, {"poll", "5 min"},
    {"window", "6 hours"}, {"silent-after", "1 day"}, {"max-parts", "5"},    {NULL, NULL}};

void open_with(const struct accord_pair *link, const struct accord_pair *options, const char *cursor)
{
    const struct ais_service service = {"feed", ACCORD_RECEIVE, options ? options : plain};
    memset(&bench, 0, sizeof bench);
    snprintf(bench.cursor, sizeof bench.cursor, "%s", cursor);
    ais_open(&bench, link, &service, 1);
    testhost_set_wall(bench.host, NOW);
    ais_start(&bench);
}

void open_plain(void)
{
    open_with(NULL, NULL, "");
}

void asks(const char *begin, const char *end)
{
    char text[300];
    snprintf(text, sizeof text,
             "<t:Exclusive_Begin_Timestamp>%s</t:Exclusive_Begin_Timestamp>"
             "<t:Inclusive_End_Timestamp>%s</t:Inclusive_End_Timestamp>",
             begin, end);
    if (!partner_waiting())
        fail_msg("nothing is asked, but %s to %s should be", begin, end);
    if (!strstr(partner_body(partner_call(0)), text))
        fail_msg("%s is asked, and not %s to %s", partner_body(partner_call(0)), begin, end);
}

void asks_part(const char *result, int part)
{
    char text[300];
    snprintf(text, sizeof text, "result_id=\"%s\" result_part_number=\"%d\"", result, part);
    if (!partner_waiting() || !strstr(partner_body(partner_call(0)), text))
        fail_msg("%s should be asked", text);
}

const char *cursor(void)
{
    return testhost_cursor(bench.host, 0);
}

size_t taken(void)
{
    size_t count = 0;
    for (size_t i = 0; i < testhost_offers(bench.host); i++)
        count += testhost_offer(bench.host, i)->done &&
                 testhost_offer(bench.host, i)->admission != ACCORD_DEFERRED;
    return count;
}
