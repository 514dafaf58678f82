/* From the connected socket to the SFTP greeting. The order is the promise: algorithms from the profile only;
 * host key compared with the pins before anything of ours is sent; the handshake's verdict before a secret is
 * even asked for (auth.c); the verdict on the authenticated session before the channel is opened. */
#include "session.h"

#include <fcntl.h>
#include <libssh/callbacks.h>
#include <stdio.h>
#include <string.h>

static const char *peer_of(const struct session *session)
{
    return session->link->setup->endpoint_host;
}

/* ---- configuration ---- */

/* libssh takes what it knows of a list; a list of which it knows nothing is an error. */
static int apply_profile(struct session *session)
{
    static const struct {
        const char *name;
        enum ssh_options_e options[2];
    } rules[] = {
        {"ssh.kex", {SSH_OPTIONS_KEY_EXCHANGE, SSH_OPTIONS_KEY_EXCHANGE}},
        {"ssh.ciphers", {SSH_OPTIONS_CIPHERS_C_S, SSH_OPTIONS_CIPHERS_S_C}},
        {"ssh.macs", {SSH_OPTIONS_HMAC_C_S, SSH_OPTIONS_HMAC_S_C}},
        {"ssh.host-key-types", {SSH_OPTIONS_HOSTKEYS, SSH_OPTIONS_HOSTKEYS}},
        {"ssh.user-key-types", {SSH_OPTIONS_PUBLICKEY_ACCEPTED_TYPES, SSH_OPTIONS_PUBLICKEY_ACCEPTED_TYPES}},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const char *value = session->link->host->profile(session->handle, rules[i].name);
        if (!value || !*value) {
            session_break(session, "sftp.no-profile",
                          "the session profile says nothing about %s, so no session is allowed; see the "
                          "agreement's [policy encryption]",
                          rules[i].name);
            return ACCORD_EDENIED;
        }
        for (int j = 0; j < 2; j++)
            if (ssh_options_set(session->ssh, rules[i].options[j], value) != SSH_OK) {
                session_break(session, "sftp.no-algorithm", "none of %s \"%.200s\" is known to libssh %s",
                              rules[i].name, value, ssh_version(0));
                return ACCORD_ENOTSUP;
            }
    }
    return ACCORD_OK;
}

static int apply_options(struct session *session)
{
    const struct link *link = session->link;
    const int no = 0;
    const struct {
        enum ssh_options_e option;
        const void *value;
    } settings[] = {
        {SSH_OPTIONS_PROCESS_CONFIG, &no}, /* no ssh_config, the user's or the system's */
        {SSH_OPTIONS_SSH_DIR, "/nonexistent"},
        {SSH_OPTIONS_KNOWNHOSTS, "/dev/null"}, /* the pins of the agreement are the only truth */
        {SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null"},
        {SSH_OPTIONS_HOST, link->setup->endpoint_host},
        {SSH_OPTIONS_USER, link->options->user},
        {SSH_OPTIONS_COMPRESSION, "no"},
        {SSH_OPTIONS_FD, &session->fd},
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (ssh_options_set(session->ssh, settings[i].option, settings[i].value) != SSH_OK) {
            session_break(session, NULL, "libssh refuses its configuration: %s", ssh_get_error(session->ssh));
            return ACCORD_EINVAL;
        }
    ssh_set_blocking(session->ssh, 0);
    return ACCORD_OK;
}

int login_begin(struct session *session)
{
    session->ssh = ssh_new();
    if (!session->ssh) {
        session_break(session, NULL, "out of memory");
        return ACCORD_ENOMEM;
    }
    int result = apply_options(session);
    return result < 0 ? result : apply_profile(session);
}

/* ---- the peer ---- */

static bool pinned(const struct accord_list *pins, const char *fingerprint)
{
    for (size_t i = 0; i < pins->count; i++)
        if (strcmp(pins->items[i], fingerprint) == 0)
            return true;
    return false;
}

static void complain_of_key(struct session *session, const char *type, const char *got)
{
    const struct accord_list *pins = &session->link->options->host_keys;
    session_break(
        session, "sftp.host-key-changed",
        "%s shows the %s host key %s, expected %s%s; nothing was sent. Ask the partner, then correct "
        "host-key",
        peer_of(session), type, got, pins->items[0], pins->count > 1 ? " or another pin" : "");
}

static void on_peer_verdict(void *arg, enum accord_answer answer, const char *rule, const char *reason);

static void report_peer(struct session *session, ssh_key key, const char *fingerprint)
{
    char bits[16];
    snprintf(bits, sizeof bits, "%d", key_bits(key));
    const struct accord_pair facts[] = {
        {"ssh.kex", ssh_get_kex_algo(session->ssh)},
        {"ssh.cipher.out", ssh_get_cipher_out(session->ssh)},
        {"ssh.cipher.in", ssh_get_cipher_in(session->ssh)},
        {"ssh.mac.out", ssh_get_hmac_out(session->ssh)},
        {"ssh.mac.in", ssh_get_hmac_in(session->ssh)},
        {"ssh.strict-kex", session->strict_kex ? "yes" : "no"},
        {"ssh.host-key.type", key_type(key)},
        {"ssh.host-key.bits", bits},
        {"ssh.host-key.sha256", fingerprint},
    };
    const size_t count = sizeof facts / sizeof facts[0];
    for (size_t i = 0; i < count; i++)
        if (!facts[i].value) {
            session_break(session, NULL, "%s: libssh does not say what %s is", peer_of(session),
                          facts[i].name);
            return;
        }
    session_enter(session, SESSION_PEER_JUDGED);
    session->link->host->watch_set(session->watch, 0);
    if (session->link->host->report(session->handle, ACCORD_HANDSHAKE, facts, count, on_peer_verdict,
                                    session) < 0)
        session_break(session, NULL, "the host takes no session facts");
}

static void check_peer(struct session *session)
{
    ssh_key key = NULL;
    char *fingerprint = NULL;
    if (ssh_get_server_publickey(session->ssh, &key) == SSH_OK)
        fingerprint = key_fingerprint(key);
    if (!fingerprint)
        session_break(session, NULL, "%s: libssh gives no host key", peer_of(session));
    else if (!pinned(&session->link->options->host_keys, fingerprint))
        complain_of_key(session, key_type(key), fingerprint);
    else
        report_peer(session, key, fingerprint);
    ssh_string_free_char(fingerprint);
    ssh_key_free(key);
}

/* libssh 0.10 forgets that no algorithm was common when the partner's list comes while ours is not yet written:
 * it closes the socket, goes on to write to it, and the error of that ("Socket error", with whatever errno is)
 * replaces the first. Its log has both, and it alone says whether strict key exchange was agreed on. */
static void keep_words(int priority, const char *function, const char *text, void *arg)
{
    struct session *session = arg;
    const char *at = strstr(text, "kex error");
    (void)priority;
    (void)function;
    if (session && at && strstr(at, "no match for method") && !session->mismatch[0])
        snprintf(session->mismatch, sizeof session->mismatch, "%s", at);
    if (session && strstr(text, "Server supports strict kex, enabling"))
        session->strict_kex = true;
}

/* The level is put back and the argument forgotten; the callback stays, for libssh does not take NULL for one. */
static int connect_and_listen(struct session *session)
{
    int level = ssh_get_log_level();
    ssh_set_log_callback(keep_words);
    ssh_set_log_userdata(session);
    ssh_set_log_level(SSH_LOG_DEBUG);
    int result = ssh_connect(session->ssh);
    ssh_set_log_level(level);
    ssh_set_log_userdata(NULL);
    return result;
}

static void step_handshake(struct session *session)
{
    int result = connect_and_listen(session);
    /* libssh 0.10 makes the descriptor blocking once it takes it for connected; a partner that stops reading
     * would then stop the whole loop. It writes only after poll() said so, so that this is safe. */
    if (ssh_get_fd(session->ssh) >= 0)
        fcntl(ssh_get_fd(session->ssh), F_SETFL, O_NONBLOCK);
    if (result == SSH_AGAIN)
        return;
    if (result == SSH_OK) {
        check_peer(session);
        return;
    }
    bool unmatched = session->mismatch[0];
    session_break(
        session, unmatched ? "sftp.no-common-algorithm" : NULL, "%s: the SSH handshake failed%s: %s",
        peer_of(session),
        unmatched ? " (the agreement's [policy encryption] and the partner have no algorithm in common)" : "",
        unmatched ? session->mismatch : ssh_get_error(session->ssh));
}

/* ---- ourselves ---- */

static void refuse(struct session *session, enum accord_answer answer, const char *stage, const char *rule,
                   const char *reason)
{
    bool denied = answer == ACCORD_DENY;
    session_break(session,
                  !denied ? NULL
                  : *rule ? rule
                          : "sftp.session-denied",
                  "%s: the %s session is %s by %s: %s", peer_of(session), stage,
                  denied ? "denied" : "deferred", rule, reason);
}

static void on_peer_verdict(void *arg, enum accord_answer answer, const char *rule, const char *reason)
{
    struct session *session = arg;
    if (session->stage != SESSION_PEER_JUDGED)
        return;
    if (answer != ACCORD_ALLOW) {
        refuse(session, answer, "encrypted", rule, reason);
        return;
    }
    auth_begin(session);
}

static void on_self_verdict(void *arg, enum accord_answer answer, const char *rule, const char *reason)
{
    struct session *session = arg;
    if (session->stage != SESSION_SELF_JUDGED)
        return;
    if (answer != ACCORD_ALLOW) {
        refuse(session, answer, "authenticated", rule, reason);
        return;
    }
    session_enter(session, SESSION_CHANNEL);
    login_step(session);
}

void login_authenticated(struct session *session)
{
    const struct auth *auth = &session->auth;
    const struct accord_host *host = session->link->host;
    char bits[16] = "", serial[24], until[24];
    snprintf(serial, sizeof serial, "%llu", (unsigned long long)auth->certificate.serial);
    snprintf(until, sizeof until, "%llu", (unsigned long long)auth->certificate.until);
    if (auth->key)
        snprintf(bits, sizeof bits, "%d", key_bits(auth->key));
    const struct accord_pair facts[] = {
        {"ssh.user", session->link->options->user},
        {"ssh.auth", auth->used},
        {"ssh.user-key.type", auth->key ? key_type(auth->key) : ""},
        {"ssh.user-key.bits", bits},
        {"ssh.user-key.certificate", auth->certificate.id},
        {"ssh.user-key.serial", serial},
        {"ssh.user-key.until", until},
    };
    size_t count = auth->certificate.until ? 7 : strstr(auth->used, "publickey") ? 4 : 2;
    session_enter(session, SESSION_SELF_JUDGED);
    host->watch_set(session->watch, 0);
    if (host->report(session->handle, ACCORD_AUTHENTICATED, facts, count, on_self_verdict, session) < 0)
        session_break(session, NULL, "the host takes no session facts");
    auth_wipe(&session->auth);
}

/* ---- the channel ---- */

static void step_channel(struct session *session)
{
    if (!session->channel)
        session->channel = ssh_channel_new(session->ssh);
    int result = session->channel ? ssh_channel_open_session(session->channel) : SSH_ERROR;
    if (result == SSH_OK)
        session_enter(session, SESSION_SUBSYSTEM);
    else if (result != SSH_AGAIN)
        session_break(session, NULL, "%s gives no channel: %s", peer_of(session),
                      ssh_get_error(session->ssh));
}

static void step_subsystem(struct session *session)
{
    int result = ssh_channel_request_subsystem(session->channel, "sftp");
    if (result == SSH_OK) {
        session_enter(session, SESSION_GREETING);
        sftp_put_init(&session->client.outbox);
    } else if (result != SSH_AGAIN) {
        session_break(session, NULL, "%s has no SFTP for user %s: %s", peer_of(session),
                      session->link->options->user, ssh_get_error(session->ssh));
    }
}

void login_step(struct session *session)
{
    static void (*const steps[])(struct session *) = {
        [SESSION_HANDSHAKE] = step_handshake, [SESSION_AUTH] = auth_step, [SESSION_CHANNEL] = step_channel,
        [SESSION_SUBSYSTEM] = step_subsystem, [SESSION_BROKEN] = NULL,
    };
    enum session_stage before;
    do {
        before = session->stage;
        if (steps[before])
            steps[before](session);
    } while (session->stage != before && session->stage != SESSION_BROKEN);
    if (!steps[session->stage]) {
        session_pump(session); /* from the greeting on */
        return;
    }
    bool blocked = ssh_get_poll_flags(session->ssh) & SSH_WRITE_PENDING;
    session->link->host->watch_set(session->watch, ACCORD_READABLE | (blocked ? ACCORD_WRITABLE : 0));
}
