/* The SMTP connector: each message of the bus goes out as one mail with one attachment, through the link's mail server
 * (message submission, RFC 6409; RFC 5321). Sending only.
 *
 *   smtp.c     the vtable             options.c  what can be configured
 *   mail.c     one delivery           letter.c   the mail that it becomes; encode.c its bytes
 *   talk.c     a session's bytes      login.c    what the server can, and AUTH (RFC 4954)
 *   replies.c  what the server says   probe.c    a walk without a mail
 *
 * libcurl connects: over the dialled descriptor, greeting, STARTTLS or TLS at once, EHLO (common/curl/client.h). What
 * follows is said by ourselves over curl_easy_send() and curl_easy_recv(), for two reasons: libcurl wants the password
 * before the handshake is judged, and waits for the answer to a mail inside of a call, which would stand the link's process
 * still (decision 0017). */
#ifndef SMTP_SMTP_H
#define SMTP_SMTP_H

#include <accord/connector.h>

#include "common/tls/expiry.h"
#include "common/tls/options.h"

enum { TLS_STARTTLS, TLS_IMPLICIT };
enum { SASL_AUTO, SASL_PLAIN, SASL_LOGIN, SASL_EXTERNAL };
enum { RECIPIENTS_ALL, RECIPIENTS_ANY };

struct link_options {
    int64_t tls_kind, sasl;
    const char *user, *password;
    struct tls_options tls;
    const char *helo;
    int64_t connections;
    int64_t connect_timeout, timeout, idle_close;
    int64_t size_limit;
};

struct service_options {
    const char *from;
    struct accord_list to, cc, bcc;
    const char *subject, *body, *attachment_type, *attachment_name;
    int64_t encoding; /* enum encoding */
    const char *message_id_domain;
    int64_t recipients;
};

struct client;

struct link {
    struct accord_instance *instance;
    const struct accord_host *host;
    const struct accord_link_setup *setup;
    const struct link_options *options;
    struct client *client;
    struct mail *mails; /* all that are not finished */
    struct tls_expiry expiry;
    bool started;
};

/* options.c */
extern const struct accord_option smtp_link_table[], smtp_service_table[];
int smtp_check(const struct accord_link_setup *, char *why, size_t why_size);
const char *smtp_domain(const char *address); /* behind its @ */
/* Of to, cc and bcc, one after the other. */
size_t smtp_recipients(const struct service_options *);
const char *smtp_recipient(const struct service_options *, size_t index);

/* smtp.c. The session itself is refused: until a person has changed something. */
void link_park(struct link *, const char *rule, const char *reason);

/* mail.c */
void mail_deliver(struct link *, const struct accord_outgoing *);
void mail_payload(struct link *, struct accord_delivery *, const uint8_t *, size_t, bool last);
void mail_cancel(struct link *, struct accord_delivery *);
void mail_close(struct link *); /* after client_free(): what is left ends */

/* probe.c */
void smtp_probe(void *state, struct accord_probe *);

#endif
