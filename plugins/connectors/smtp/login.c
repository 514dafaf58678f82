/* From the greeting to the verdict on who we are: AUTH (RFC 4954), with a password that is asked for only now. */
#include "session.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct link_options *options_of(const struct smtp_session *smtp)
{
    return smtp_link(&smtp->session)->options;
}

static const struct accord_host *host_of(const struct smtp_session *smtp)
{
    return smtp->session.client->set.host;
}

void smtp_forget(struct smtp_session *smtp)
{
    text_wipe(&smtp->password);
}

static void report(struct smtp_session *smtp, const char *mechanism)
{
    const struct accord_pair facts[] = {{"sasl.mechanism", mechanism},
                                        {"sasl.offered", smtp->can.mechanisms}};
    char text[ACCORD_REASON_MAX];
    smtp_forget(smtp);
    smtp->mechanism = NULL;
    snprintf(text, sizeof text, "%s%s",
             smtp->logged_in ? "logged in with " : "the server lets us in without AUTH",
             smtp->logged_in ? mechanism : "");
    client_call_step(smtp->session.call, "authenticate", ACCORD_OK, text);
    smtp->session.wanted = 0; /* until there is a verdict */
    client_wire_watch(&smtp->session);
    client_session_report(&smtp->session, facts, 2);
}

static void fail(struct smtp_session *smtp, enum client_end end, const char *rule, const char *reason)
{
    smtp_forget(smtp);
    smtp->mechanism = NULL;
    client_call_step(smtp->session.call, "authenticate", end == CLIENT_REFUSED ? ACCORD_EDENIED : ACCORD_ENET,
                     reason);
    client_session_fail(&smtp->session, end, rule, reason);
}

/* ---- which mechanism ---- */

static bool suits(const struct link_options *options, const char *name)
{
    if (strcasecmp(name, "EXTERNAL") == 0)
        return options->sasl == SASL_EXTERNAL;
    if (!options->password)
        return false;
    if (strcasecmp(name, "PLAIN") == 0)
        return options->sasl == SASL_AUTO || options->sasl == SASL_PLAIN;
    return strcasecmp(name, "LOGIN") == 0 && (options->sasl == SASL_AUTO || options->sasl == SASL_LOGIN);
}

/* The first that the profile allows, the server offers and the link can do; NULL: none. */
static const char *choose(const struct smtp_session *smtp, const char *allowed)
{
    static const char *const names[] = {"EXTERNAL", "PLAIN", "LOGIN"};
    char name[24];
    for (const char *at = allowed; *at;) {
        size_t size = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)(size < sizeof name ? size : 0), at);
        at += size + (at[size] == ',');
        if (!suits(options_of(smtp), name) || !capabilities_list(smtp->can.mechanisms, name))
            continue;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (strcasecmp(name, names[i]) == 0)
                return names[i];
    }
    return NULL;
}

static void no_mechanism(struct smtp_session *smtp, const char *allowed)
{
    char text[ACCORD_REASON_MAX];
    snprintf(text, sizeof text,
             "%.150s offers no way to log in that the agreement allows and the link can use: it offers "
             "%.100s, and "
             "sasl-mechanisms allows %.100s; nothing was sent",
             smtp->session.client->set.name, *smtp->can.mechanisms ? smtp->can.mechanisms : "none",
             allowed && *allowed ? allowed : "none");
    fail(smtp, CLIENT_REFUSED, "smtp.sasl", text);
}

/* ---- the dialogue ---- */

static void put_base64_line(struct smtp_session *smtp, const char *before, const char *bytes, size_t size)
{
    text_put(&smtp->out, before, strlen(before));
    encode_base64(&smtp->out, (const uint8_t *)bytes, size);
    text_put(&smtp->out, "\r\n", 2);
}

static void say_plain(struct smtp_session *smtp, const char *user)
{
    struct text all = {0};
    text_put(&all, "", 1);
    text_put(&all, user, strlen(user) + 1);
    text_put(&all, smtp->password.bytes, smtp->password.size);
    smtp->out.failed = smtp->out.failed || all.failed;
    put_base64_line(smtp, "AUTH PLAIN ", all.bytes, all.size);
    text_wipe(&all);
}

static void say_auth(struct smtp_session *smtp)
{
    const char *user = options_of(smtp)->user ? options_of(smtp)->user : "";
    smtp->step = 0;
    if (strcmp(smtp->mechanism, "PLAIN") == 0)
        say_plain(smtp, user);
    else if (strcmp(smtp->mechanism, "LOGIN") == 0)
        smtp_say(smtp, "AUTH LOGIN\r\n");
    else if (*user)
        put_base64_line(smtp, "AUTH EXTERNAL ", user, strlen(user));
    else
        smtp_say(smtp, "AUTH EXTERNAL =\r\n");
    smtp_talk(&smtp->session, 0);
}

static void refused(struct smtp_session *smtp)
{
    char text[ACCORD_REASON_MAX];
    bool for_now = smtp->code / 100 == 4;
    snprintf(text, sizeof text, "%.150s does not let us in: %.200s%s", smtp->session.client->set.name,
             smtp->said, for_now ? "" : "; check the link's user and password, and with the partner");
    if (smtp->code / 100 == 3)
        fail(smtp, CLIENT_LOST, "", text); /* it asks for more than the mechanism has */
    else
        fail(smtp, for_now ? CLIENT_LOST : CLIENT_REFUSED, for_now ? "" : "smtp.credentials", text);
}

bool smtp_login_replied(struct smtp_session *smtp)
{
    const char *user = options_of(smtp)->user;
    bool more = smtp->code == 334 && strcmp(smtp->mechanism, "LOGIN") == 0 && smtp->step < 2;
    if (more && smtp->step++ == 0) {
        put_base64_line(smtp, "", user, strlen(user));
    } else if (more) {
        put_base64_line(smtp, "", smtp->password.bytes, smtp->password.size);
    } else if (smtp->code == 235) {
        smtp->logged_in = true;
        report(smtp, smtp->mechanism);
    } else {
        refused(smtp);
    }
    return more;
}

/* ---- the password ---- */

static void on_password(void *arg, int result, const uint8_t *bytes, size_t size, const char *reason)
{
    struct smtp_session *smtp = arg;
    struct client *client = smtp->session.client;
    char text[ACCORD_REASON_MAX];
    client_enter(client);
    while (result >= 0 && size && (bytes[size - 1] == '\n' || bytes[size - 1] == '\r'))
        size--; /* files end so */
    if (result >= 0)
        text_put(&smtp->password, bytes, size);
    if (result < 0 || smtp->password.failed) {
        snprintf(text, sizeof text, "the link's `password` cannot be read: %s",
                 result < 0 ? reason : "out of memory");
        fail(smtp, CLIENT_LOST, "", text);
    } else if (size == 0 || memchr(bytes, 0, size)) {
        fail(smtp, CLIENT_REFUSED, "smtp.credentials", "the link's `password` is empty, or holds a NUL byte");
    } else {
        say_auth(smtp);
    }
    client_leave(client);
}

void smtp_greeted(struct client_session *session)
{
    struct smtp_session *smtp = (struct smtp_session *)session;
    const struct link_options *options = options_of(smtp);
    const char *allowed = host_of(smtp)->profile(session->handle, "sasl.mechanisms");
    smtp->replies = (struct replies){0};
    if (!options->password && options->sasl != SASL_EXTERNAL) {
        report(smtp, "none");
        return;
    }
    smtp->mechanism = choose(smtp, allowed ? allowed : "");
    if (!smtp->mechanism)
        no_mechanism(smtp, allowed);
    else if (strcmp(smtp->mechanism, "EXTERNAL") == 0)
        say_auth(smtp);
    else if (host_of(smtp)->secret(session->handle, "password", on_password, session) < 0)
        fail(smtp, CLIENT_LOST, "", "the link's `password` cannot be read: the host gives none now");
}
