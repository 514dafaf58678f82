#include "mail_bench.h"

#include <ctype.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <accord/plugin.h>

#include "tls_allowed.h"
#include "tls_papers.h"
#include "tls_pki.h"

#define MAILS 64

extern const struct accord_plugin accord_plugin;

/* ---- what the server knows, and has heard ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct mail_setting setting;
static bool used[64]; /* of the lines */
static char heard[65536];
static char *mails[MAILS];
static size_t sizes[MAILS];
static unsigned mail_count;

static void note(const char *text)
{
    pthread_mutex_lock(&lock);
    size_t at = strlen(heard);
    if (snprintf(heard + at, sizeof heard - at, "%s|", text) < 0)
        heard[at] = 0;
    pthread_mutex_unlock(&lock);
}

/* The test's answer to a line; NULL: none. */
static const char *answer(const char *line)
{
    const char *reply = NULL;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; !reply && setting.lines && setting.lines[i].line; i++) {
        const char *wanted = setting.lines[i].line;
        bool is = *wanted ? strncmp(line, wanted, strlen(wanted)) == 0 : !*line;
        if (used[i] || !is)
            continue;
        used[i] = true;
        reply = setting.lines[i].reply;
    }
    pthread_mutex_unlock(&lock);
    return reply;
}

/* ---- the server ---- */

struct wire {
    struct web_connection *c;
    bool plain, takes; /* a mail */
    char left[65536];
    size_t size;
};

static bool put(struct wire *wire, const char *text, size_t size)
{
    return wire->plain ? write(wire->c->fd, text, size) == (ssize_t)size : web_write(wire->c, text, size);
}

/* Lines end with CRLF on the wire, and with \n in tests. */
static bool say(struct wire *wire, const char *text)
{
    char out[8192];
    size_t size = 0;
    for (; *text && size + 4 < sizeof out; text++) {
        if (*text == '\n')
            out[size++] = '\r';
        out[size++] = *text;
    }
    out[size++] = '\r';
    out[size++] = '\n';
    return put(wire, out, size);
}

static bool fill(struct wire *wire)
{
    size_t room = sizeof wire->left - wire->size;
    ssize_t got = wire->plain ? read(wire->c->fd, wire->left + wire->size, 1)
                              : SSL_read(wire->c->ssl, wire->left + wire->size, (int)room);
    if (got > 0)
        wire->size += (size_t)got;
    return got > 0;
}

static bool read_line(struct wire *wire, char *line, size_t room)
{
    char *end;
    while (!(end = memmem(wire->left, wire->size, "\r\n", 2)))
        if (wire->size == sizeof wire->left || !fill(wire))
            return false;
    size_t size = (size_t)(end - wire->left);
    snprintf(line, room, "%.*s", (int)size, wire->left);
    memmove(wire->left, end + 2, wire->size - size - 2);
    wire->size -= size + 2;
    return true;
}

static void keep_mail(char *bytes, size_t size)
{
    pthread_mutex_lock(&lock);
    if (mail_count < MAILS) {
        mails[mail_count] = bytes;
        sizes[mail_count++] = size;
    } else {
        free(bytes);
    }
    pthread_mutex_unlock(&lock);
}

/* Up to the line with the dot alone; false: the connection ended before. */
static bool read_mail(struct wire *wire)
{
    char *bytes = calloc(1, 1), *end;
    size_t size = 0;
    for (;;) {
        bytes = realloc(bytes, size + wire->size + 1);
        memcpy(bytes + size, wire->left, wire->size);
        size += wire->size;
        bytes[size] = 0;
        wire->size = 0;
        if ((end = memmem(bytes, size, "\r\n.\r\n", 5)))
            break;
        if (!fill(wire)) {
            free(bytes);
            return false;
        }
    }
    size_t whole = (size_t)(end - bytes) + 2, rest = size - whole - 3;
    memcpy(wire->left, end + 5, rest);
    wire->size = rest;
    bytes[whole] = 0;
    note("{mail}");
    keep_mail(bytes, whole);
    return true;
}

static const char *usual(const char *line)
{
    static const struct mail_line all[] = {{"MAIL", "250 sender fine"}, {"RCPT", "250 recipient fine"},
                                           {"DATA", "354 go on"},       {"RSET", "250 forgotten"},
                                           {"NOOP", "250 fine"},        {"QUIT", "221 bye"},
                                           {"AUTH", "235 welcome"},     {".", "250 2.0.0 queued as 4711"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strncmp(line, all[i].line, strlen(all[i].line)) == 0)
            return all[i].reply;
    return "500 what?";
}

/* False: nothing more is said on this connection. */
static bool reply_to(struct wire *wire, const char *line, const char *otherwise)
{
    char text[8192];
    const char *own = answer(line);
    const char *reply = own ? own : otherwise;
    if (strcmp(reply, MAIL_CLOSE) == 0)
        return false;
    if (strcmp(reply, MAIL_STAY) == 0) {
        web_linger(wire->c);
        return false;
    }
    if (strcmp(reply, MAIL_MUTE) == 0)
        return true;
    snprintf(text, sizeof text, "%s", reply);
    wire->takes = strcmp(line, "DATA") == 0 && strncmp(reply, "354", 3) == 0;
    return say(wire, text) && strncmp(reply, "421", 3) != 0;
}

static void greeting_to_ehlo(const char *offers, char *text, size_t room)
{
    size_t size = (size_t)snprintf(text, room, "250%s" MAIL_NAME " greets", *offers ? "-" : " ");
    while (*offers) {
        size_t line = strcspn(offers, "\n");
        bool last = !offers[line];
        size +=
            (size_t)snprintf(text + size, room - size, "\n250%s%.*s", last ? " " : "-", (int)line, offers);
        offers += line + !last;
    }
}

static bool open_plainly(struct web_connection *c)
{
    struct wire wire = {.c = c, .plain = true};
    char line[4096], ehlo[4096];
    if (!reply_to(&wire, "", "220 " MAIL_NAME " ready"))
        return false;
    greeting_to_ehlo(setting.offers_plain ? setting.offers_plain : "STARTTLS\nSIZE 1", ehlo, sizeof ehlo);
    while (read_line(&wire, line, sizeof line)) {
        note(line);
        if (strcmp(line, "STARTTLS") != 0) {
            if (!reply_to(&wire, line, strncmp(line, "EHLO", 4) ? usual(line) : ehlo))
                return false;
            continue;
        }
        char text[4096];
        const char *own = answer(line);
        snprintf(text, sizeof text, "%s\r\n%s", own ? own : "220 go ahead",
                 setting.behind_starttls ? setting.behind_starttls : "");
        if (!put(&wire, text, strlen(text)) || strncmp(text, "220", 3) != 0)
            return false;
        return true;
    }
    return false;
}

static void serve(struct web_connection *c)
{
    struct wire *wire = calloc(1, sizeof *wire);
    char line[65536], ehlo[4096];
    wire->c = c;
    note("{tls}");
    greeting_to_ehlo(setting.offers ? setting.offers : "SIZE 1000000\nPIPELINING\nAUTH PLAIN LOGIN", ehlo,
                     sizeof ehlo);
    bool goes_on = !setting.implicit || reply_to(wire, "", "220 " MAIL_NAME " ready");
    while (goes_on && read_line(wire, line, sizeof line)) {
        note(line);
        goes_on = reply_to(wire, line, strncmp(line, "EHLO", 4) ? usual(line) : ehlo);
        if (goes_on && wire->takes)
            goes_on = read_mail(wire) && reply_to(wire, ".", usual("."));
        wire->takes = false;
        if (strncmp(line, "QUIT", 4) == 0)
            goes_on = false;
    }
    free(wire);
}

/* ---- papers ---- */

static struct papers papers;

/* Ours, for so many days. */
static void renew(int lasts)
{
    struct pki own =
        pki_make(&(struct pki_wish){.name = "agent", .from = -10, .until = lasts, .role = PKI_CLIENT});
    free(papers.client);
    free(papers.client_key);
    papers.client = pki_pem(&own);
    papers.client_key = pki_key_pem(&own, NULL);
    pki_sweep();
}

/* ---- life ---- */

static void allow(struct testhost *host, const char *mechanisms)
{
    allow_tls(host);
    testhost_profile(host, "sasl.mechanisms", mechanisms ? mechanisms : "EXTERNAL,PLAIN");
}

/* The test's own options before ours: the first of a name counts. */
static struct testoptions *options_of(const struct accord_options *table, const struct accord_pair *own,
                                      const struct accord_pair *usual_ones)
{
    struct accord_pair all[32] = {{NULL, NULL}};
    char why[ACCORD_REASON_MAX];
    size_t count = 0;
    for (; own && own->name; own++)
        all[count++] = *own;
    for (; usual_ones->name; usual_ones++) {
        bool there = false;
        for (size_t i = 0; i < count; i++)
            there = there || strcmp(all[i].name, usual_ones->name) == 0;
        if (!there)
            all[count++] = *usual_ones;
    }
    struct testoptions *made = testoptions_new(table, all, why, sizeof why);
    if (!made)
        fail_msg("%s", why);
    return made;
}

static void read_options(struct mail_bench *bench, const struct mail_setting *how)
{
    const struct accord_connector *connector = accord_plugin.connector;
    const struct accord_pair link[] = {
        {"trust", "trust.pem"},    {"tls", how->implicit ? "implicit" : "starttls"},
        {"helo", "agent.example"}, {how->password ? "user" : NULL, "accord"},
        {"password", "password"},  {NULL, NULL}};
    const struct accord_pair service[] = {
        {"mail-from", "agent@carrier.example"}, {"mail-to", "stow@customs.example"}, {NULL, NULL}};
    bench->link = options_of(&connector->link_options, how->link, link);
    bench->options = options_of(&connector->service_options, how->service, service);
}

static void describe(struct mail_bench *bench, const struct mail_setting *how)
{
    *bench = (struct mail_bench){0};
    read_options(bench, how);
    bench->service = (struct accord_service){.name = "stow-plan",
                                             .type = "stow-plan",
                                             .direction = ACCORD_SEND,
                                             .options = testoptions_struct(bench->options),
                                             .max_size = 64 << 20,
                                             .cursor = ""};
    bench->services[0] = &bench->service;
    bench->setup = (struct accord_link_setup){.agreement = "cbp",
                                              .name = "mail",
                                              .options = testoptions_struct(bench->link),
                                              .services = bench->services,
                                              .service_count = 1,
                                              .endpoint_host = MAIL_NAME,
                                              .endpoint_port = how->implicit ? 465 : 587};
}

void mail_why(const struct mail_setting *how, char *why, size_t why_size)
{
    struct mail_bench bench;
    describe(&bench, how);
    why[0] = 0;
    accord_plugin.connector->check(&bench.setup, why, why_size);
    testoptions_free(bench.link);
    testoptions_free(bench.options);
}

void mail_open(struct mail_bench *bench, const struct mail_setting *how)
{
    struct web_wish web = {.serve = serve, .open = how->implicit ? NULL : open_plainly};
    describe(bench, how);
    setting = *how;
    heard[0] = 0;
    memset(used, 0, sizeof used);
    papers = papers_make(how->host ? how->host : MAIL_NAME);
    renew(how->lasts);
    papers_serve(&papers, &web, false);
    bench->web = web_start(&web);
    bench->host = testhost_new(accord_plugin.connector, how->clock);
    testhost_endpoint(bench->host, web_port(bench->web));
    papers_tell(&papers, bench->host, false);
    testhost_secret(bench->host, "password", "s3cret\n", 7);
    allow(bench->host, how->profile);
    if (testhost_open(bench->host, &bench->setup) < 0)
        fail_msg("%s", testhost_why(bench->host));
    if (!how->stopped)
        testhost_start(bench->host);
}

void mail_shut(struct mail_bench *bench)
{
    testhost_close(bench->host);
    size_t complaints = testhost_complaints(bench->host);
    testhost_free(bench->host);
    web_stop(bench->web);
    testoptions_free(bench->link);
    testoptions_free(bench->options);
    papers_burn(&papers);
    for (; mail_count; mail_count--)
        free(mails[mail_count - 1]);
    assert_int_equal(complaints, 0);
}

/* ---- sending ---- */

struct accord_delivery *mail_send_message(struct mail_bench *bench, const struct testhost_message *message)
{
    struct accord_delivery *delivery = testhost_deliver(bench->host, 0, message);
    if (!testhost_settle(bench->host, delivery, 60000))
        fail_msg("it was not finished; the server heard %s", mail_heard());
    return delivery;
}

struct accord_delivery *mail_send(struct mail_bench *bench, const char *id, const char *bytes)
{
    const struct testhost_message message = {.id = id,
                                             .type = "stow-plan",
                                             .name = "PLAN.edi",
                                             .origin = "site/plans",
                                             .bytes = bytes,
                                             .size = strlen(bytes)};
    return mail_send_message(bench, &message);
}

void mail_expect(const struct accord_delivery *delivery, enum accord_outcome outcome, const char *says)
{
    const char *text = outcome == ACCORD_DELIVERED ? delivery->receipt : delivery->reason;
    assert_true(delivery->finished);
    if (delivery->outcome != outcome || !strstr(text, says))
        fail_msg("outcome %d, wanted %d; \"%s%s\" does not say \"%s\"; the server heard %s",
                 delivery->outcome, outcome, delivery->reason, delivery->receipt, says, mail_heard());
}

/* ---- looking ---- */

const char *mail_heard(void)
{
    static char copy[sizeof heard];
    pthread_mutex_lock(&lock);
    memcpy(copy, heard, sizeof copy);
    pthread_mutex_unlock(&lock);
    return copy;
}

unsigned mail_heard_times(const char *what)
{
    unsigned times = 0;
    for (const char *at = mail_heard(); (at = strstr(at, what)); at++)
        times++;
    return times;
}

const char *mail_content(unsigned index)
{
    pthread_mutex_lock(&lock);
    const char *bytes = index < mail_count ? mails[index] : NULL;
    pthread_mutex_unlock(&lock);
    return bytes;
}

size_t mail_content_size(unsigned index)
{
    pthread_mutex_lock(&lock);
    size_t size = index < mail_count ? sizes[index] : 0;
    pthread_mutex_unlock(&lock);
    return size;
}

bool mail_has(unsigned index, const char *text)
{
    const char *content = mail_content(index);
    return content && strstr(content, text);
}

static int digit64(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static size_t from_base64(const char *text, size_t size, char *to)
{
    size_t put_at = 0;
    unsigned bits = 0, have = 0;
    for (size_t i = 0; i < size; i++) {
        int value = digit64(text[i]);
        if (value < 0)
            continue;
        bits = bits << 6 | (unsigned)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            to[put_at++] = (char)(bits >> have & 255);
        }
    }
    return put_at;
}

static size_t from_quoted(const char *text, size_t size, char *to)
{
    size_t put_at = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        if (text[i] != '=')
            to[put_at++] = text[i];
        else if (i + 2 < size && text[i + 1] == '\r')
            i += 2;
        else if (i + 2 < size && sscanf(text + i + 1, "%2x", &byte) == 1) {
            to[put_at++] = (char)byte;
            i += 2;
        }
    }
    return put_at;
}

char *mail_part(unsigned index, unsigned part, size_t *size)
{
    const char *content = mail_content(index), *at = content;
    char boundary[128], mark[160];
    if (!content || !(at = strstr(content, "boundary=\"")) ||
        sscanf(at, "boundary=\"%100[^\"]", boundary) != 1)
        return NULL;
    snprintf(mark, sizeof mark, "\r\n--%s", boundary);
    for (unsigned i = 0; at && i <= part; i++)
        at = (at = strstr(at, mark)) ? at + strlen(mark) : NULL;
    const char *end = at ? strstr(at, mark) : NULL, *body = at ? strstr(at, "\r\n\r\n") : NULL;
    if (!end || !body || body > end)
        return NULL;
    body += 4;
    bool quoted = memmem(at, (size_t)(body - at), "quoted-printable", 16);
    size_t raw = end > body ? (size_t)(end - body) : 0;
    char *bytes = calloc(1, raw + 1);
    *size = quoted ? from_quoted(body, raw, bytes) : from_base64(body, raw, bytes);
    bytes[*size] = 0;
    return bytes;
}
