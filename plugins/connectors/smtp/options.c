/* The SMTP connector's options, and the rules that no single one can state. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "letter.h"
#include "smtp.h"

#define FIELD(type, name) offsetof(struct type, name)

static const char *const tls_choices[] = {"starttls", "implicit", NULL};
static const char *const sasl_choices[] = {"auto", "plain", "login", "external", NULL};

const struct accord_option smtp_link_table[] = {
    {.name = "tls",
     .kind = ACCORD_CHOICE,
     .offset = FIELD(link_options, tls_kind),
     .fallback = "starttls",
     .choices = tls_choices,
     .help = "starttls: the connection begins in the clear and is encrypted before anything of ours is said "
             "(RFC 3207, usually port 587); implicit: TLS from the first byte (RFC 8314, port 465). There is "
             "no mail without TLS (CBP-1c)."},
    TLS_OPTIONS(FIELD(link_options, tls), ACCORD_REQUIRED, "the mail server", ""),
    {.name = "user",
     .kind = ACCORD_TEXT,
     .offset = FIELD(link_options, user),
     .max = 320,
     .help = "The name that we log in with (CBP-2a). Not set: the server takes our mail without AUTH, or by "
             "our certificate."},
    {.name = "password",
     .kind = ACCORD_SECRET,
     .offset = FIELD(link_options, password),
     .help = "Its password (CBP-2a). It is read when the handshake has been judged, and no sooner."},
    {.name = "sasl",
     .kind = ACCORD_CHOICE,
     .offset = FIELD(link_options, sasl),
     .fallback = "auto",
     .choices = sasl_choices,
     .help = "How we log in (RFC 4954). auto: with a password, as the server offers it, in the order of "
             "sasl-mechanisms of [policy encryption]; external: by our certificate. Whatever it says, the "
             "agreement's sasl-mechanisms must allow it."},
    {.name = "helo",
     .kind = ACCORD_HOST,
     .offset = FIELD(link_options, helo),
     .help = "The name by which we greet the server (EHLO). Not set: the domain of the first service's "
             "`mail-from`."},
    {.name = "connections",
     .kind = ACCORD_INTEGER,
     .offset = FIELD(link_options, connections),
     .fallback = "2",
     .min = 1,
     .max = 16,
     .help = "How many connections may be open at the same time; each carries one mail at a time."},
    {.name = "connect-timeout",
     .kind = ACCORD_DURATION,
     .offset = FIELD(link_options, connect_timeout),
     .fallback = "1 min",
     .min = 1000,
     .max = 600000,
     .help = "Longest that connecting, TLS and logging in may take together."},
    {.name = "timeout",
     .kind = ACCORD_DURATION,
     .offset = FIELD(link_options, timeout),
     .fallback = "10 min",
     .min = 1000,
     .max = 3600000,
     .help =
         "Longest silence of the server while it has something to take or to answer (RFC 5321, 4.5.3.2: 10 "
         "minutes for the answer to a mail)."},
    {.name = "idle-close",
     .kind = ACCORD_DURATION,
     .offset = FIELD(link_options, idle_close),
     .fallback = "10 s",
     .min = 0,
     .max = 600000,
     .help = "How long a connection stays open when there is nothing to send."},
    {.name = "size-limit",
     .kind = ACCORD_SIZE,
     .offset = FIELD(link_options, size_limit),
     .fallback = "0",
     .min = 0,
     .max = INT64_C(1) << 40,
     .help =
         "Largest mail, as it goes over the wire, that is sent; 0: only the server's own limit (SIZE, RFC "
         "1870) holds. A larger message is refused before anything is sent."},
    {0},
};

static const char *const encoding_choices[] = {"base64", "quoted-printable", NULL};
static const char *const recipients_choices[] = {"all", "any", NULL};

/* `from` and `to` are the core's, and say where on the bus a service's messages come from and go. */
const struct accord_option smtp_service_table[] = {
    {.name = "mail-from",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_REQUIRED,
     .offset = FIELD(service_options, from),
     .max = 254,
     .help = "The sender's address, in the envelope and in From."},
    {.name = "mail-to",
     .kind = ACCORD_LIST,
     .flags = ACCORD_REQUIRED,
     .offset = FIELD(service_options, to),
     .help = "Addresses that each mail goes to."},
    {.name = "cc",
     .kind = ACCORD_LIST,
     .offset = FIELD(service_options, cc),
     .help = "Addresses for copies, shown in Cc."},
    {.name = "bcc",
     .kind = ACCORD_LIST,
     .offset = FIELD(service_options, bcc),
     .help = "Addresses for copies that no header shows (an archive, say)."},
    {.name = "subject",
     .kind = ACCORD_TEXT,
     .offset = FIELD(service_options, subject),
     .fallback = "{type} {name}",
     .max = 900,
     .help = "The subject. {name}, {type}, {id}, {date}, {size}, {sha256}, {service}, and headers of the "
             "message by "
             "their names, stand for what the message has."},
    {.name = "body",
     .kind = ACCORD_TEXT,
     .offset = FIELD(service_options, body),
     .fallback = "{type} {name}, {size} bytes\\nMessage {id}\\nSHA-256 {sha256}",
     .max = 4000,
     .help =
         "The text beside the attachment, with the same fields; \\n begins a new line. Empty: no such text."},
    {.name = "attachment-type",
     .kind = ACCORD_TEXT,
     .offset = FIELD(service_options, attachment_type),
     .max = 127,
     .help =
         "The attachment's media type, as in application/EDIFACT (RFC 1767). Not set: the message's header "
         "content-type, or application/octet-stream."},
    {.name = "attachment-name",
     .kind = ACCORD_TEXT,
     .offset = FIELD(service_options, attachment_name),
     .fallback = "{name}",
     .max = 900,
     .help = "The attachment's file name, with the same fields."},
    {.name = "encoding",
     .kind = ACCORD_CHOICE,
     .offset = FIELD(service_options, encoding),
     .fallback = "base64",
     .choices = encoding_choices,
     .help = "How the attachment is written in 7-bit lines (RFC 2045): both bring back every byte; "
             "quoted-printable can be read by people where the payload can."},
    {.name = "message-id-domain",
     .kind = ACCORD_HOST,
     .offset = FIELD(service_options, message_id_domain),
     .help = "What stands behind the @ of Message-ID; before it stands the message's id, the same at every "
             "attempt, so that a repeat can be recognised. Not set: the domain of `mail-from`."},
    {.name = "recipients",
     .kind = ACCORD_CHOICE,
     .offset = FIELD(service_options, recipients),
     .fallback = "all",
     .choices = recipients_choices,
     .help =
         "all: when the server refuses one recipient, nobody is sent the mail; any: it goes to those who are "
         "accepted, and the receipt names the others."},
    {0},
};

/* ---- rules ---- */

const char *smtp_domain(const char *address)
{
    const char *at = strrchr(address, '@');
    return at ? at + 1 : address;
}

size_t smtp_recipients(const struct service_options *options)
{
    return options->to.count + options->cc.count + options->bcc.count;
}

const char *smtp_recipient(const struct service_options *options, size_t index)
{
    const struct accord_list *const lists[] = {&options->to, &options->cc, &options->bcc};
    for (size_t i = 0; i < 3; index -= lists[i++]->count)
        if (index < lists[i]->count)
            return lists[i]->items[index];
    return "";
}

/* local@domain, without quotes and comments, in ASCII (RFC 5321, 4.1.2 without quoted strings). */
static bool is_address(const char *text)
{
    const char *at = strrchr(text, '@');
    if (!at || at == text || !at[1] || strlen(text) > 254 || at - text > 64)
        return false;
    for (const char *c = text; c < at; c++)
        if (!isalnum((unsigned char)*c) && !strchr("!#$%&'*+-/=?^_`{|}~.", *c))
            return false;
    for (const char *c = at + 1; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && (*c != '.' || c == at + 1 || c[1] == '.' || !c[1]))
            return false;
    return text[0] != '.' && at[-1] != '.' && !strstr(text, "..");
}

static bool is_media_type(const char *text)
{
    const char *slash = strchr(text, '/');
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c > '~' || strchr("()<>@,;:\\\"[]?=", *c) || (*c == '/' && c != slash))
            return false;
    return slash && slash != text && slash[1];
}

static int check_addresses(const struct accord_service *service, const char *option,
                           const struct accord_list *list, char *why, size_t why_size)
{
    for (size_t i = 0; i < list->count; i++)
        if (!is_address(list->items[i])) {
            snprintf(
                why, why_size,
                "service %s: %s: \"%.100s\" is not an address like name@example.org (ASCII, without quotes, "
                "comments or a name before it)",
                service->name, option, list->items[i]);
            return ACCORD_EINVAL;
        }
    return ACCORD_OK;
}

static int check_text(const struct accord_service *service, const char *option, const char *text, char *why,
                      size_t why_size)
{
    const char *mistake = letter_mistake(text);
    if (mistake)
        snprintf(why, why_size, "service %s: %s: %s", service->name, option, mistake);
    return mistake ? ACCORD_EINVAL : ACCORD_OK;
}

static int check_service(const struct accord_service *service, char *why, size_t why_size)
{
    const struct service_options *options = service->options;
    const struct accord_list from = {&options->from, 1};
    int result = check_addresses(service, "mail-from", &from, why, why_size);
    if (result == ACCORD_OK)
        result = check_addresses(service, "mail-to", &options->to, why, why_size);
    if (result == ACCORD_OK)
        result = check_addresses(service, "cc", &options->cc, why, why_size);
    if (result == ACCORD_OK)
        result = check_addresses(service, "bcc", &options->bcc, why, why_size);
    if (result == ACCORD_OK)
        result = check_text(service, "subject", options->subject, why, why_size);
    if (result == ACCORD_OK)
        result = check_text(service, "body", options->body, why, why_size);
    if (result == ACCORD_OK)
        result = check_text(service, "attachment-name", options->attachment_name, why, why_size);
    if (result != ACCORD_OK)
        return result;
    if (options->to.count == 0)
        snprintf(why, why_size, "service %s: mail-to names nobody", service->name);
    else if (smtp_recipients(options) > 100)
        snprintf(why, why_size,
                 "service %s: mail-to, cc and bcc name more than 100 addresses (RFC 5321, 4.5.3.1.8)",
                 service->name);
    else if (options->attachment_type && !is_media_type(options->attachment_type))
        snprintf(why, why_size,
                 "service %s: attachment-type = %.80s is no media type like application/EDIFACT",
                 service->name, options->attachment_type);
    else
        return ACCORD_OK;
    return ACCORD_EINVAL;
}

static int check_link(const struct link_options *options, char *why, size_t why_size)
{
    bool with_password = options->sasl == SASL_PLAIN || options->sasl == SASL_LOGIN;
    if (options->password && !options->user)
        snprintf(why, why_size, "password is set, and user is missing: the name that it belongs to");
    else if (options->user && !options->password && options->sasl != SASL_EXTERNAL)
        snprintf(why, why_size, "user is set, and password is missing");
    else if (with_password && !options->password)
        snprintf(why, why_size, "sasl = plain and login need user and password");
    else if (options->sasl == SASL_EXTERNAL && (!options->tls.certificate || options->password))
        snprintf(why, why_size,
                 "sasl = external logs in by a certificate: it needs certificate, and no password");
    else
        return ACCORD_OK;
    return ACCORD_EINVAL;
}

int smtp_check(const struct accord_link_setup *setup, char *why, size_t why_size)
{
    const struct link_options *options = setup->options;
    int result = tls_check_options(&options->tls, why, why_size);
    if (result == ACCORD_OK)
        result = check_link(options, why, why_size);
    for (size_t i = 0; result == ACCORD_OK && i < setup->service_count; i++)
        result = check_service(setup->services[i], why, why_size);
    return result;
}
