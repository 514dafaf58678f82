/* From the dial to the second verdict: the secrets of the handshake, TLS, its verdict, SASL, and the verdict on whom the
 * broker takes us for. */
#include "channel_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct accord_host *host_of(const struct channel *channel)
{
    return channel->set->host;
}

static const char *peer(const struct channel *channel)
{
    return channel->set->name;
}

static const char *profile(void *arg, const char *name)
{
    const struct channel *channel = arg;
    return host_of(channel)->profile(channel->handle, name);
}

static const char *fact(const struct tls_facts *facts, const char *name)
{
    for (size_t i = 0; i < facts->count; i++)
        if (strcmp(facts->pairs[i].name, name) == 0)
            return facts->pairs[i].value;
    return "";
}

static void report(struct channel *channel, enum accord_stage stage, const struct accord_pair *facts,
                   size_t count, accord_verdict_fn done)
{
    if (host_of(channel)->report(channel->handle, stage, facts, count, done, channel) < 0)
        channel_fail(channel, CHANNEL_LOST, "", "the host takes no facts of the session now");
}

static void judged_badly(struct channel *channel, enum accord_answer answer, const char *rule,
                         const char *reason)
{
    channel->deferred = answer == ACCORD_DEFER;
    channel_fail(channel, channel->deferred ? CHANNEL_LOST : CHANNEL_REFUSED, rule, "%s", reason);
}

/* ---- the handshake ---- */

static void begin_sasl(struct channel *channel)
{
    channel_stage(channel, CHANNEL_MECHANISMS);
    wire_put(channel, sasl_header, sizeof sasl_header);
    channel_run(channel, false);
}

static void on_judged(void *arg, enum accord_answer answer, const char *rule, const char *reason)
{
    struct channel *channel = arg;
    channel_enter(channel);
    if (channel_alive(channel)) {
        if (answer == ACCORD_ALLOW)
            begin_sasl(channel);
        else
            judged_badly(channel, answer, rule, reason);
    }
    channel_leave(channel);
}

static const struct accord_pair no_encryption = {"session.encryption", "none"};

static void shaken(struct channel *channel)
{
    struct tls_facts facts = {.count = 0};
    char text[ACCORD_REASON_MAX];
    tls_handshake_facts(channel->tls, channel->ssl, &facts);
    snprintf(text, sizeof text, "%s, %s; the partner is %s", fact(&facts, "tls.version"),
             fact(&facts, "tls.cipher"), fact(&facts, "tls.peer.subject"));
    channel_stage(channel, CHANNEL_JUDGED);
    channel_step(channel, "tls", ACCORD_OK, text);
    if (channel_alive(channel))
        report(channel, ACCORD_HANDSHAKE, facts.pairs, facts.count, on_judged);
}

/* ---- the secrets of the handshake ---- */

void login_forget(struct channel *channel)
{
    for (int i = 0; i < SECRETS; i++) {
        if (channel->secrets[i])
            explicit_bzero(channel->secrets[i], channel->secret_sizes[i]);
        free(channel->secrets[i]);
        channel->secrets[i] = NULL;
    }
}

static struct tls_bytes secret(const struct channel *channel, int which)
{
    return (struct tls_bytes){channel->secrets[which], channel->secret_sizes[which]};
}

static bool make_tls(struct channel *channel)
{
    const struct channel_settings *set = channel->set;
    struct tls_problem problem;
    const struct tls_setup setup = {
        .host = set->name,
        .pins = set->pins ? set->pins->items : NULL,
        .pin_count = set->pins ? set->pins->count : 0,
        .trust = secret(channel, SECRET_TRUST),
        .certificate = secret(channel, SECRET_CERTIFICATE),
        .key = secret(channel, SECRET_KEY),
        .passphrase = secret(channel, SECRET_PASSPHRASE),
        .now = set->host->wall(set->instance),
        .profile = profile,
        .profile_arg = channel,
    };
    channel->tls = tls_new(&setup, &problem);
    login_forget(channel);
    if (!channel->tls)
        channel_fail(channel, problem.park ? CHANNEL_REFUSED : CHANNEL_LOST, problem.rule, "%s",
                     problem.reason);
    return channel->tls != NULL;
}

static void shake(struct channel *channel)
{
    const struct channel_settings *set = channel->set;
    if (!make_tls(channel))
        return;
    if (set->certificate_until && tls_until(channel->tls))
        set->certificate_until(channel->owner->arg, tls_until(channel->tls));
    if (!channel_alive(channel) || !wire_begin(channel))
        return;
    channel_stage(channel, CHANNEL_SHAKING);
    channel_run(channel, false);
}

static const char *secret_option(const struct channel *channel, int which)
{
    const struct channel_settings *set = channel->set;
    const char *const names[SECRETS] = {set->trust, set->certificate, set->key, set->passphrase};
    return names[which];
}

static void no_secret(struct channel *channel, const char *option, const char *why)
{
    channel_fail(channel, CHANNEL_LOST, "", "the link's `%s` cannot be read: %s", option, why);
}

static void next_secret(struct channel *channel);

static void on_secret(void *arg, int result, const uint8_t *bytes, size_t size, const char *reason)
{
    struct channel *channel = arg;
    int which = channel->secret;
    uint8_t *copy = result < 0 ? NULL : malloc(size ? size : 1);
    if (copy && size)
        memcpy(copy, bytes, size);
    channel_enter(channel);
    channel->secrets[which] = copy;
    channel->secret_sizes[which] = size;
    if (channel_alive(channel) && copy)
        next_secret(channel);
    else
        no_secret(channel, secret_option(channel, which), result < 0 ? reason : "out of memory");
    channel_leave(channel);
}

static void next_secret(struct channel *channel)
{
    const char *option = NULL;
    while (!option && ++channel->secret < SECRETS)
        option = secret_option(channel, channel->secret);
    if (!option)
        shake(channel);
    else if (host_of(channel)->secret(channel->handle, option, on_secret, channel) < 0)
        no_secret(channel, option, "the host gives none now");
}

void login_begin(struct channel *channel)
{
    const char *encryption = profile(channel, no_encryption.name);
    channel->plain = encryption && strcmp(encryption, no_encryption.value) == 0;
    channel->secret = -1;
    if (!channel->plain) {
        next_secret(channel);
    } else if (wire_begin(channel)) {
        channel_stage(channel, CHANNEL_JUDGED);
        report(channel, ACCORD_HANDSHAKE, &no_encryption, 1, on_judged);
    }
}

/* ---- the authenticated session ---- */

static void on_known(void *arg, enum accord_answer answer, const char *rule, const char *reason)
{
    struct channel *channel = arg;
    channel_enter(channel);
    if (channel_alive(channel) && answer == ACCORD_ALLOW) {
        amqp_begin(channel);
        channel_run(channel, false);
    } else if (channel_alive(channel)) {
        judged_badly(channel, answer, rule, reason);
    }
    channel_leave(channel);
}

static void authenticated(struct channel *channel)
{
    struct accord_pair pairs[TLS_FACTS_MAX + 3];
    struct tls_facts facts = {.count = 0};
    char text[ACCORD_REASON_MAX];
    size_t count = 0;
    if (channel->plain)
        pairs[count++] = no_encryption;
    else
        tls_authenticated_facts(channel->tls, channel->ssl, &facts);
    for (size_t i = 0; i < facts.count; i++)
        pairs[count++] = facts.pairs[i];
    pairs[count++] = (struct accord_pair){"sasl.mechanism", channel->mechanism};
    pairs[count++] = (struct accord_pair){"sasl.offered", channel->offered};
    snprintf(text, sizeof text, "%s; offered: %.400s", channel->mechanism, channel->offered);
    channel_stage(channel, CHANNEL_KNOWN);
    channel_step(channel, "authenticate", ACCORD_OK, text);
    if (channel_alive(channel))
        report(channel, ACCORD_AUTHENTICATED, pairs, count, on_known);
}

static void not_taken(struct channel *channel, unsigned code)
{
    bool ours = code == SASL_AUTH || code > SASL_SYS_TEMP;
    if (ours && strcmp(channel->mechanism, "PLAIN") == 0)
        channel_fail(
            channel, CHANNEL_REFUSED, "mq.credentials",
            "%s refuses user %.100s or the password; check `user` and `password` of the link, and whether "
            "the partner has the user",
            peer(channel), channel->set->user);
    else if (ours)
        channel_fail(channel, CHANNEL_REFUSED, "mq.credentials", "%s refuses us with %s%s", peer(channel),
                     channel->mechanism,
                     strcmp(channel->mechanism, "EXTERNAL")
                         ? ""
                         : ": ask the partner which user the subject of our certificate stands for");
    else
        channel_fail(channel, code == SASL_SYS_PERM ? CHANNEL_REFUSED : CHANNEL_LOST, "mq.sasl-outcome",
                     "%s cannot authenticate anybody now (SASL outcome %u)%s", peer(channel), code,
                     code == SASL_SYS_PERM ? "; the partner has to put it right" : "; it is tried again");
}

/* ---- the mechanism ---- */

/* Puts what we say; the frame holds the password and is wiped. */
static void answer(struct channel *channel, const struct sasl_credentials *credentials)
{
    uint8_t frame[SASL_INIT_MAX];
    size_t size = sasl_init(channel->mechanism, credentials, peer(channel), frame);
    channel_stage(channel, CHANNEL_OUTCOME);
    if (!size)
        channel_fail(channel, CHANNEL_REFUSED, "mq.credentials",
                     "`user` or `password` of the link is empty, too long, or holds a zero byte");
    else if (!wire_put(channel, frame, size))
        channel_cut(channel);
    explicit_bzero(frame, sizeof frame);
    channel_run(channel, false);
}

/* A file's last newline is no part of it. */
static void on_password(void *arg, int result, const uint8_t *bytes, size_t size, const char *reason)
{
    struct channel *channel = arg;
    channel_enter(channel);
    while (size && (bytes[size - 1] == '\n' || bytes[size - 1] == '\r'))
        size--;
    if (channel_alive(channel) && result >= 0)
        answer(channel, &(struct sasl_credentials){channel->set->user, bytes, size});
    else
        no_secret(channel, channel->set->password, reason);
    channel_leave(channel);
}

static bool is_set(const char *text)
{
    return text && *text;
}

/* Can it be used here at all? A password leaves through TLS alone. */
static bool able(const struct channel *channel, const char *mechanism)
{
    const struct channel_settings *set = channel->set;
    struct tls_facts facts = {.count = 0};
    if (strcmp(mechanism, "PLAIN") == 0)
        return !channel->plain && is_set(set->user) && is_set(set->password);
    if (strcmp(mechanism, "ANONYMOUS") == 0)
        return set->mechanism != NULL;
    if (strcmp(mechanism, "EXTERNAL") != 0 || channel->plain)
        return false;
    tls_authenticated_facts(channel->tls, channel->ssl, &facts);
    return *fact(&facts, "tls.client.subject") != 0;
}

static const char *choose(const struct channel *channel, const char *allowed)
{
    static const char *const known[] = {"PLAIN", "EXTERNAL", "ANONYMOUS"};
    const char *wanted = channel->set->mechanism;
    for (const char *at = allowed; *at;) {
        size_t size = strcspn(at, ",");
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (strlen(known[i]) == size && !memcmp(at, known[i], size) &&
                (!wanted || !strcmp(wanted, known[i])) && tls_lists(channel->offered, known[i]) &&
                able(channel, known[i]))
                return known[i];
        at += size + (at[size] == ',');
    }
    return NULL;
}

static void none_fits(struct channel *channel, const char *allowed)
{
    const char *wanted = channel->set->mechanism;
    const char *why = "user and password (PLAIN) or a certificate (EXTERNAL) are missing in the link";
    if (wanted && tls_lists(allowed, wanted) && tls_lists(channel->offered, wanted))
        why = channel->plain                    ? "a session without encryption carries no login"
              : strcmp(wanted, "EXTERNAL") == 0 ? "it has not asked for our certificate"
                                                : "user and password are missing in the link";
    else if (wanted)
        why = "ask the partner for one of them, or name another in `sasl`";
    channel_fail(channel, CHANNEL_REFUSED, "mq.sasl-mechanism",
                 "%s offers %.150s to log in; allowed is %.100s (sasl-mechanisms), and the link wants %s: %s",
                 peer(channel), *channel->offered ? channel->offered : "nothing",
                 *allowed ? allowed : "nothing", wanted ? wanted : "any of them", why);
}

static void on_mechanisms(struct channel *channel, const struct sasl_said *said)
{
    const char *allowed = profile(channel, "sasl.mechanisms");
    memcpy(channel->offered, said->offered, sizeof channel->offered);
    channel->mechanism = choose(channel, allowed ? allowed : "");
    if (!channel->mechanism) {
        none_fits(channel, allowed ? allowed : "");
    } else if (strcmp(channel->mechanism, "PLAIN") != 0) {
        answer(channel, NULL);
    } else {
        channel_stage(channel, CHANNEL_PASSWORD);
        if (host_of(channel)->secret(channel->handle, channel->set->password, on_password, channel) < 0)
            no_secret(channel, channel->set->password, "the host gives none now");
    }
}

/* ---- what comes ---- */

static void said(struct channel *channel, enum sasl_kind kind, const struct sasl_said *what)
{
    if (kind == SASL_HEADER)
        channel->greeted = true;
    else if (kind == SASL_MECHANISMS && channel->stage == CHANNEL_MECHANISMS)
        on_mechanisms(channel, what);
    else if (kind == SASL_OUTCOME && channel->stage == CHANNEL_OUTCOME && what->code == SASL_OK)
        authenticated(channel);
    else if (kind == SASL_OUTCOME && channel->stage == CHANNEL_OUTCOME)
        not_taken(channel, what->code);
    else if (kind == SASL_BAD)
        channel_fail(channel, channel->greeted ? CHANNEL_LOST : CHANNEL_REFUSED, "mq.protocol", "%s: %s",
                     peer(channel), what->why);
    else
        channel_fail(channel, CHANNEL_LOST, "mq.protocol", "%s: a SASL frame out of turn", peer(channel));
}

static bool take_sasl(struct channel *channel)
{
    struct sasl_said what;
    size_t used = 0;
    ssize_t got = 0;
    if (channel->said_size < sizeof channel->said)
        got =
            wire_get(channel, channel->said + channel->said_size, sizeof channel->said - channel->said_size);
    if (got > 0)
        channel->said_size += (size_t)got;
    enum sasl_kind kind = sasl_take(channel->said, channel->said_size, channel->greeted, &used, &what);
    channel->said_size -= used;
    memmove(channel->said, channel->said + used, channel->said_size);
    if (kind != SASL_MORE)
        said(channel, kind, &what);
    else if (got < 0)
        channel_cut(channel);
    return kind != SASL_MORE || got > 0;
}

bool login_take(struct channel *channel)
{
    int result;
    switch (channel->stage) {
    case CHANNEL_SHAKING:
        result = wire_shake(channel);
        if (result > 0)
            shaken(channel);
        else if (result < 0)
            channel_cut(channel);
        return result > 0;
    case CHANNEL_MECHANISMS:
    case CHANNEL_OUTCOME:
        return take_sasl(channel);
    default:
        return false;
    }
}
