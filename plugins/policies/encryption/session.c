/* Which protocol a session is judged by, and what has none. */
#include "session.h"

#include <string.h>

#include "judging.h"

bool session_is_ssh(const struct accord_policy_link *link)
{
    return !strcmp(link->connector, "sftp");
}

bool session_always_encrypts(const struct accord_policy_link *link)
{
    return session_is_ssh(link) || !strcmp(link->connector, "taxii");
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

/* Any connector may speak TLS, an integrator's too: its session says so. */
static bool is_tls(const struct accord_inquiry *inquiry)
{
    for (size_t i = 0; i < inquiry->fact_count; i++)
        if (!strncmp(inquiry->facts[i].name, "tls.", 4))
            return true;
    return false;
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
    else if (is_tls(j->inquiry))
        (void)(handshake ? tls_handshake(j) : tls_authenticated(j));
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
