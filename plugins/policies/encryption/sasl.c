#include "sasl.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What the libraries of our own connectors have; of a stranger's, all may be meant. */
static const struct {
    const char *connector, *mechanisms;
} speaks[] = {
    {"mq", "EXTERNAL,PLAIN,ANONYMOUS"},
    {"smtp", "EXTERNAL,PLAIN,LOGIN," SASL_NONE},
};
#define SPEAKS (sizeof speaks / sizeof *speaks)

static const char *mechanisms_of(const struct accord_policy_link *link)
{
    for (size_t i = 0; i < SPEAKS; i++)
        if (!strcmp(link->connector, speaks[i].connector))
            return speaks[i].mechanisms;
    return NULL;
}

bool sasl_logs_in(const struct accord_policy_link *link)
{
    return mechanisms_of(link);
}

static bool is_here(const char *host)
{
    struct in_addr address;
    return !strcasecmp(host, "localhost") || !strcmp(host, "::1") ||
           (inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

static bool may_use(const struct accord_policy_link *link, const char *mechanism)
{
    const char *known = mechanisms_of(link);
    if (known && !judging_one_of(known, mechanism))
        return false;
    if (!strcmp(mechanism, "ANONYMOUS")) /* to a partner we always have a name */
        return is_here(link->endpoint_host);
    return strcmp(mechanism, SASL_NONE) || !session_option(link, "user"); /* whoever has one uses it */
}

void sasl_compile(const struct encryption_options *o, const struct accord_policy_link *link,
                  char to[SASL_TEXT_MAX])
{
    size_t used = 0;
    to[0] = 0;
    for (size_t i = 0; i < o->sasl.count && used < SASL_TEXT_MAX; i++)
        if (may_use(link, o->sasl.items[i]) && !judging_one_of(to, o->sasl.items[i]))
            used +=
                (size_t)snprintf(to + used, SASL_TEXT_MAX - used, "%s%s", used ? "," : "", o->sasl.items[i]);
}

/* ---- when the file is read ---- */

int sasl_check(const struct encryption_options *o, const struct accord_policy_link *link, char *why,
               size_t why_size)
{
    char text[SASL_TEXT_MAX];
    if (!sasl_logs_in(link))
        return 0;
    sasl_compile(o, link, text);
    if (!*text)
        snprintf(why, why_size,
                 "sasl-mechanisms leaves nothing by which link %s could log in; connector %s has %s",
                 link->name, link->connector, mechanisms_of(link));
    else if (!strcmp(link->connector, "smtp") && !session_option(link, "user") &&
             !session_option(link, "certificate") && !judging_one_of(text, SASL_NONE))
        snprintf(why, why_size,
                 "link %s has no user, so that nobody would log in; give it one, or, where the agreement "
                 "provides for "
                 "mail without a login, add none to sasl-mechanisms",
                 link->name);
    else
        return 0;
    return ACCORD_EINVAL;
}

int sasl_check_list(const struct encryption_options *o, const struct accord_policy_setup *setup, char *why,
                    size_t why_size)
{
    if (algorithms_check(ALGORITHM_SASL, "sasl-mechanisms", &o->sasl, why, why_size))
        return ACCORD_EINVAL;
    if (!algorithms_lists(&o->sasl, "ANONYMOUS"))
        return 0;
    for (size_t i = 0; i < setup->link_count; i++)
        if (may_use(setup->links[i], "ANONYMOUS"))
            return 0;
    snprintf(why, why_size,
             "sasl-mechanisms: ANONYMOUS is for a broker on this host alone (endpoint localhost, 127.0.0.1 "
             "or ::1), "
             "and no link of this agreement has one");
    return ACCORD_EINVAL;
}

/* ---- a session that has logged in ---- */

static bool offered(const char *list, const char *mechanism)
{
    size_t size = strlen(mechanism);
    for (; *list; list += strcspn(list, ","), list += *list == ',')
        if (strcspn(list, ",") == size && !strncasecmp(list, mechanism, size))
            return true;
    return false;
}

static bool allowed(const struct judging *j, const char *mechanism, const char *offers)
{
    const struct accord_policy_link *link = j->inquiry->link;
    char text[SASL_TEXT_MAX];
    sasl_compile(j->options, link, text);
    if (judging_one_of(text, mechanism))
        return true;
    if (!strcmp(mechanism, SASL_NONE) && session_option(link, "user"))
        return judging_deny(
            j, "encryption.sasl-mechanism",
            "link %s: nobody logged in at %.100s, though the link has a user; the partner offers: "
            "%.100s",
            link->name, link->endpoint_host, *offers ? offers : "nothing");
    if (!strcmp(mechanism, SASL_NONE))
        return judging_deny(
            j, "encryption.sasl-mechanism",
            "link %s: nobody logged in at %.100s; only where the agreement provides for that, add none "
            "to sasl-mechanisms, otherwise give the link a user",
            link->name, link->endpoint_host);
    return judging_deny(
        j, "encryption.sasl-mechanism",
        "link %s: the login was by %.40s, and sasl-mechanisms allows %s here; the partner offers: "
        "%.100s. Ask the partner for one that is allowed, or add it if the agreement provides for it",
        link->name, mechanism, *text ? text : "nothing", *offers ? offers : "nothing");
}

bool sasl_authenticated(const struct judging *j)
{
    const struct accord_policy_link *link = j->inquiry->link;
    const char *mechanism = judging_fact(j, "sasl.mechanism");
    if (!mechanism || !judging_reports(j, "sasl.offered"))
        return false;
    const char *offers = judging_find(j->inquiry->facts, j->inquiry->fact_count, "sasl.offered");
    offers = offers ? offers : "";
    if (!allowed(j, mechanism, offers))
        return false;
    if (strcmp(mechanism, SASL_NONE) && !offered(offers, mechanism))
        return judging_deny(j, "encryption.sasl-mechanism",
                            "link %s: the login was by %.40s, which the partner does not offer (%.100s)",
                            link->name, mechanism, *offers ? offers : "nothing");
    /* EXTERNAL is the certificate: without one the partner has taken us for somebody for another reason. */
    if (!strcmp(mechanism, "EXTERNAL") &&
        !judging_find(j->inquiry->facts, j->inquiry->fact_count, "tls.client.key"))
        return judging_deny(
            j, "encryption.sasl-mechanism",
            "link %s: the login was by EXTERNAL, but %.100s got no certificate of ours to know us by; "
            "did it ask for one, and does the link name one?",
            link->name, link->endpoint_host);
    return true;
}
