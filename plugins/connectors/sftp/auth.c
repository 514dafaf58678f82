/* A secret is asked for when its method is tried, and not before; it is wiped when the session is authenticated or
 * broken. What the partner refuses is not tried again: the link is parked. */
#include "auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "session.h"

#define ROUNDS_MAX  4                   /* of keyboard-interactive */
#define EXPIRES     INT64_C(14) * 86400 /* s: a certificate that ends within these is spoken of */
#define SECONDS(us) ((uint64_t)((us) / 1000000))

static const char *peer_of(const struct session *session)
{
    return session->link->setup->endpoint_host;
}

static const struct link_options *options_of(const struct session *session)
{
    return session->link->options;
}

static void forget(char **text, size_t size)
{
    if (*text)
        OPENSSL_cleanse(*text, size);
    free(*text);
    *text = NULL;
}

void auth_wipe(struct auth *auth)
{
    forget(&auth->key_text, auth->key_size);
    forget(&auth->password, auth->password_size);
    ssh_key_free(auth->key);
    auth->key = NULL;
}

/* ---- which method ---- */

static const struct {
    const char *name;
    int bit;
} methods[] = {
    {"publickey", SSH_AUTH_METHOD_PUBLICKEY},
    {"password", SSH_AUTH_METHOD_PASSWORD},
    {"keyboard-interactive", SSH_AUTH_METHOD_INTERACTIVE},
};
#define METHODS (sizeof methods / sizeof *methods)

/* NULL: all have been tried. */
static const char *method(const struct session *session)
{
    const struct accord_list *list = &options_of(session)->auth;
    return session->auth.method < list->count ? list->items[session->auth.method] : NULL;
}

static int bit_of(const char *name)
{
    for (size_t i = 0; i < METHODS; i++)
        if (strcmp(methods[i].name, name) == 0)
            return methods[i].bit;
    return 0;
}

static void note(char *to, size_t room, const char *separator, const char *text)
{
    size_t used = strlen(to);
    snprintf(to + used, room - used, "%s%s", used ? separator : "", text);
}

/* "password, publickey" */
static void name_offered(const struct session *session, char *to, size_t room)
{
    to[0] = 0;
    for (size_t i = 0; i < METHODS; i++)
        if (session->auth.offered & methods[i].bit)
            note(to, room, ", ", methods[i].name);
    if (!to[0])
        snprintf(to, room, "nothing that is known here");
}

static void give_up(struct session *session)
{
    struct auth *auth = &session->auth;
    char offered[96];
    name_offered(session, offered, sizeof offered);
    if (auth->used[0])
        session_break(session, "sftp.auth-refused",
                      "%s has accepted user %s by %s and wants more, one of: %s%s%s; see `auth` of the link, "
                      "or ask the "
                      "partner",
                      peer_of(session), options_of(session)->user, auth->used, offered,
                      auth->said[0] ? "; it refuses " : "", auth->said);
    else
        session_break(session, "sftp.auth-refused",
                      "%s refuses user %s with %s; it takes: %s. Nothing more is tried; ask the partner "
                      "whether this is "
                      "known there",
                      peer_of(session), options_of(session)->user,
                      auth->said[0] ? auth->said : "all that the link's `auth` names", offered);
}

static void on_key(void *arg, int result, const uint8_t *bytes, size_t size, const char *reason);
static void on_password(void *arg, int result, const uint8_t *bytes, size_t size, const char *reason);

static void fetch(struct session *session, const char *option, accord_secret_fn done)
{
    session_enter(session, SESSION_KEY);
    session->link->host->watch_set(session->watch, 0);
    if (session->link->host->secret(session->handle, option, done, session) < 0)
        session_break(session, NULL, "the host gives no secrets");
}

static void go_on(struct session *session)
{
    session_enter(session, SESSION_AUTH);
    login_step(session);
}

/* Tries the method that is next; those that the partner does not take are passed over, and their secrets not asked for. */
static void try_method(struct session *session)
{
    struct auth *auth = &session->auth;
    while (method(session) && auth->offered && !(auth->offered & bit_of(method(session))))
        auth->method++;
    if (!method(session)) {
        give_up(session);
    } else if (strcmp(method(session), "publickey") == 0) {
        fetch(session, "key", on_key);
    } else if (!auth->offered) {
        auth->asking = true;
        go_on(session);
    } else {
        fetch(session, "password", on_password);
    }
}

void auth_begin(struct session *session)
{
    const char *allowed = session->link->host->profile(session->handle, "ssh.auth");
    const struct accord_list *list = &options_of(session)->auth;
    for (size_t i = 0; i < list->count; i++) {
        const char *at = allowed ? strstr(allowed, list->items[i]) : NULL;
        size_t size = strlen(list->items[i]);
        if (!at || (at > allowed && at[-1] != ',') || (at[size] && at[size] != ',')) {
            session_break(
                session, "sftp.auth-not-allowed",
                "the link's auth names %s, which the session profile does not allow; see ssh-auth in the "
                "agreement's [policy encryption]",
                list->items[i]);
            return;
        }
    }
    try_method(session);
}

/* ---- our key ---- */

static void key_is_there(struct session *session)
{
    if (session->stage == SESSION_KEY)
        go_on(session);
}

static void bad_certificate(struct session *session, const char *what)
{
    session_break(
        session, "sftp.bad-certificate",
        "the certificate \"%s\" cannot be used: %s; it is the one line that ssh-keygen -s has written into "
        "KEY-cert.pub",
        options_of(session)->certificate, what);
}

static void print_day(char to[32], uint64_t seconds)
{
    time_t time = (time_t)seconds;
    struct tm tm;
    if (seconds > INT64_C(253402300799) || !gmtime_r(&time, &tm) ||
        !strftime(to, 32, "%Y-%m-%d %H:%M UTC", &tm))
        snprintf(to, 32, "for ever");
}

/* The partner would refuse it, and say less about it. False: broken. */
static bool check_dates(struct session *session)
{
    const struct certificate *c = &session->auth.certificate;
    const struct accord_host *host = session->link->host;
    uint64_t now = SECONDS(host->wall(session->link->instance));
    char day[32];
    if (now >= c->from && now < c->until) {
        print_day(day, c->until);
        if (c->until - now < (uint64_t)EXPIRES)
            link_log(session->link, ACCORD_WARNING, "sftp.certificate-ends",
                     "the certificate \"%s\" (%s) is good until %s; renew it before",
                     options_of(session)->certificate, c->id, day);
        return true;
    }
    print_day(day, now < c->from ? c->from : c->until);
    session_break(session, "sftp.certificate-dates",
                  "the certificate \"%s\" (%s, serial %llu) %s %s; nothing of ours was sent. Have it renewed "
                  "and put it "
                  "into the credentials folder",
                  options_of(session)->certificate, c->id, (unsigned long long)c->serial,
                  now < c->from ? "is not good before" : "was good until", day);
    return false;
}

/* "TYPE BASE64 comment" onto the private key. */
static void use_certificate(struct session *session, char *line)
{
    struct auth *auth = &session->auth;
    char *rest, *type = strtok_r(line, " \t\r\n", &rest),
                *base64 = type ? strtok_r(NULL, " \t\r\n", &rest) : NULL;
    size_t length = base64 ? strlen(base64) : 0;
    uint8_t blob[12288];
    int size = length && length % 4 == 0 && length / 4 * 3 <= sizeof blob
                   ? EVP_DecodeBlock(blob, (const unsigned char *)base64, (int)length)
                   : -1;
    ssh_key certificate = NULL;
    if (size <= 0 || !certificate_read(&auth->certificate, blob, (size_t)size))
        bad_certificate(session, "it is no certificate of a user");
    else if (ssh_pki_import_cert_base64(base64, ssh_key_type_from_name(type), &certificate) != SSH_OK)
        bad_certificate(session, "libssh cannot read it");
    else if (!certificate_is_of(&auth->certificate, auth->key))
        bad_certificate(session, "it is of another key than the link's");
    else if (ssh_pki_copy_cert_to_privkey(certificate, auth->key) != SSH_OK)
        bad_certificate(session, "libssh does not put it together with the key");
    else if (check_dates(session))
        key_is_there(session);
    auth->certificate.key = NULL; /* what it pointed into is gone */
    ssh_key_free(certificate);
}

static void on_certificate(void *arg, int result, const uint8_t *bytes, size_t size, const char *reason)
{
    struct session *session = arg;
    char line[16384];
    if (session->stage != SESSION_KEY)
        return;
    if (result < 0 || size >= sizeof line) {
        bad_certificate(session, result < 0 ? reason : "it is too long");
        return;
    }
    memcpy(line, bytes, size);
    line[size] = 0;
    use_certificate(session, line);
}

static void import_key(struct session *session, const char *passphrase)
{
    struct auth *auth = &session->auth;
    /* "" and not NULL: with NULL the library would ask at the terminal. */
    int result = ssh_pki_import_privkey_base64(auth->key_text, passphrase, NULL, NULL, &auth->key);
    forget(&auth->key_text, auth->key_size);
    if (result != SSH_OK)
        session_break(session, "sftp.bad-key",
                      "the private key \"%s\" cannot be read: not an OpenSSH or PEM key, or %s",
                      options_of(session)->key,
                      *passphrase ? "the passphrase is wrong"
                                  : "it has a passphrase and key-passphrase is not set");
    else if (options_of(session)->certificate)
        fetch(session, "certificate", on_certificate);
    else
        key_is_there(session);
}

/* A copy with a NUL; files end with a line end, secrets do not. */
static char *copy_of(const uint8_t *bytes, size_t size, bool chop, size_t *room)
{
    while (chop && size > 0 && (bytes[size - 1] == '\n' || bytes[size - 1] == '\r'))
        size--;
    char *copy = calloc(1, size + 1);
    if (copy)
        memcpy(copy, bytes, size);
    *room = size + 1;
    return copy;
}

static void on_passphrase(void *arg, int result, const uint8_t *bytes, size_t size, const char *reason)
{
    struct session *session = arg;
    if (session->stage != SESSION_KEY)
        return;
    if (result < 0) {
        session_break(session, "sftp.bad-key", "the secret \"%s\" cannot be read: %s",
                      options_of(session)->key_passphrase, reason);
        return;
    }
    size_t room;
    char *passphrase = copy_of(bytes, size, true, &room);
    if (passphrase)
        import_key(session, passphrase);
    else
        session_break(session, NULL, "out of memory");
    forget(&passphrase, room);
}

static void on_key(void *arg, int result, const uint8_t *bytes, size_t size, const char *reason)
{
    struct session *session = arg;
    struct auth *auth = &session->auth;
    if (session->stage != SESSION_KEY)
        return;
    if (result < 0) {
        session_break(session, "sftp.bad-key", "the secret \"%s\" cannot be read: %s",
                      options_of(session)->key, reason);
        return;
    }
    auth->key_text = copy_of(bytes, size, false, &auth->key_size);
    if (!auth->key_text)
        session_break(session, NULL, "out of memory");
    else if (options_of(session)->key_passphrase)
        fetch(session, "key-passphrase", on_passphrase);
    else
        import_key(session, "");
}

static void on_password(void *arg, int result, const uint8_t *bytes, size_t size, const char *reason)
{
    struct session *session = arg;
    struct auth *auth = &session->auth;
    if (session->stage != SESSION_KEY)
        return;
    if (result < 0) {
        session_break(session, "sftp.bad-password", "the secret \"%s\" cannot be read: %s",
                      options_of(session)->password, reason);
        return;
    }
    forget(&auth->password, auth->password_size);
    auth->password = copy_of(bytes, size, true, &auth->password_size);
    if (!auth->password)
        session_break(session, NULL, "out of memory");
    else if (strlen(auth->password) + 1 != auth->password_size || !auth->password[0])
        session_break(session, "sftp.bad-password",
                      "the secret \"%s\" is no password: it is empty or has a zero byte",
                      options_of(session)->password);
    else
        go_on(session);
}

/* ---- what the partner says ---- */

static void refused(struct session *session)
{
    struct auth *auth = &session->auth;
    char what[128];
    if (strcmp(method(session), "publickey") == 0)
        snprintf(what, sizeof what, "the %s key \"%.60s\"", key_type(auth->key), options_of(session)->key);
    else
        snprintf(what, sizeof what, "the password \"%.60s\" (%s)", options_of(session)->password,
                 method(session));
    note(auth->said, sizeof auth->said, ", ", what);
    auth->offered = ssh_userauth_list(session->ssh, NULL);
    auth->method++;
    try_method(session);
}

static void accepted(struct session *session, bool whole)
{
    struct auth *auth = &session->auth;
    note(auth->used, sizeof auth->used, ",", auth->asking ? "none" : method(session));
    if (whole) {
        login_authenticated(session);
        return;
    }
    auth->offered = ssh_userauth_list(session->ssh, NULL);
    auth->method++;
    try_method(session);
}

/* The partner has said what it takes, or let everybody in, which is for the policy to judge. */
static void asked(struct session *session, int result)
{
    if (result == SSH_AUTH_SUCCESS) {
        accepted(session, true);
        return;
    }
    session->auth.asking = false;
    session->auth.offered = ssh_userauth_list(session->ssh, NULL);
    try_method(session);
}

/* One question for the password, not echoed, is answered, once. Everything else is for a person, and there is none. */
static bool answer_questions(struct session *session)
{
    struct auth *auth = &session->auth;
    int count = ssh_userauth_kbdint_getnprompts(session->ssh);
    char echo = 0;
    if (count == 0 && ++auth->rounds < ROUNDS_MAX)
        return true;
    if (count == 1 && ssh_userauth_kbdint_getprompt(session->ssh, 0, &echo) && !echo && !auth->answered &&
        ++auth->rounds < ROUNDS_MAX && ssh_userauth_kbdint_setanswer(session->ssh, 0, auth->password) == 0) {
        auth->answered = true;
        return true;
    }
    session_break(
        session, "sftp.auth-refused",
        "%s asks user %s %s (keyboard-interactive); only one question for the password can be answered. Was "
        "\"%s\" wrong?",
        peer_of(session), options_of(session)->user,
        auth->answered ? "once more"
        : count > 1    ? "several things at once"
                       : "something that is no password",
        options_of(session)->password);
    return false;
}

static int questions(struct session *session)
{
    int result = ssh_userauth_kbdint(session->ssh, NULL, NULL);
    while (result == SSH_AUTH_INFO && answer_questions(session))
        result = ssh_userauth_kbdint(session->ssh, NULL, NULL);
    return result;
}

static int attempt(struct session *session)
{
    struct auth *auth = &session->auth;
    if (auth->asking)
        return ssh_userauth_none(session->ssh, NULL);
    if (strcmp(method(session), "publickey") == 0)
        return ssh_userauth_publickey(session->ssh, NULL, auth->key);
    if (strcmp(method(session), "password") == 0)
        return ssh_userauth_password(session->ssh, NULL, auth->password);
    return questions(session);
}

void auth_step(struct session *session)
{
    int result = attempt(session);
    if (session->stage != SESSION_AUTH || result == SSH_AUTH_AGAIN)
        return;
    if (result != SSH_AUTH_SUCCESS && result != SSH_AUTH_DENIED && result != SSH_AUTH_PARTIAL)
        session_break(session, NULL, "%s: authentication broke off: %s", peer_of(session),
                      ssh_get_error(session->ssh));
    else if (session->auth.asking)
        asked(session, result);
    else if (result == SSH_AUTH_DENIED)
        refused(session);
    else
        accepted(session, result == SSH_AUTH_SUCCESS);
}
