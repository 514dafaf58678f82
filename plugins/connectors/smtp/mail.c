/* One delivery: a mail transaction (RFC 5321, 3.3), pipelined where the server takes that (RFC 2920).
 *
 * A mail goes to all of its recipients or to none, unless the service says otherwise: DATA is not said before every
 * recipient is accepted. Once the final dot has left, only the server knows what has become of it. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "letter.h"
#include "session.h"

#define AHEAD (128 * 1024) /* bytes of payload that are asked for at once */
#define GRACE 5000         /* ms for the answer to a whole mail, when it is to be finished soon */

enum stage { STAGE_NONE, STAGE_FROM, STAGE_TO, STAGE_DATA, STAGE_CONTENT, STAGE_ANSWER, STAGE_RSET };

struct mail {
    struct conversation talk; /* first */
    struct mail *next;
    struct link *link;
    const struct accord_outgoing *out;
    const struct accord_service *service;
    struct letter letter;
    struct text early; /* content that came before it may leave */
    enum stage stage;
    size_t asked_of, answered; /* recipients: named to the server; that it has answered */
    size_t accepted;
    bool data_said;
    int64_t asked, got; /* bytes of payload */
    bool whole, dotted; /* the dot was given to the session, or has left (`gone`) */
    bool gone;
    bool parks; /* the link, with the reason below */
    struct accord_timer *grace;
    /* what becomes of it; reason "": nothing is decided */
    enum accord_outcome outcome;
    int64_t wait;
    char reason[ACCORD_REASON_MAX], receipt[ACCORD_REASON_MAX], refused[200];
};

static const struct service_options *options_of(const struct mail *mail)
{
    return mail->service->options;
}

static size_t recipients(const struct mail *mail)
{
    return smtp_recipients(options_of(mail));
}

static const char *recipient(const struct mail *mail, size_t index)
{
    return smtp_recipient(options_of(mail), index);
}

/* ---- its end ---- */

static void free_mail(struct mail *mail)
{
    struct mail **at = &mail->link->mails;
    while (*at != mail)
        at = &(*at)->next;
    *at = mail->next;
    if (mail->grace)
        mail->link->host->timer_stop(mail->grace);
    letter_free(&mail->letter);
    text_wipe(&mail->early);
    free(mail);
}

static void finish(struct mail *mail, enum accord_outcome outcome, int64_t wait, const char *reason)
{
    const struct link *link = mail->link;
    const struct accord_result result = {.outcome = outcome,
                                         .reason = outcome == ACCORD_DELIVERED ? "" : reason,
                                         .receipt = outcome == ACCORD_DELIVERED ? mail->receipt : "",
                                         .wait = outcome == ACCORD_RETRY ? wait : 0};
    if (outcome == ACCORD_DELIVERED)
        link->host->metric(link->instance, "mails_sent", 1);
    link->host->finish(mail->out->handle, &result);
    free_mail(mail);
}

static void ended(struct conversation *talk, enum client_end end, const char *rule, const char *reason,
                  bool closed)
{
    struct mail *mail = (struct mail *)talk;
    struct link *link = mail->link;
    char text[ACCORD_REASON_MAX];
    if (closed)
        return; /* mail_close() ends it */
    snprintf(text, sizeof text, "%s", reason);
    if (end == CLIENT_REFUSED || mail->parks)
        link_park(link, mail->parks ? "smtp.authentication" : rule, mail->parks ? mail->reason : text);
    else if (end == CLIENT_LOST && *rule)
        link->host->incident(link->instance, rule, text);
    if (mail->reason[0] || mail->outcome == ACCORD_DELIVERED)
        finish(mail, mail->outcome, mail->wait, mail->reason);
    else
        finish(mail, end == CLIENT_UNCERTAIN ? ACCORD_UNCERTAIN : ACCORD_RETRY, 0,
               *text ? text : "the session ended");
}

__attribute__((format(printf, 3, 4))) static void decide(struct mail *mail, enum accord_outcome outcome,
                                                         const char *format, ...)
{
    va_list args;
    if (mail->reason[0])
        return; /* the first reason is the cause of what follows */
    va_start(args, format);
    vsnprintf(mail->reason, sizeof mail->reason, format, args);
    va_end(args);
    mail->outcome = outcome;
}

/* By the server's code: 4xx may be tried again, and when it says so after a while; 5xx never. */
static void decide_by_code(struct mail *mail, const struct smtp_session *smtp, const char *what)
{
    bool login = smtp->code == 530; /* RFC 4954, 6: the session is not good enough, whatever the mail */
    bool never = smtp->code / 100 == 5 && !login;
    decide(mail, never ? ACCORD_REFUSED : ACCORD_RETRY, "%.200s: %.280s", what, smtp->said);
    mail->wait = smtp->code / 100 == 4 ? replies_wait(smtp->said) : 0;
    mail->parks = login;
    mail->talk.broken = mail->talk.broken || smtp->code == 421;
}

/* The session is free again, when the server has forgotten what was said of this mail. */
static void leave(struct mail *mail, struct smtp_session *smtp)
{
    if (mail->talk.broken) {
        mail->talk.over = true;
        return;
    }
    mail->stage = STAGE_RSET;
    smtp_say(smtp, "RSET\r\n");
}

/* ---- what is said ---- */

static bool pull_more(struct mail *mail)
{
    if (mail->whole || mail->asked > mail->got)
        return false;
    mail->asked += AHEAD;
    mail->link->host->pull(mail->out->handle, mail->talk.call.session->handle, AHEAD);
    return true;
}

static void say_recipients(struct mail *mail, struct smtp_session *smtp)
{
    size_t until = smtp->can.pipelining ? recipients(mail) : mail->asked_of + 1;
    while (mail->asked_of < until)
        smtp_say(smtp, "RCPT TO:<%s>\r\n", recipient(mail, mail->asked_of++));
}

static void say_data(struct mail *mail, struct smtp_session *smtp)
{
    mail->data_said = true;
    smtp_say(smtp, "DATA\r\n");
}

static bool fits(struct mail *mail, const struct smtp_session *smtp)
{
    int64_t limit = smtp->can.size_limit;
    if (limit <= 0 || mail->letter.size <= limit)
        return true;
    decide(mail, ACCORD_REFUSED,
           "too large for %.200s: %" PRId64 " bytes as a mail (%" PRId64
           " bytes of payload), and it takes %" PRId64,
           smtp->session.client->set.name, mail->letter.size, mail->out->envelope->size, limit);
    return false;
}

static void begin(struct conversation *talk, struct smtp_session *smtp)
{
    struct mail *mail = (struct mail *)talk;
    if (!fits(mail, smtp)) {
        talk->over = true;
        return;
    }
    mail->stage = STAGE_FROM;
    smtp_say(smtp, "MAIL FROM:<%s>", options_of(mail)->from);
    if (smtp->can.size)
        smtp_say(smtp, " SIZE=%" PRId64, mail->letter.size);
    smtp_say(smtp, "\r\n");
    if (smtp->can.pipelining) {
        say_recipients(mail, smtp);
        if (recipients(mail) == 1) /* with more of them, some refused, its answer could not be taken back */
            say_data(mail, smtp);
    }
}

static void end_content(struct mail *mail, struct smtp_session *smtp)
{
    text_put(&smtp->out, mail->letter.tail.bytes, mail->letter.tail.size);
    mail->dotted = true;
}

static void say_content(struct mail *mail, struct smtp_session *smtp)
{
    mail->stage = STAGE_CONTENT;
    text_put(&smtp->out, mail->letter.head.bytes, mail->letter.head.size);
    text_put(&smtp->out, mail->early.bytes, mail->early.size);
    smtp->out.failed = smtp->out.failed || mail->early.failed;
    text_wipe(&mail->early);
    if (mail->whole)
        end_content(mail, smtp);
}

static void drained(struct conversation *talk, struct smtp_session *smtp)
{
    struct mail *mail = (struct mail *)talk;
    (void)smtp;
    if (mail->stage != STAGE_CONTENT)
        return;
    if (mail->dotted) {
        mail->gone = true;
        mail->stage = STAGE_ANSWER;
        return;
    }
    mail->talk.call.body_waits = true; /* for our own side */
    pull_more(mail);
}

/* ---- what is answered ---- */

static void answered_from(struct mail *mail, struct smtp_session *smtp)
{
    char what[300];
    mail->stage = STAGE_TO;
    if (smtp->code / 100 == 2) {
        pull_more(mail); /* not before: until now it might have begun anew on another session */
        if (!mail->asked_of)
            say_recipients(mail, smtp);
        return;
    }
    snprintf(what, sizeof what, "%.60s does not take mail from %.120s", smtp->session.client->set.name,
             options_of(mail)->from);
    decide_by_code(mail, smtp, what);
    if (!mail->asked_of)
        leave(mail, smtp);
}

static void refuse_recipient(struct mail *mail, struct smtp_session *smtp)
{
    char what[300];
    const char *who = recipient(mail, mail->answered);
    size_t used = strlen(mail->refused);
    snprintf(mail->refused + used, sizeof mail->refused - used, "%s%.100s", used ? ", " : "", who);
    snprintf(what, sizeof what, "recipient %.120s is refused%s", who,
             recipients(mail) > 1 && options_of(mail)->recipients == RECIPIENTS_ALL
                 ? ", so nobody was sent it"
                 : "");
    if (options_of(mail)->recipients == RECIPIENTS_ALL || recipients(mail) == 1)
        decide_by_code(mail, smtp, what);
    mail->talk.broken = mail->talk.broken || smtp->code == 421;
}

static void answered_to(struct mail *mail, struct smtp_session *smtp)
{
    if (smtp->code / 100 == 2)
        mail->accepted++;
    else if (!mail->reason[0])
        refuse_recipient(mail, smtp);
    mail->answered++;
    if (mail->answered < mail->asked_of)
        return;
    if (!mail->reason[0] && mail->asked_of < recipients(mail)) {
        say_recipients(mail, smtp);
        return;
    }
    if (!mail->reason[0] && !mail->accepted)
        decide_by_code(mail, smtp, "no recipient is accepted");
    mail->stage = STAGE_DATA;
    if (mail->data_said)
        return; /* its answer is still to come */
    if (mail->reason[0])
        leave(mail, smtp);
    else
        say_data(mail, smtp);
}

static void answered_data(struct mail *mail, struct smtp_session *smtp)
{
    if (mail->reason[0]) {
        /* The server wants the content of a mail that nobody may get: to say nothing more is the only way out. */
        mail->talk.broken = mail->talk.broken || smtp->code / 100 == 3;
        leave(mail, smtp);
    } else if (smtp->code == 354) {
        say_content(mail, smtp);
    } else {
        decide_by_code(mail, smtp, "DATA is refused");
        leave(mail, smtp);
    }
}

static void answered_content(struct mail *mail, struct smtp_session *smtp)
{
    mail->talk.over = true;
    if (smtp->code / 100 == 2) {
        mail->outcome = ACCORD_DELIVERED;
        snprintf(mail->receipt, sizeof mail->receipt, "%.250s%s%s", smtp->said,
                 mail->refused[0] ? "; not taken for " : "", mail->refused);
    } else if (smtp->code / 100 == 3) {
        decide(mail, ACCORD_UNCERTAIN, "an answer that means nothing here: %.300s", smtp->said);
        mail->talk.broken = true;
    } else {
        decide_by_code(mail, smtp, "the mail is refused");
    }
}

static void replied(struct conversation *talk, struct smtp_session *smtp)
{
    struct mail *mail = (struct mail *)talk;
    switch (mail->stage) {
    case STAGE_FROM:
        answered_from(mail, smtp);
        break;
    case STAGE_TO:
        answered_to(mail, smtp);
        break;
    case STAGE_DATA:
        answered_data(mail, smtp);
        break;
    case STAGE_ANSWER:
        answered_content(mail, smtp);
        break;
    case STAGE_CONTENT: /* before its end: it has had enough */
        decide_by_code(mail, smtp, "the mail is refused before its end");
        talk->over = talk->broken = true;
        break;
    case STAGE_RSET:
        talk->over = true;
        talk->broken = smtp->code / 100 != 2;
        break;
    case STAGE_NONE: /* nothing was asked */
        talk->over = talk->broken = true;
        break;
    }
}

static bool left(const struct conversation *talk)
{
    return ((const struct mail *)talk)->gone;
}

static void reset(struct conversation *talk)
{
    struct mail *mail = (struct mail *)talk;
    mail->stage = STAGE_NONE;
    mail->asked_of = mail->answered = mail->accepted = 0;
    mail->data_said = mail->dotted = mail->gone = false;
    mail->refused[0] = 0;
}

static const struct conversation_table table = {
    .begin = begin, .replied = replied, .drained = drained, .left = left, .reset = reset, .ended = ended};

/* ---- what the host does ---- */

static void refuse_now(struct link *link, const struct accord_outgoing *out, enum accord_outcome outcome,
                       const char *reason)
{
    const struct accord_result result = {.outcome = outcome, .reason = reason, .receipt = ""};
    link->host->finish(out->handle, &result);
}

static bool is_too_large(const struct link *link, const struct accord_outgoing *out,
                         const struct letter *letter, char *why, size_t why_size)
{
    int64_t limit = link->options->size_limit;
    if (!limit || letter->size <= limit)
        return false;
    snprintf(why, why_size,
             "too large for the link's size-limit: %" PRId64 " bytes as a mail (%" PRId64
             " bytes of payload), and the limit is %" PRId64,
             letter->size, out->envelope->size, limit);
    return true;
}

void mail_deliver(struct link *link, const struct accord_outgoing *out)
{
    struct mail *mail = calloc(1, sizeof *mail);
    char why[ACCORD_REASON_MAX];
    if (!mail) {
        refuse_now(link, out, ACCORD_RETRY, "out of memory");
        return;
    }
    mail->talk.table = &table;
    mail->link = link;
    mail->out = out;
    mail->service = link->setup->services[out->service];
    mail->outcome = ACCORD_RETRY;
    mail->next = link->mails;
    link->mails = mail;
    if (!letter_write(&mail->letter, mail->service, out->envelope, link->host->wall(link->instance)))
        finish(mail, ACCORD_RETRY, 0, "out of memory");
    else if (is_too_large(link, out, &mail->letter, why, sizeof why))
        finish(mail, ACCORD_REFUSED, 0, why);
    else if (!client_begin(link->client, &mail->talk.call))
        finish(mail, ACCORD_RETRY, 0, "out of memory");
}

static struct mail *find(const struct link *link, const struct accord_delivery *handle)
{
    struct mail *mail = link->mails;
    while (mail && mail->out->handle != handle)
        mail = mail->next;
    return mail;
}

void mail_payload(struct link *link, struct accord_delivery *handle, const uint8_t *bytes, size_t size,
                  bool last)
{
    struct mail *mail = find(link, handle);
    if (!mail || mail->whole || mail->talk.over)
        return;
    struct client_session *session = mail->talk.call.session;
    bool flows = session && mail->stage == STAGE_CONTENT;
    struct smtp_session *smtp = (struct smtp_session *)session;
    struct text *to = flows ? &smtp->out : &mail->early;
    mail->got += (int64_t)size;
    mail->whole = last;
    encoder_put(&mail->letter.encoder, to, bytes, size);
    if (last)
        encoder_end(&mail->letter.encoder, to);
    if (last && flows)
        end_content(mail, smtp);
    mail->talk.call.body_waits = false;
    if (flows)
        client_go_on(&mail->talk.call);
}

static void on_grace(void *arg)
{
    struct mail *mail = arg;
    mail->grace = NULL;
    decide(mail, ACCORD_UNCERTAIN, "given up while the answer to the whole mail was awaited");
    client_cancel(&mail->talk.call, mail->reason);
}

void mail_cancel(struct link *link, struct accord_delivery *handle)
{
    struct mail *mail = find(link, handle);
    if (!mail || mail->grace)
        return;
    if (mail->gone && (mail->grace = link->host->timer(link->instance, GRACE, on_grace, mail)))
        return;
    decide(mail, mail->gone ? ACCORD_UNCERTAIN : ACCORD_RETRY, "cancelled before %s",
           mail->gone ? "the answer came" : "it was sent as a whole");
    client_cancel(&mail->talk.call, mail->reason);
}

void mail_close(struct link *link)
{
    while (link->mails) {
        struct mail *mail = link->mails;
        finish(mail, mail->gone ? ACCORD_UNCERTAIN : ACCORD_RETRY, 0,
               mail->gone ? "the link was closed before the answer to the whole mail came"
                          : "the link is closed");
    }
}
