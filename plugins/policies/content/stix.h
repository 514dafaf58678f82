/* STIX 1.x packages (message type `stix-1`): what the agreement asks of them. How it is read: stix.c.
 * docs/AIS-MARKING.md lists every rule with its clause.
 */
#ifndef CONTENT_STIX_H
#define CONTENT_STIX_H

#include <accord/option.h>

enum stix_require { STIX_REQUIRE_AIS, STIX_REQUIRE_TLP, STIX_REQUIRE_ANY, STIX_REQUIRE_NONE };
enum stix_timestamp { STIX_TIMESTAMP_ZONE, STIX_TIMESTAMP_ANY, STIX_TIMESTAMP_NO };
enum stix_incoming { STIX_INCOMING_MARKING, STIX_INCOMING_PROFILE };
enum stix_personal_choice { STIX_PERSONAL_OFF, STIX_PERSONAL_DENY };

struct stix_options {
    struct accord_list versions, colors, consents, objects, containers, namespaces, intents;
    int64_t marking;   /* enum stix_require */
    int64_t timestamp; /* enum stix_timestamp */
    int64_t incoming;  /* enum stix_incoming */
    int64_t personal;  /* enum stix_personal_choice */
    bool isa, id, header, intent, identity;
    int64_t max_size, max_future;
    const char *schemas, *schema_driver;
};

struct stix_schema; /* stix_schema.h */

#endif
