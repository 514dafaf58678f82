/* The smtp connector on the fake host, against a mail server of the test's own (web_server.h): it says what a good one
 * would, but where the test's lines say otherwise, and keeps all that it hears. */
#ifndef TESTS_MAIL_BENCH_H
#define TESTS_MAIL_BENCH_H

#include <accord/testkit/host.h>
#include <accord/testkit/options.h>

#include "web_server.h"

#define MAIL_NAME  "mail.example"
#define MAIL_CLOSE "!close" /* instead of a reply: closes */
#define MAIL_MUTE  "!mute"  /* says nothing, and reads on */
#define MAIL_STAY  "!stay"  /* waits until the client goes */

/* The answer to the next line that begins so; each is used once. "" as the line: the greeting; "." the end of a mail. */
struct mail_line {
    const char *line, *reply;
};

struct mail_setting {
    enum testhost_clock clock;
    const struct accord_pair *link, *service; /* options beside trust, from and to; end with a NULL name */
    const struct mail_line *lines;            /* ends with a NULL line; NULL: none */
    const char *offers;                       /* lines of EHLO in TLS, with \n between; NULL: SIZE, PIPELINING, AUTH PLAIN LOGIN */
    const char *offers_plain;                 /* before TLS; NULL: STARTTLS */
    const char *behind_starttls;              /* in the same segment; NULL: nothing */
    const char *profile;                      /* sasl.mechanisms; NULL: "EXTERNAL,PLAIN" */
    const char *host;                         /* in its certificate; NULL: MAIL_NAME */
    bool implicit;                            /* TLS from the first byte */
    bool password;                            /* user "accord", password "s3cret" */
    bool stopped;                             /* is not started */
    int lasts;                                /* days: a certificate of ours; 0: we have none */
};

struct mail_bench {
    struct testhost *host;
    struct web *web;
    struct accord_link_setup setup;
    struct accord_service service;
    const struct accord_service *services[1];
    struct testoptions *link, *options;
};

void mail_open(struct mail_bench *, const struct mail_setting *);
/* What the connector's check says of these options; "" nothing. */
void mail_why(const struct mail_setting *, char *why, size_t why_size);
void mail_shut(struct mail_bench *); /* closed, without complaints */
/* One message, of `bytes`, until it is finished. */
struct accord_delivery *mail_send(struct mail_bench *, const char *id, const char *bytes);
struct accord_delivery *mail_send_message(struct mail_bench *, const struct testhost_message *);
void mail_expect(const struct accord_delivery *, enum accord_outcome, const char *says);

/* All lines that the server heard, with "|" behind each; "{tls}" where TLS began; a mail is "{mail}". */
const char *mail_heard(void);
unsigned mail_heard_times(const char *what);
/* The mails, as they came: without the dot, and with stuffed dots as they were. NULL: there were not so many. */
const char *mail_content(unsigned index);
size_t mail_content_size(unsigned index);
/* The part of a mail behind its nth boundary, decoded: to be freed. NULL: there is none. */
char *mail_part(unsigned index, unsigned part, size_t *size);
bool mail_has(unsigned index, const char *text);

#endif
