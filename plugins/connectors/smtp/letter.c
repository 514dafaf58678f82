#include "letter.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- templates ---- */

/* The name between { and }, or NULL when there is none at `at`. */
static const char *field_end(const char *at)
{
    const char *end = at + 1;
    while (islower((unsigned char)*end) || isdigit((unsigned char)*end) || *end == '-')
        end++;
    return *at == '{' && end > at + 1 && *end == '}' ? end : NULL;
}

const char *letter_mistake(const char *pattern)
{
    for (const char *at = pattern; *at; at++) {
        if (*at == '{' && !(at = field_end(at)))
            return "{ begins the name of a field in lower case, which ends with }";
        if (*at == '\\' && at[1] != 'n' && at[1] != '\\')
            return "\\ stands for a new line only as \\n, and for itself as \\\\";
        at += *at == '\\';
    }
    return NULL;
}

static void put_date(struct text *to, int64_t at, const char *format)
{
    char text[64];
    time_t seconds = (time_t)(at / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    text_put(to, text, strftime(text, sizeof text, format, &tm));
}

static void put_field(struct text *to, const char *name, size_t size, const struct accord_service *service,
                      const struct accord_envelope *envelope, int64_t now)
{
    const struct accord_pair fields[] = {{"name", envelope->name},
                                         {"type", envelope->type},
                                         {"id", envelope->id},
                                         {"sha256", envelope->sha256},
                                         {"service", service->name}};
    if (size == 4 && memcmp(name, "date", 4) == 0)
        put_date(to, now, "%Y-%m-%dT%H:%M:%SZ");
    else if (size == 4 && memcmp(name, "size", 4) == 0)
        text_print(to, "%" PRId64, envelope->size);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strlen(fields[i].name) == size && memcmp(fields[i].name, name, size) == 0) {
            text_print(to, "%s", fields[i].value);
            return;
        }
    for (size_t i = 0; i < envelope->header_count; i++)
        if (strlen(envelope->headers[i].name) == size && memcmp(envelope->headers[i].name, name, size) == 0)
            text_print(to, "%s", envelope->headers[i].value);
}

void letter_fill(struct text *to, const char *pattern, const struct accord_service *service,
                 const struct accord_envelope *envelope, int64_t now)
{
    for (const char *at = pattern; *at; at++) {
        const char *end = field_end(at);
        if (end) {
            put_field(to, at + 1, (size_t)(end - at - 1), service, envelope, now);
            at = end;
        } else if (*at == '\\' && (at[1] == 'n' || at[1] == '\\')) {
            at++;
            text_put(to, *at == 'n' ? "\r\n" : "\\", *at == 'n' ? 2 : 1);
        } else {
            text_put(to, at, 1);
        }
    }
    text_put(to, "", 1); /* and its NUL */
}

/* ---- headers ---- */

static void put_addresses(struct text *to, const char *name, const struct accord_list *list)
{
    size_t column = strlen(name) + 1;
    if (!list->count)
        return;
    text_print(to, "%s:", name);
    for (size_t i = 0; i < list->count; i++) {
        size_t size = strlen(list->items[i]);
        bool folds = i && column + size + 3 > 76;
        text_print(to, "%s%s %s", i ? "," : "", folds ? "\r\n" : "", list->items[i]);
        column = (folds ? 0 : column) + size + 2;
    }
    text_put(to, "\r\n", 2);
}

static void put_headers(struct text *to, const struct accord_service *service,
                        const struct accord_envelope *envelope, int64_t now)
{
    const struct service_options *options = service->options;
    struct text subject = {0};
    letter_fill(&subject, options->subject, service, envelope, now);
    text_print(to, "From: %s\r\n", options->from);
    put_addresses(to, "To", &options->to);
    put_addresses(to, "Cc", &options->cc);
    if (subject.failed)
        to->failed = true;
    else
        encode_header(to, "Subject", subject.bytes);
    text_put(to, "Date: ", 6);
    put_date(to, now, "%a, %d %b %Y %H:%M:%S +0000"); /* the process has the locale "C" */
    text_print(to, "\r\nMessage-ID: <%s@%s>\r\nMIME-Version: 1.0\r\n", envelope->id,
               options->message_id_domain ? options->message_id_domain : smtp_domain(options->from));
    text_wipe(&subject);
}

/* ---- parts ---- */

static bool is_token(char c) /* RFC 2045, 5.1 */
{
    return c > ' ' && c <= '~' && !strchr("()<>@,;:\\\"/[]?=", c);
}

/* type/subtype, and nothing else. */
static bool is_media_type(const char *text)
{
    const char *at = text;
    while (is_token(*at))
        at++;
    if (at == text || *at != '/' || !at[1] || strlen(text) > 127)
        return false;
    while (is_token(*++at))
        ;
    return *at == 0;
}

static const char *media_type(const struct service_options *options, const struct accord_envelope *envelope)
{
    if (options->attachment_type)
        return options->attachment_type;
    for (size_t i = 0; i < envelope->header_count; i++)
        if (strcmp(envelope->headers[i].name, ACCORD_HEADER_CONTENT_TYPE) == 0 &&
            is_media_type(envelope->headers[i].value))
            return envelope->headers[i].value;
    return "application/octet-stream";
}

static void put_text_part(struct text *to, const struct accord_service *service,
                          const struct accord_envelope *envelope, int64_t now)
{
    const struct service_options *options = service->options;
    struct encoder encoder = {.encoding = ENCODING_QUOTED};
    struct text body = {0};
    letter_fill(&body, options->body, service, envelope, now);
    to->failed = to->failed || body.failed;
    text_print(to,
               "--=_%s\r\nContent-Type: text/plain; charset=utf-8\r\n"
               "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
               envelope->id);
    if (!body.failed)
        encoder_put(&encoder, to, (const uint8_t *)body.bytes, strlen(body.bytes));
    encoder_put(&encoder, to, (const uint8_t *)"\r\n", 2);
    encoder_end(&encoder, to);
    text_wipe(&body);
}

static void put_attachment_head(struct text *to, const struct accord_service *service,
                                const struct accord_envelope *envelope, int64_t now)
{
    const struct service_options *options = service->options;
    struct text name = {0};
    letter_fill(&name, options->attachment_name, service, envelope, now);
    to->failed = to->failed || name.failed;
    for (size_t i = 0; i < name.size; i++)
        if (name.bytes[i] == '/' || name.bytes[i] == '\\')
            name.bytes[i] = '_';
    const char *value = name.failed || !name.bytes[0] ? envelope->id : name.bytes;
    text_print(to, "--=_%s\r\nContent-Type: %s", envelope->id, media_type(options, envelope));
    encode_parameter(to, "name", value);
    text_print(to, "\r\nContent-Transfer-Encoding: %s\r\nContent-Disposition: attachment",
               options->encoding == ENCODING_BASE64 ? "base64" : "quoted-printable");
    encode_parameter(to, "filename", value);
    text_put(to, "\r\n\r\n", 4);
    text_wipe(&name);
}

/* ---- the whole ---- */

bool letter_write(struct letter *letter, const struct accord_service *service,
                  const struct accord_envelope *envelope, int64_t now)
{
    const struct service_options *options = service->options;
    struct text *head = &letter->head, *tail = &letter->tail;
    *letter = (struct letter){.encoder = {.encoding = (enum encoding)options->encoding}};
    put_headers(head, service, envelope, now);
    /* No line of ours can be a boundary: base64 has no "-", and quoted-printable no "=_". */
    text_print(head, "Content-Type: multipart/mixed; boundary=\"=_%s\"\r\n\r\n", envelope->id);
    if (options->body[0])
        put_text_part(head, service, envelope, now);
    put_attachment_head(head, service, envelope, now);
    text_print(tail, "\r\n--=_%s--\r\n.\r\n", envelope->id);
    letter->size = (int64_t)head->size + encoder_size(letter->encoder.encoding, envelope->size) +
                   (int64_t)tail->size - 3;
    return !head->failed && !tail->failed;
}

void letter_free(struct letter *letter)
{
    text_wipe(&letter->head);
    text_wipe(&letter->tail);
}
