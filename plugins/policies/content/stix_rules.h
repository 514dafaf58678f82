/* What the AIS Data Profile (30 December 2016) asks of a package beside its marking. One function, one rule. */
#ifndef CONTENT_STIX_RULES_H
#define CONTENT_STIX_RULES_H

#include "stix.h"
#include "stix_fault.h"
#include "stix_name.h"
#include "stix_word.h"

struct stix_rules {
    const struct stix_options *options;
    struct stix_fault *fault;
    int64_t now;
};

/* The root must be a STIX_Package of STIX 1, in a version that the agreement takes. */
int stix_rule_root(const struct stix_rules *, const struct xml_element *);
int stix_rule_version(const struct stix_rules *, const struct xml_element *);
int stix_rule_id(const struct stix_rules *, struct xml_reader *, const struct xml_element *, const char *id);
/* The package's own timestamp must be there; whatever has one must have it right. */
int stix_rule_package_time(const struct stix_rules *, const struct xml_element *, const char *timestamp);
int stix_rule_time(const struct stix_rules *, const struct xml_element *, const char *timestamp);
int stix_rule_namespace(const struct stix_rules *, const struct xml_element *);
/* Its prefix must be declared; `value` as written. */
int stix_rule_type(const struct stix_rules *, const struct xml_element *, const char *value,
                   const struct stix_type *);
/* Children of the package beside its header. */
int stix_rule_container(const struct stix_rules *, const struct xml_element *);
/* cybox:Properties: what kind of object? */
int stix_rule_object(const struct stix_rules *, const struct xml_element *, const struct stix_type *);
int stix_rule_intent_type(const struct stix_rules *, const struct xml_element *, const struct stix_type *);
int stix_rule_intent(const struct stix_rules *, const struct stix_spot *, const char *text);
/* Free text. */
int stix_rule_personal(const struct stix_rules *, const struct stix_spot *, const char *text);

#endif
