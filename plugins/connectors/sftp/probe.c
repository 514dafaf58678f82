/* `accord probe`: handshake, authentication, and whether the folders of the services are there and may be listed. Nothing
 * is changed at the partner, and nothing is parked. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "probe.h"
#include "session.h"

struct probe {
    struct use use; /* first */
    struct link *link;
    struct accord_probe *handle;
    size_t service;
};

static void tell(struct probe *probe, bool last, const char *step, int result, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void tell(struct probe *probe, bool last, const char *step, int result, const char *format, ...)
{
    char text[ACCORD_REASON_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    probe->link->host->probed(probe->handle, step, result, text, last);
}

static void end(struct probe *probe)
{
    probe->link->probes--;
    pool_leave(&probe->use);
    free(probe);
}

/* ---- folders ---- */

static void next_service(struct probe *probe);

static bool is_last(const struct probe *probe)
{
    return probe->service + 1 >= probe->link->setup->service_count;
}

/* Both kinds of answer, to STAT and to OPENDIR. */
static void on_folder(void *arg, uint32_t note, struct sftp_reply *reply)
{
    struct probe *probe = arg;
    const char *name = probe->link->setup->services[probe->service]->name;
    const char *folder = link_service(probe->link, probe->service)->directory;
    struct client *client = use_client(&probe->use);
    bool last = is_last(probe), lists = reply->type == SFTP_HANDLE;
    char step[48], words[24];
    (void)note;
    snprintf(step, sizeof step, "%.40s", name);
    if (lists)
        sftp_put_close(&client->outbox, client_ask(client, NULL, NULL, 0), &reply->handle);
    if (lists || (reply->type == SFTP_ATTRS && S_ISDIR(reply->attrs.permissions)))
        tell(probe, last, step, 0, "the folder %.200s is there%s", folder, lists ? " and can be listed" : "");
    else if (reply->type == SFTP_ATTRS && !(reply->attrs.flags & SFTP_ATTR_PERMISSIONS))
        tell(probe, last, step, 0, "%.200s is there", folder);
    else if (reply->type == SFTP_ATTRS)
        tell(probe, last, step, ACCORD_EINVAL, "%.200s is not a folder: correct directory", folder);
    else
        tell(probe, last, step, reply->status == SFTP_NO_SUCH_FILE ? ACCORD_ENOENT : ACCORD_EDENIED,
             "the folder %.200s: %s %.100s: correct directory, or ask the partner for it", folder,
             reply->type == SFTP_STATUS ? sftp_status_text(reply->status, words) : "a wrong answer",
             reply->message);
    probe->service++;
    if (last)
        end(probe);
    else
        next_service(probe);
}

static void next_service(struct probe *probe)
{
    struct client *client = use_client(&probe->use);
    const char *folder = link_service(probe->link, probe->service)->directory;
    uint32_t id = client_ask(client, on_folder, probe, 0);
    if (probe->link->setup->services[probe->service]->direction == ACCORD_RECEIVE)
        sftp_put_opendir(&client->outbox, id, folder);
    else
        sftp_put_stat(&client->outbox, id, folder);
}

/* ---- the session ---- */

static void begin(struct use *use)
{
    struct probe *probe = (struct probe *)use;
    const struct session *session = use->session;
    bool last = probe->link->setup->service_count == 0;
    tell(probe, false, "handshake", 0, "%s, %s; the host key is pinned", ssh_get_kex_algo(session->ssh),
         ssh_get_cipher_out(session->ssh));
    tell(probe, last, "authentication", 0, "the partner knows %s", probe->link->options->user);
    if (last)
        end(probe);
    else
        next_service(probe);
}

static void on_broken(struct use *use, const char *reason)
{
    struct probe *probe = (struct probe *)use;
    enum session_stage stage = probe->link->broke_at;
    if (stage <= SESSION_PEER_JUDGED) {
        tell(probe, true, stage == SESSION_DIALLING ? "session" : "handshake", ACCORD_ENET, "%s", reason);
    } else if (stage <= SESSION_SELF_JUDGED) {
        tell(probe, false, "handshake", 0, "the host key is pinned");
        tell(probe, true, "authentication", ACCORD_EDENIED, "%s", reason);
    } else {
        tell(probe, true, "sftp", ACCORD_EPROTO, "%s", reason);
    }
    end(probe);
}

void sftp_probe(void *state, struct accord_probe *handle)
{
    struct link *link = state;
    struct probe *probe = calloc(1, sizeof *probe);
    if (!probe) {
        link->host->probed(handle, "session", ACCORD_ENOMEM, "out of memory", true);
        return;
    }
    probe->link = link;
    probe->handle = handle;
    probe->use = (struct use){.kind = USE_LIST, .begin = begin, .broken = on_broken};
    link->probes++;
    link->broke_at = SESSION_DIALLING;
    pool_join(link, &probe->use);
}
