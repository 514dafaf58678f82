/* Which protocol a session is judged by, and what has none. */
#include "session.h"

#include <string.h>

#include "judging.h"
#include "sasl.h"

bool session_is_ssh(const struct accord_policy_link *link)
{
    return !strcmp(link->connector, "sftp");
}

bool session_is_tls(const struct accord_policy_link *link)
{
    return !strcmp(link->connector, "taxii") || sasl_logs_in(link);
}

const char *session_option(const struct accord_policy_link *link, const char *name)
{
    return judging_find(link->options, link->option_count, name);
}

bool session_may_be_plain(const struct encryption_options *options, const struct accord_policy_link *link)
{
    for (size_t i = 0; i < options->unencrypted.count; i++)
        if (!strcmp(options->unencrypted.items[i], link->name))
            return true;
    return false;
}

/* A session that says itself that it is not encrypted. */
static bool is_plain(const struct accord_inquiry *inquiry)
{
    const char *encryption = judging_find(inquiry->facts, inquiry->fact_count, "session.encryption");
    return encryption && !strcmp(encryption, "none");
}

/* Any connector may speak TLS or SASL, an integrator's too: its session says so. */
static bool speaks(const struct accord_inquiry *inquiry, const char *prefix)
{
    for (size_t i = 0; i < inquiry->fact_count; i++)
        if (!strncmp(inquiry->facts[i].name, prefix, strlen(prefix)))
            return true;
    return false;
}

static bool logged_in(const struct judging *j)
{
    bool by_sasl = sasl_logs_in(j->inquiry->link) || speaks(j->inquiry, "sasl.");
    return tls_authenticated(j) && (!by_sasl || sasl_authenticated(j));
}

static void judge(const struct judging *j)
{
    const struct accord_policy_link *link = j->inquiry->link;
    bool handshake = j->inquiry->question == ACCORD_ASK_HANDSHAKE;
    if (is_plain(j->inquiry) && session_may_be_plain(j->options, link))
        return;
    if (is_plain(j->inquiry))
        judging_deny(
            j, "encryption.unencrypted",
            "link %s: the session is not encrypted; only where the agreement provides for that, write "
            "unencrypted = %s into [policy encryption]",
            link->name, link->name);
    else if (session_is_ssh(link))
        (void)(handshake ? ssh_handshake(j) : ssh_authenticated(j));
    else if (speaks(j->inquiry, "tls."))
        (void)(handshake ? tls_handshake(j) : logged_in(j));
    else
        judging_deny(j, "encryption.unknown-protocol",
                     "link %s: sessions of connector %s report neither TLS nor that they are unencrypted, so "
                     "they cannot "
                     "be judged, and so not allowed",
                     link->name, link->connector);
}

void session_judge(const struct encryption_options *options, const struct accord_inquiry *inquiry,
                   int64_t now, struct session_ruling *ruling)
{
    *ruling = (struct session_ruling){.answer = ACCORD_ALLOW, .rule = ""};
    judge(&(struct judging){options, inquiry, now / 1000000, ruling});
}
