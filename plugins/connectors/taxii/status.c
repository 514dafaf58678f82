#include "status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "phrase.h"

#define DAY           (INT64_C(86400) * 1000)
#define PERSON_NEEDED (INT64_C(10) * 60 * 1000) /* ms until what only a person can mend is tried again */

void outcome_set(struct outcome *outcome, enum meaning means, const char *rule, const char *format, ...)
{
    va_list args;
    outcome->means = means;
    snprintf(outcome->rule, sizeof outcome->rule, "%s", rule);
    va_start(args, format);
    vsnprintf(outcome->reason, sizeof outcome->reason, format, args);
    va_end(args);
}

/* ---- details ---- */

/* Every value of a detail, joined: "urn:a, urn:b". */
static const char *details(const struct answer_status *status, const char *name, char *to, size_t room)
{
    size_t size = 0;
    *to = '\0';
    for (size_t i = 0; i < status->detail_count && size < room; i++)
        if (strcmp(status->details[i].name, name) == 0)
            size +=
                (size_t)snprintf(to + size, room - size, "%s%s", size ? ", " : "", status->details[i].value);
    return to;
}

/* -1: not there, or not a number. */
static int64_t number(const struct answer_status *status, const char *name)
{
    char text[32], *end;
    if (!*details(status, name, text, sizeof text) || text[0] < '0' || text[0] > '9')
        return -1;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    return errno || *end ? -1 : value;
}

/* In ms, at most a day: a partner that says a year is asked tomorrow. */
static int64_t estimated_wait(const struct answer_status *status)
{
    int64_t seconds = number(status, "ESTIMATED_WAIT");
    if (seconds < 0)
        return 0;
    return seconds > DAY / 1000 ? DAY : seconds * 1000;
}

/* ---- status types ---- */

typedef void meaning_fn(struct outcome *, enum asked, const struct answer_status *, const char *words);

static const char *to_what(enum asked asked)
{
    switch (asked) {
    case ASKED_INBOX:
        return "the message";
    case ASKED_POLL:
        return "the poll";
    case ASKED_PART:
        return "the poll for a further part";
    default:
        return "the question for its services";
    }
}

static void success(struct outcome *outcome, enum asked asked, const struct answer_status *status,
                    const char *words)
{
    (void)words;
    if (asked == ASKED_INBOX) {
        outcome->means = MEANS_DONE;
        phrase_put(outcome->said, outcome->said + sizeof outcome->said, status->message, SIZE_MAX);
        return;
    }
    outcome->broken = true;
    outcome_set(outcome, MEANS_RETRY, "taxii.protocol",
                "the partner answered %s with SUCCESS, which says nothing", to_what(asked));
}

static void failure(struct outcome *outcome, enum asked asked, const struct answer_status *status,
                    const char *words)
{
    outcome_set(outcome, MEANS_RETRY, "", "the partner answered %s with %.64s%s", to_what(asked),
                status->type, words);
}

static void bad_message(struct outcome *outcome, enum asked asked, const struct answer_status *status,
                        const char *words)
{
    (void)status;
    outcome_set(outcome, asked == ASKED_INBOX ? MEANS_REFUSED : MEANS_RETRY, "taxii.bad-message",
                "the partner cannot read %s (BAD_MESSAGE)%s", to_what(asked), words);
}

static void unauthorized(struct outcome *outcome, enum asked asked, const struct answer_status *status,
                         const char *words)
{
    bool denied = strcmp(status->type, "DENIED") == 0;
    outcome_set(outcome, MEANS_PARK, denied ? "taxii.denied" : "taxii.unauthorized",
                "the partner %s%s: ask it which certificate it knows for us and what that may do, then "
                "resume the link",
                denied ? "denies what was asked for (DENIED)" : "does not accept us (UNAUTHORIZED)", words);
    outcome->stale = true;
    (void)asked;
}

static void destination(struct outcome *outcome, enum asked asked, const struct answer_status *status,
                        const char *words)
{
    char takes[200];
    details(status, "ACCEPTABLE_DESTINATION", takes, sizeof takes);
    outcome_set(
        outcome, MEANS_RETRY, "taxii.destination",
        "the partner does not take content for this collection (DESTINATION_COLLECTION_ERROR)%s; %s%s: "
        "correct `collection`, or `destination`",
        words, *takes ? "it takes: " : "it does not say for which", takes);
    outcome->wait = PERSON_NEEDED;
    outcome->stale = true;
    (void)asked;
}

static void invalid_part(struct outcome *outcome, enum asked asked, const struct answer_status *status,
                         const char *words)
{
    outcome->parts = number(status, "MAX_PART_NUMBER");
    outcome->gone = true;
    outcome_set(outcome, MEANS_RETRY, "",
                "the partner has no such part of the result (INVALID_RESPONSE_PART)%s", words);
    (void)asked;
}

static void not_found(struct outcome *outcome, enum asked asked, const struct answer_status *status,
                      const char *words)
{
    char item[160];
    details(status, "ITEM", item, sizeof item);
    outcome->gone = asked == ASKED_PART;
    outcome->stale = asked != ASKED_PART;
    outcome->wait = asked == ASKED_PART ? 0 : PERSON_NEEDED;
    outcome_set(outcome, MEANS_RETRY, asked == ASKED_PART ? "" : "taxii.not-found",
                "the partner does not know what %s names (NOT_FOUND%s%s)%s%s", to_what(asked),
                *item ? ": " : "", item, words,
                asked == ASKED_PART ? "" : ": correct `collection`, or ask it for access");
}

static void wait_for_it(struct outcome *outcome, enum asked asked, const struct answer_status *status,
                        const char *words)
{
    outcome->wait = estimated_wait(status);
    outcome_set(outcome, MEANS_RETRY, "", "the partner asks to come again later (%.64s)%s", status->type,
                words);
    (void)asked;
}

/* Only to a client that allows it, and we do not: nothing will be pushed here, so it is asked once more. */
static void pending(struct outcome *outcome, enum asked asked, const struct answer_status *status,
                    const char *words)
{
    wait_for_it(outcome, asked, status, words);
    if (!outcome->wait)
        outcome->wait = 60000;
}

static void unsupported(struct outcome *outcome, enum asked asked, const struct answer_status *status,
                        const char *words)
{
    static const char *const names[] = {"SUPPORTED_BINDING", "SUPPORTED_PROTOCOL", "SUPPORTED_QUERY"};
    char takes[200] = "";
    for (size_t i = 0; i < sizeof names / sizeof *names && !*takes; i++)
        details(status, names[i], takes, sizeof takes);
    outcome->stale = true;
    outcome->wait = PERSON_NEEDED;
    outcome_set(outcome, MEANS_RETRY, "taxii.unsupported",
                "the partner does not take %s at this address (%.64s)%s%s%s: correct the paths of the link",
                to_what(asked), status->type, words, *takes ? "; it takes: " : "", takes);
}

static void unsupported_content(struct outcome *outcome, enum asked asked, const struct answer_status *status,
                                const char *words)
{
    char takes[200];
    details(status, "SUPPORTED_CONTENT", takes, sizeof takes);
    outcome->stale = true;
    outcome->wait = asked == ASKED_INBOX ? 0 : PERSON_NEEDED;
    outcome_set(outcome, asked == ASKED_INBOX ? MEANS_REFUSED : MEANS_RETRY, "taxii.binding",
                "the partner does not take this content binding (UNSUPPORTED_CONTENT)%s%s%s: correct `%s`",
                words, *takes ? "; it takes: " : "", takes, asked == ASKED_INBOX ? "binding" : "bindings");
}

static const struct {
    const char *type;
    meaning_fn *means;
} types[] = {
    {"SUCCESS", success},
    {"ASYNCHRONOUS_POLL_ERROR", failure},
    {"BAD_MESSAGE", bad_message},
    {"DENIED", unauthorized},
    {"DESTINATION_COLLECTION_ERROR", destination},
    {"FAILURE", failure},
    {"INVALID_RESPONSE_PART", invalid_part},
    {"NETWORK_ERROR", failure},
    {"NOT_FOUND", not_found},
    {"PENDING", pending},
    {"POLLING_UNSUPPORTED", unsupported},
    {"RETRY", wait_for_it},
    {"UNAUTHORIZED", unauthorized},
    {"UNSUPPORTED_MESSAGE", unsupported},
    {"UNSUPPORTED_CONTENT", unsupported_content},
    {"UNSUPPORTED_PROTOCOL", unsupported},
    {"UNSUPPORTED_QUERY", unsupported},
};

void status_means(struct outcome *outcome, enum asked asked, const struct answer_status *status)
{
    char words[200] = "";
    meaning_fn *means = failure; /* what is not known is a failure (TAXII 1.1, 4.2) */
    *outcome = (struct outcome){.parts = -1};
    if (*status->message)
        snprintf(words, sizeof words, ": %.180s", status->message);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].type, status->type) == 0)
            means = types[i].means;
    means(outcome, asked, status, words);
}

/* ---- what is no TAXII message ---- */

static bool says(const char *page, const char *words)
{
    return strcasestr(page, words) != NULL;
}

/* nginx and others in front of the server: "400 No required SSL certificate was sent", "400 The SSL certificate
 * error". */
static bool about_certificate(const char *page)
{
    return says(page, "certificate") &&
           (says(page, "SSL") || says(page, "TLS") || says(page, "client certificate"));
}

/* What stands between the tags, as far as there is room. */
static const char *page_text(const char *page, char *to, size_t room)
{
    size_t size = 0;
    bool tag = false, blank = true;
    for (; *page && size + 1 < room; page++) {
        tag = *page == '<' || (tag && *page != '>');
        bool out = !tag && *page != '>' && *page != ' ';
        if (out)
            to[size++] = *page;
        else if (!blank)
            to[size++] = ' ';
        blank = !out;
    }
    to[size] = '\0';
    return to;
}

/* A gateway that lost its server in mid-request does not know either whether it took the content. */
static bool knows_not(long code)
{
    return code == 502 || code == 504 || code < 300;
}

void status_of_http(struct outcome *outcome, enum asked asked, long code, const char *page, int64_t wait)
{
    char words[160];
    page_text(page, words, sizeof words);
    *outcome = (struct outcome){.parts = -1, .wait = wait};
    if ((code == 400 || code == 401 || code == 403 || code == 495 || code == 496) && about_certificate(page))
        outcome_set(outcome, MEANS_PARK, "taxii.certificate-refused",
                    "the partner does not accept our certificate (HTTP %ld: %s): renew `certificate` and "
                    "`key`, or ask "
                    "it which authority must have issued it",
                    code, words);
    else if (code == 401 || code == 403 || code == 407)
        outcome_set(outcome, MEANS_PARK, "taxii.unauthorized",
                    "the partner does not let us in (HTTP %ld: %s): ask it what our certificate and our "
                    "address may do",
                    code, words);
    else if (code == 413 || code == 400)
        outcome_set(outcome, asked == ASKED_INBOX ? MEANS_REFUSED : MEANS_RETRY,
                    code == 413 ? "taxii.too-large" : "taxii.bad-message",
                    "the partner does not take %s (HTTP %ld: %s)%s", to_what(asked), code, words,
                    code == 413 ? ": it is too large for it" : "");
    else if (code == 404 || code == 405 || code == 406 || code == 410 || code == 415 ||
             (code >= 300 && code < 400)) {
        outcome_set(outcome, MEANS_RETRY, "taxii.address",
                    "the partner has no TAXII service at this address (HTTP %ld: %s)%s: correct the paths of "
                    "the link",
                    code, words, code < 400 ? "; redirections are not followed" : "");
        outcome->stale = true;
        outcome->wait = PERSON_NEEDED;
    } else if (asked == ASKED_INBOX && knows_not(code))
        outcome_set(
            outcome, MEANS_UNCERTAIN, "taxii.no-answer",
            "whether the partner took it is not known: what answered is not its TAXII server (HTTP %ld: %s)",
            code, *words ? words : "nothing");
    else
        outcome_set(outcome, MEANS_RETRY, code < 300 ? "taxii.no-answer" : "",
                    "what answered is not a TAXII server (HTTP %ld: %s)", code, *words ? words : "nothing");
}

void status_broken(struct outcome *outcome, enum asked asked, const char *why)
{
    *outcome = (struct outcome){.parts = -1, .broken = true};
    outcome_set(outcome, asked == ASKED_INBOX ? MEANS_UNCERTAIN : MEANS_RETRY, "taxii.bad-answer",
                "the partner's answer cannot be read: %.300s", *why ? why : "it is not what was asked for");
}
