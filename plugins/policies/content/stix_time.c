#include "stix_time.h"

#include "common/time/civil.h"

bool stix_time_parse(const char *text, struct stix_time *to)
{
    struct civil_time t;
    if (!civil_read(text, &t) || !t.year || t.separator != 'T' || t.zone == 'z' || t.hours > 14)
        return false;
    *to = (struct stix_time){.at = civil_seconds(&t) * 1000000 + t.micros, .zone = t.zone != 0};
    return true;
}
