#include "stand_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "conf/value.h"
#include "plugin/child.h"
#include "plugin/describe.h"
#include "plugin/loader.h"

struct accord_instance {
    const struct accord_plugin *plugin;
    struct conf_options *options;
    void *state;
    unsigned sender; /* WIRE_x */
    uint64_t sessions;
    accord_dial_fn dialled;
    void *dialled_arg;
};

struct accord_session {
    uint64_t number;
};

static void host_log(struct accord_instance *i, enum accord_level level, const char *event, const char *text)
{
    (void)i;
    struct buf out = {0};
    wire_put_LOG(&out, &(struct wire_LOG){
                           .level = (uint8_t)level, .instance = "battery", .event = event, .line = text});
    child_send(&out, NULL);
    buf_fini(&out);
}

static int host_dial(struct accord_instance *i, accord_dial_fn dialled, void *arg)
{
    i->dialled = dialled;
    i->dialled_arg = arg;
    struct buf out = {0};
    wire_put_DIAL(&out, &(struct wire_DIAL){.session = ++i->sessions});
    int result = child_send(&out, NULL);
    buf_fini(&out);
    return result;
}

static const struct accord_host host = {
    .size = sizeof host, .minor = ACCORD_ABI_MINOR, .log = host_log, .dial = host_dial};
static const struct accord_policy_host policy_host = {.size = sizeof policy_host, .base = &host};

static int load(struct child *child, struct accord_instance *i, const struct wire_LOAD *m, struct reason *why)
{
    char path[512], sha256[DIGEST_HEX], rule[ACCORD_RULE_MAX];
    int result = child_plugin_path(child, m->plugin, path, sizeof path, why);
    return result ? result : plugin_load(path, NULL, &i->plugin, sha256, rule, why);
}

static int fill(struct accord_instance *i, const struct wire_pairs *pairs, struct reason *why)
{
    struct accord_pair items[WIRE_PAIRS_MAX];
    if (!i->plugin)
        return fail(why, ACCORD_ESTATE, "nothing is loaded");
    bool connector = i->plugin->kind == ACCORD_CONNECTOR;
    const struct accord_options *options =
        connector ? &i->plugin->connector->link_options : &i->plugin->policy->options;
    return conf_options_fill(options, items, wire_pairs_copy(pairs, items), &i->options, why);
}

static int start(struct accord_instance *i, struct reason *why)
{
    bool connector = i->plugin->kind == ACCORD_CONNECTOR;
    i->state = calloc(1, connector ? i->plugin->connector->state_size : i->plugin->policy->state_size);
    const void *options = conf_options_struct(i->options);
    if (!connector)
        return i->plugin->policy->open(i->state, i, &policy_host,
                                       &(struct accord_policy_setup){.options = options}, why->text,
                                       sizeof why->text);
    int result = i->plugin->connector->open(
        i->state, i, &host, &(struct accord_link_setup){.options = options}, why->text, sizeof why->text);
    if (!result)
        i->plugin->connector->start(i->state);
    return result;
}

static int handle(struct child *child, struct accord_instance *i, const struct wire_message *m, int fd,
                  struct reason *why)
{
    static struct accord_session session;
    switch (m->type) {
    case WIRE_LOAD:
        return load(child, i, &m->LOAD, why);
    case WIRE_LINK:
        return fill(i, &m->LINK.options, why);
    case WIRE_MODULE:
        return fill(i, &m->MODULE.options, why);
    case WIRE_START:
        return start(i, why);
    case WIRE_DIALED:
        i->dialled(i->dialled_arg, m->DIALED.result ? NULL : &session, fd, m->DIALED.reason);
        return 0;
    default:
        return fail(why, ACCORD_EPROTO, "%s is more than a stand-in can do", wire_type_name(m->type));
    }
}

static ssize_t receive(uint8_t *datagram, size_t room, int *fd)
{
    struct iovec piece = {datagram, room};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t n = recvmsg(CHILD_FD, &message, MSG_CMSG_CLOEXEC);
    struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    *fd = -1;
    if (header && header->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(header), sizeof *fd);
    return n;
}

static int serve(struct child *child, struct reason *why)
{
    static uint8_t datagram[WIRE_DATAGRAM_MAX];
    struct accord_instance instance = {0};
    int fd = -1, result = 0;
    while (!result) {
        struct wire_message message;
        while (child->rest.size && !result) {
            result = wire_decode(&child->rest, WIRE_H, &message, why);
            if (!result)
                result = handle(child, &instance, &message, fd, why);
        }
        ssize_t n = result ? 0 : receive(datagram, sizeof datagram, &fd);
        if (n <= 0)
            return result; /* the hub is gone */
        child->rest = (struct wire_bytes){datagram, (size_t)n};
    }
    return result;
}

static int run(enum sandbox_role role, pid_t parent)
{
    struct child child;
    struct reason why = {""};
    if (child_begin(&child, role, parent, &why) < 0)
        return child_failed("hub.sandbox", &why);
    return serve(&child, &why) < 0 ? child_failed("plugin.failed", &why) : 0;
}

int stand_in(int argc, char **argv)
{
    static const char *const names[] = {"--role=link", "--role=guard", "--role=inspect", "--role=describe"};
    pid_t parent = 0;
    int role = -1;
    for (int i = 1; i < argc; i++) {
        for (int r = 0; r < 4; r++)
            role = strcmp(argv[i], names[r]) == 0 ? r : role;
        if (strncmp(argv[i], "--parent=", 9) == 0)
            parent = atoi(argv[i] + 9);
    }
    return role < 0 ? -1 : run((enum sandbox_role)role, parent);
}
