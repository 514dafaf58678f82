#include "drive.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/text.h"
#include "wire/codec.h"

#define PATIENCE_MS 30000 /* for one message, on a busy machine with sanitizers */

struct hub {
    const struct drive_order *order;
    struct drive *drive;
    int fd;
    unsigned dialled;
};

static int spawn(const struct drive_order *order, int fd, pid_t *pid)
{
    char role[32], parent[32];
    snprintf(role, sizeof role, "--role=%s", order->role);
    snprintf(parent, sizeof parent, "--parent=%d", (int)getpid());
    char *arguments[] = {(char *)order->executable, role, "--name=battery", parent, NULL};
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, fd, 3);
    int result = posix_spawn(pid, order->executable, &files, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&files);
    return result;
}

static int send_frames(int fd, struct buf *frames)
{
    ssize_t n = send(fd, frames->data, frames->size, MSG_NOSIGNAL);
    buf_fini(frames);
    return n < 0 ? -1 : 0;
}

static void put_instance(struct buf *out, const struct drive_order *order, struct wire_pairs options)
{
    if (strcmp(order->role, "guard") == 0 || strcmp(order->role, "inspect") == 0)
        wire_put_MODULE(
            out, &(struct wire_MODULE){.name = strcmp(order->role, "guard") ? "battery-inspect" : "battery",
                                       .until = INT64_MAX,
                                       .options = options});
    else
        wire_put_LINK(out, &(struct wire_LINK){.name = "battery",
                                               .connector = "battery",
                                               .host = "127.0.0.1",
                                               .port = order->site->port,
                                               .tunnel = "none",
                                               .options = options});
}

static int send_orders(const struct hub *hub)
{
    const struct drive_order *order = hub->order;
    const struct site *site = order->site;
    char address[32], port[16];
    snprintf(address, sizeof address, "%zx", (size_t)(uintptr_t)ground_bytes);
    snprintf(port, sizeof port, "%u", site->port);
    struct accord_pair folders[] = {{site->inside, "write"}};
    struct accord_pair options[] = {
        {"outside", site->outside}, {"inside", site->inside}, {"abstract", site->abstract},
        {"address", address},       {"port", port},           {"only", order->only}};
    bool link = strcmp(order->role, "link") == 0;
    struct buf out = {0};
    wire_put_SETUP(&out, &(struct wire_SETUP){.version = WIRE_VERSION,
                                              .role = order->role,
                                              .agreement = "battery",
                                              .plugins = order->folder,
                                              .folders = WIRE_PAIRS(folders, link)});
    if (send_frames(hub->fd, &out) < 0)
        return -1;
    out = (struct buf){0};
    wire_put_LOAD(&out, &(struct wire_LOAD){.plugin = order->plugin});
    put_instance(&out, order, WIRE_PAIRS(options, order->only ? 6 : 5));
    wire_put_START(&out, &(struct wire_START){0});
    return send_frames(hub->fd, &out);
}

/* The first descriptor is as the hub passes it, the second as a careless one would. */
static void answer_dial(struct hub *hub, const struct wire_DIAL *dial)
{
    int fd = hub->dialled++ ? ground_reset(hub->order->site) : ground_connected(hub->order->site);
    struct buf out = {0};
    wire_put_DIALED(&out,
                    &(struct wire_DIALED){.session = dial->session, .result = fd < 0 ? ACCORD_ENET : 0});
    struct iovec piece = {out.data, out.size};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        *header = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    (void)!sendmsg(hub->fd, &message, MSG_NOSIGNAL);
    buf_fini(&out);
    if (fd >= 0)
        close(fd);
}

static void add_words(struct drive *drive, const char *what, const char *words)
{
    size_t at = strlen(drive->words);
    snprintf(drive->words + at, sizeof drive->words - at, "%s %s; ", what, words);
}

static void take_log(struct drive *drive, const struct wire_LOG *log)
{
    if (strncmp(log->event, "battery.", 8) != 0)
        add_words(drive, log->event, log->line);
    else if (strcmp(log->event, "battery.end") == 0)
        drive->ended = true;
    else if (drive->count < DRIVE_RESULTS) {
        text_copy(drive->results[drive->count].name, sizeof drive->results[0].name, log->event + 8);
        text_copy(drive->results[drive->count++].text, sizeof drive->results[0].text, log->line);
    }
}

static void take_walls(struct drive *drive, const struct wire_pairs *walls)
{
    struct accord_pair wall;
    for (size_t at = 0; wire_pairs_next(walls, &at, &wall);)
        add_words(drive, wall.name, wall.value);
}

static void take(struct hub *hub, const struct wire_message *m)
{
    switch (m->type) {
    case WIRE_LOG:
        take_log(hub->drive, &m->LOG);
        break;
    case WIRE_DIAL:
        answer_dial(hub, &m->DIAL);
        break;
    case WIRE_SANDBOXED:
        take_walls(hub->drive, &m->SANDBOXED.walls);
        break;
    case WIRE_FAILED:
        add_words(hub->drive, m->FAILED.rule, m->FAILED.reason);
        break;
    default:
        break;
    }
}

static bool receive(struct hub *hub)
{
    static uint8_t datagram[WIRE_DATAGRAM_MAX];
    struct pollfd readable = {.fd = hub->fd, .events = POLLIN};
    if (poll(&readable, 1, PATIENCE_MS) <= 0)
        return false;
    ssize_t n = recv(hub->fd, datagram, sizeof datagram, 0);
    struct wire_bytes bytes = {datagram, n > 0 ? (size_t)n : 0};
    struct wire_message message;
    struct reason why;
    while (bytes.size) {
        if (wire_decode(&bytes, WIRE_L | WIRE_P, &message, &why) < 0 &&
            wire_decode(&bytes, WIRE_D, &message, &why) < 0) {
            add_words(hub->drive, "protocol", why.text);
            return false;
        }
        take(hub, &message);
    }
    return n > 0;
}

int drive_battery(const struct drive_order *order, struct drive *drive)
{
    *drive = (struct drive){0};
    int pair[2];
    pid_t pid;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    int result = spawn(order, pair[1], &pid) == 0 ? 0 : -1;
    close(pair[1]);
    struct hub hub = {order, drive, pair[0], 0};
    if (!result) {
        result = send_orders(&hub);
        while (!result && !drive->ended && receive(&hub))
            ;
        if (drive->ended || result)
            kill(pid, SIGKILL);
        close(pair[0]); /* a child that is still there ends by this */
        while (waitpid(pid, &drive->status, 0) < 0 && errno == EINTR)
            ;
    } else {
        close(pair[0]);
    }
    return result;
}

const char *drive_result(const struct drive *drive, const char *probe)
{
    for (size_t i = 0; i < drive->count; i++)
        if (strcmp(drive->results[i].name, probe) == 0)
            return drive->results[i].text;
    return NULL;
}
