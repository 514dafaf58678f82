#include "hub/control.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "hub/intake.h"
#include "hub/reload.h"
#include "hub/trail.h"
#include "hub/unit.h"
#include "hub/verbs.h"
#include "util/clock.h"
#include "util/text.h"

#define CLIENTS_MAX  32
#define OFFERS_MAX   8         /* of one client, open at a time */
#define PENDING_MAX  16        /* answers that are being made for one client */
#define BACKLOG_MOST (4 << 20) /* bytes of answers that it has not read */
#define ACCEPT_PAUSE 1000      /* ms without accepting when descriptors run out */

struct control {
    struct hub *hub;
    int fd;
    uv_poll_t poll;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct control_client *clients;
    size_t client_count;
    int64_t accept_at; /* ticks: go on accepting; 0: it does */
};

/* ---- answers ---- */

static void client_free_if_over(struct control_client *client)
{
    if (client->channel || client->pending)
        return;
    struct control_client **at = &client->control->clients;
    while (*at != client)
        at = &(*at)->next;
    *at = client->next;
    client->control->client_count--;
    free(client);
}

static void client_close(struct control_client *client)
{
    if (!client->channel)
        return;
    probe_stop(client, "the command was given up");
    channel_close(client->channel);
    client->channel = NULL;
    intake_gone(&client->intakes);
}

static void hang_up(struct control_client *client)
{
    client_close(client);
    client_free_if_over(client);
}

struct answer *answer_new(struct control_client *client)
{
    struct answer *answer = calloc(1, sizeof *answer);
    if (!answer)
        return NULL;
    *answer = (struct answer){client->control->hub, client};
    client->pending++;
    return answer;
}

void answer_row(struct answer *answer, const char *table, const struct accord_pair *cells, size_t count)
{
    if (answer->client->channel)
        wire_put_ROW(channel_out(answer->client->channel),
                     &(struct wire_ROW){.table = table, .cells = WIRE_PAIRS(cells, count)});
}

void answer_end(struct answer *answer, int exit, const char *format, ...)
{
    struct control_client *client = answer->client;
    char line[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (client->channel)
        wire_put_END(channel_out(client->channel), &(struct wire_END){.exit = (uint8_t)exit, .line = line});
    free(answer);
    client->pending--;
    client_free_if_over(client);
}

/* ---- offers by command ---- */

static const struct conf_service *receiving_service(struct hub *hub, const char *route, struct unit **unit)
{
    char agreement[CONF_NAME_MAX];
    const char *slash = strchr(route, '/');
    if (!slash || (size_t)(slash - route) >= sizeof agreement)
        return NULL;
    memcpy(agreement, route, (size_t)(slash - route));
    agreement[slash - route] = 0;
    *unit = unit_find(hub, agreement);
    const struct conf_service *service = *unit ? conf_service_find((*unit)->agreement, slash + 1) : NULL;
    return service && service->direction == ACCORD_RECEIVE ? service : NULL;
}

static void end_offer(struct control_client *client, const char *line)
{
    wire_put_END(channel_out(client->channel), &(struct wire_END){.exit = ANSWER_NO, .line = line});
}

static void offered(struct control_client *client, const struct wire_OFFER *m)
{
    struct hub *hub = client->control->hub;
    struct unit *unit = NULL;
    const struct conf_service *service = receiving_service(hub, m->route, &unit);
    struct intake_host host = {&client->channel, &client->intakes, OFFERS_MAX * WIRE_OFFER_HEAVY,
                               &client->intakes_held, false};
    struct accord_pair details[] = {{"route", m->route}, {"name", m->name}};
    struct audit_event event = {.action = AUDIT_COMMAND,
                                .outcome = service ? AUDIT_SUCCESS : AUDIT_FAILURE,
                                .agreement = unit ? unit->name : NULL,
                                .user = client->user,
                                .reason = "submit",
                                .details = details,
                                .detail_count = 2};
    trail_event(hub, &event);
    if (!service)
        end_offer(client, "there is no receiving service of that name; see: accord agreements");
    else if (hub->stopping)
        end_offer(client, "the agent is stopping");
    else if (intake_offer(host, unit->party, service, m) == INTAKE_BROKEN)
        end_offer(client, "the offer was not well formed");
}

/* ---- clients ---- */

static void message(void *arg, const struct wire_message *m, int fd)
{
    struct control_client *client = arg;
    if (fd >= 0)
        close(fd);
    if (client->pending >= PENDING_MAX || channel_backlog(client->channel) > BACKLOG_MOST) {
        hang_up(client); /* it asks and does not read */
        return;
    }
    switch (m->type) {
    case WIRE_COMMAND:
        verb_run(client, &m->COMMAND);
        break;
    case WIRE_OFFER:
        offered(client, &m->OFFER);
        break;
    case WIRE_OFFER_DATA:
        if (!intake_data(&client->intakes, &m->OFFER_DATA))
            hang_up(client);
        break;
    default:
        hang_up(client);
    }
}

static void gone(void *arg, const struct reason *why)
{
    (void)why; /* a command that talks nonsense is told by hanging up */
    hang_up(arg);
}

static const struct channel_events events = {.message = message, .gone = gone};

static void client_new(struct control *control, int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    struct control_client *client = NULL;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
        (peer.uid != 0 && peer.uid != geteuid()) || control->client_count >= CLIENTS_MAX)
        goto refuse;
    client = calloc(1, sizeof *client);
    if (!client)
        goto refuse;
    const struct passwd *user = getpwuid(peer.uid);
    client->control = control;
    snprintf(client->user, sizeof client->user, "%.48s(%u)", user ? user->pw_name : "uid",
             (unsigned)peer.uid);
    int owned = fd;
    fd = -1; /* the channel's, also when it cannot be opened */
    if (channel_open(&client->channel, &control->hub->loop, owned, WIRE_C, &events, client) < 0)
        goto refuse;
    client->next = control->clients;
    control->clients = client;
    control->client_count++;
    return;
refuse:
    free(client);
    if (fd >= 0)
        close(fd);
}

static void readable(uv_poll_t *poll, int status, int what)
{
    struct control *control = poll->data;
    (void)what;
    int fd = status < 0 ? -1 : accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        client_new(control, fd);
    } else if (status < 0 || (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)) {
        /* Whoever waits would wake us again at once. */
        uv_poll_stop(poll);
        control->accept_at = clock_ticks() + ACCEPT_PAUSE;
    }
}

/* ---- life ---- */

static int listen_at(struct control *control, const char *state, struct reason *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s/control.sock", state);
    if (n < 0 || (size_t)n >= sizeof address.sun_path)
        return fail(why, ACCORD_EINVAL, "the state folder's path is too long for a socket: %s", state);
    text_copy(control->path, sizeof control->path, address.sun_path);
    unlink(address.sun_path); /* the store's lock says that nobody else runs here */
    control->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t before = umask(0177);
    bool bound = control->fd >= 0 && bind(control->fd, (struct sockaddr *)&address, sizeof address) == 0;
    umask(before);
    if (!bound || chmod(address.sun_path, 0600) < 0 || listen(control->fd, 16) < 0)
        return fail(why, error_from_errno(errno), "cannot listen on %s: %s", address.sun_path,
                    strerror(errno));
    return 0;
}

int control_open(struct hub *hub, struct reason *why)
{
    struct control *control = calloc(1, sizeof *control);
    if (!control)
        return fail(why, ACCORD_ENOMEM, "out of memory");
    *control = (struct control){.hub = hub, .fd = -1};
    int result = listen_at(control, hub->conf->conf->agent.state, why);
    if (result) {
        if (control->fd >= 0)
            close(control->fd);
        free(control);
        return result;
    }
    hub->control = control;
    uv_poll_init(&hub->loop, &control->poll, control->fd);
    control->poll.data = control;
    uv_poll_start(&control->poll, UV_READABLE, readable);
    return 0;
}

static void control_closed(uv_handle_t *handle)
{
    struct control *control = handle->data;
    close(control->fd);
    free(control);
}

void control_tick(struct hub *hub, int64_t ticks)
{
    struct control *control = hub->control;
    for (struct control_client *client = control->clients; client; client = client->next)
        intake_tick(&client->intakes, ticks, NULL);
    if (!control->accept_at || ticks < control->accept_at)
        return;
    control->accept_at = 0;
    uv_poll_start(&control->poll, UV_READABLE, readable);
}

void control_drop_offers(struct hub *hub, const struct bus_party *party)
{
    struct control_client *client = hub->control ? hub->control->clients : NULL;
    for (; client; client = client->next)
        intake_tick(&client->intakes, clock_ticks(), party);
}

void control_close(struct hub *hub)
{
    struct control *control = hub->control;
    hub->control = NULL;
    unlink(control->path);
    while (control->clients) {
        struct control_client *client = control->clients;
        probe_stop(client, "the agent is stopping");
        client->pending = 0; /* nothing is being made any more: verbs are refused once the hub is stopping */
        if (client->channel)
            channel_flush(client->channel, 200);
        client_close(client);
        client_free_if_over(client);
    }
    uv_close((uv_handle_t *)&control->poll, control_closed);
}
