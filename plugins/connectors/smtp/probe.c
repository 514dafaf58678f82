/* The steps are those of a session (connect, tls, authenticate); then, for each service, the sender and the recipients are
 * named to the server and taken back (RSET): no mail is sent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

struct probe {
    struct conversation talk; /* first */
    struct link *link;
    struct accord_probe *handle;
    size_t service, asked; /* whose turn it is; what was said: the sender, recipients, RSET */
    int result;            /* of the step that failed first */
    char step[48], text[ACCORD_REASON_MAX];
};

static const struct accord_service *service_of(const struct probe *probe)
{
    return probe->link->setup->services[probe->service];
}

static const struct service_options *options_of(const struct probe *probe)
{
    return service_of(probe)->options;
}

static size_t recipients(const struct probe *probe)
{
    return smtp_recipients(options_of(probe));
}

/* The sender is 0. */
static const char *address(const struct probe *probe, size_t index)
{
    const struct service_options *options = options_of(probe);
    return index ? smtp_recipient(options, index - 1) : options->from;
}

static void keep_failure(struct probe *probe, const char *step, int result, const char *text)
{
    if (probe->result)
        return;
    probe->result = result;
    snprintf(probe->step, sizeof probe->step, "%.40s", step);
    snprintf(probe->text, sizeof probe->text, "%s", text);
}

static void on_step(void *arg, const char *step, int result, const char *text)
{
    struct probe *probe = arg;
    if (result < 0)
        keep_failure(probe, step, result, text);
    else
        probe->link->host->probed(probe->handle, step, result, text, false);
}

/* ---- the walk ---- */

static void ask(struct probe *probe, struct smtp_session *smtp)
{
    if (probe->asked == 0)
        smtp_say(smtp, "MAIL FROM:<%s>\r\n", address(probe, 0));
    else if (probe->asked <= recipients(probe))
        smtp_say(smtp, "RCPT TO:<%s>\r\n", address(probe, probe->asked));
    else
        smtp_say(smtp, "RSET\r\n");
}

static void begin(struct conversation *talk, struct smtp_session *smtp)
{
    struct probe *probe = (struct probe *)talk;
    talk->over = probe->link->setup->service_count == 0;
    if (!talk->over)
        ask(probe, smtp);
}

static void service_done(struct probe *probe, struct smtp_session *smtp)
{
    char text[ACCORD_REASON_MAX];
    snprintf(text, sizeof text, "the server takes mail from %.120s for %zu recipient%s",
             options_of(probe)->from, recipients(probe), recipients(probe) == 1 ? "" : "s");
    probe->link->host->probed(probe->handle, service_of(probe)->name, 0, text, false);
    probe->asked = 0;
    if (++probe->service < probe->link->setup->service_count)
        ask(probe, smtp);
    else
        probe->talk.over = true;
}

static void replied(struct conversation *talk, struct smtp_session *smtp)
{
    struct probe *probe = (struct probe *)talk;
    char text[ACCORD_REASON_MAX];
    if (smtp->code / 100 != 2) {
        snprintf(text, sizeof text, "%.120s: %.300s", address(probe, probe->asked), smtp->said);
        keep_failure(probe, service_of(probe)->name, smtp->code / 100 == 5 ? ACCORD_EDENIED : ACCORD_ENET,
                     text);
        talk->over = talk->broken = true;
    } else if (probe->asked++ > recipients(probe)) {
        service_done(probe, smtp);
    } else {
        ask(probe, smtp);
    }
}

static void drained(struct conversation *talk, struct smtp_session *smtp)
{
    (void)talk, (void)smtp;
}

static bool left(const struct conversation *talk)
{
    (void)talk;
    return false;
}

static void reset(struct conversation *talk)
{
    struct probe *probe = (struct probe *)talk;
    probe->service = probe->asked = 0;
}

static void ended(struct conversation *talk, enum client_end end, const char *rule, const char *reason,
                  bool closed)
{
    struct probe *probe = (struct probe *)talk;
    (void)rule;
    if (end != CLIENT_DONE)
        keep_failure(probe, "session", end == CLIENT_REFUSED ? ACCORD_EDENIED : ACCORD_ENET, reason);
    if (!closed && probe->result)
        probe->link->host->probed(probe->handle, probe->step, probe->result, probe->text, true);
    else if (!closed)
        probe->link->host->probed(probe->handle, "done", 0, "no mail was sent", true);
    free(probe);
}

static const struct conversation_table table = {
    .begin = begin, .replied = replied, .drained = drained, .left = left, .reset = reset, .ended = ended};

void smtp_probe(void *state, struct accord_probe *handle)
{
    struct link *link = state;
    struct probe *probe = calloc(1, sizeof *probe);
    if (probe) {
        probe->talk.table = &table;
        probe->link = link;
        probe->handle = handle;
        client_tell_steps(&probe->talk.call, on_step, probe);
        if (client_begin(link->client, &probe->talk.call))
            return;
        free(probe);
    }
    link->host->probed(handle, "session", ACCORD_ENOMEM, "out of memory", true);
}
