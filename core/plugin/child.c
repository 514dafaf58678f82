#include "plugin/child.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "util/file.h"
#include "util/text.h"

static const char *const role_names[] = {"link", "guard", "inspect", "describe"};

int child_send(const struct buf *frames, struct reason *why)
{
    if (frames->failed)
        return fail(why, ACCORD_ENOMEM, "out of memory");
    ssize_t n;
    do
        n = send(CHILD_FD, frames->data, frames->size, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? fail(why, error_from_errno(errno), "cannot tell the hub: %s", strerror(errno)) : 0;
}

int child_receive(struct buf *datagram, struct reason *why)
{
    buf_clear(datagram);
    uint8_t *to = buf_reserve(datagram, WIRE_DATAGRAM_MAX);
    if (!to)
        return fail(why, ACCORD_ENOMEM, "out of memory");
    ssize_t n;
    do
        n = recv(CHILD_FD, to, WIRE_DATAGRAM_MAX, MSG_TRUNC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return fail(why, error_from_errno(errno), "cannot read from the hub: %s", strerror(errno));
    if (n == 0)
        return fail(why, ACCORD_ECANCELED, "the hub closed the channel");
    if (n > WIRE_DATAGRAM_MAX)
        return fail(why, ACCORD_EPROTO, "the hub sent a datagram of %zd bytes", n);
    datagram->size = (size_t)n;
    return 0;
}

int child_failed(const char *rule, const struct reason *why)
{
    struct buf out = {0};
    wire_put_FAILED(&out, &(struct wire_FAILED){.rule = rule, .reason = why->text});
    /* Without a hub to tell, standard error is all there is. */
    if (child_send(&out, NULL) < 0)
        fprintf(stderr, "accordd: %s [%s]\n", why->text, rule);
    buf_fini(&out);
    return 1;
}

static void wall_value(char *to, size_t room, enum sandbox_wall wall, const char *detail,
                       const struct reason *why)
{
    if (wall == SANDBOX_UP)
        snprintf(to, room, "yes%s", detail);
    else
        snprintf(to, room, "no: %s", why->text);
}

void child_walls(struct child_walls *to, const struct sandbox_walls *walls)
{
    static const struct reason none = {"not tried"};
    char abi[32];
    snprintf(abi, sizeof abi, ": ABI %d", walls->landlock_abi);
    wall_value(to->values[0], sizeof to->values[0], walls->seccomp, "", &none);
    wall_value(to->values[1], sizeof to->values[1], walls->namespaces, "", &walls->namespaces_why);
    wall_value(to->values[2], sizeof to->values[2], walls->landlock, abi, &walls->landlock_why);
    to->pairs[0] = (struct accord_pair){"seccomp", to->values[0]};
    to->pairs[1] = (struct accord_pair){"namespaces", to->values[1]};
    to->pairs[2] = (struct accord_pair){"landlock", to->values[2]};
}

/* Everything that a library would rather open or read before the walls close. */
static int init_libraries(struct reason *why)
{
    unsigned char byte;
    if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_CIPHERS |
                                OPENSSL_INIT_ADD_ALL_DIGESTS,
                            NULL) != 1 ||
        RAND_bytes(&byte, 1) != 1)
        return fail(why, ACCORD_EIO, "OpenSSL does not start; check openssl.cnf");
    return 0;
}

static int read_folders(const struct wire_SETUP *setup, struct sandbox_folder *folders, size_t *count,
                        struct reason *why)
{
    struct accord_pair pair;
    for (size_t at = 0; wire_pairs_next(&setup->folders, &at, &pair);) {
        bool write = strcmp(pair.value, "write") == 0;
        if (pair.name[0] != '/' || (!write && strcmp(pair.value, "read") != 0))
            return fail(why, ACCORD_EPROTO, "SETUP names a folder it should not: %.200s = %.32s", pair.name,
                        pair.value);
        folders[(*count)++] = (struct sandbox_folder){pair.name, write};
    }
    if (setup->plugins[0])
        folders[(*count)++] = (struct sandbox_folder){setup->plugins, false};
    return 0;
}

static int apply_setup(struct child *child, const struct wire_SETUP *setup, struct reason *why)
{
    if (setup->version != WIRE_VERSION)
        return fail(why, ACCORD_EPROTO,
                    "the hub speaks version %u of the child protocol, this program %u: restart it",
                    setup->version, WIRE_VERSION);
    if (strcmp(setup->role, role_names[child->role]) != 0)
        return fail(why, ACCORD_EPROTO, "started as %s, but SETUP says %.32s", role_names[child->role],
                    setup->role);
    child->log_level = setup->log_level <= ACCORD_ERROR ? (enum accord_level)setup->log_level : ACCORD_ERROR;
    child->log_json = setup->log_json;
    if (strlen(setup->agreement) >= sizeof child->agreement ||
        strlen(setup->plugins) >= sizeof child->plugins || (setup->plugins[0] && setup->plugins[0] != '/'))
        return fail(why, ACCORD_EPROTO, "SETUP has an agreement or plugin folder that cannot be");
    text_copy(child->agreement, sizeof child->agreement, setup->agreement);
    text_copy(child->plugins, sizeof child->plugins, setup->plugins);
    struct sandbox_folder *folders = calloc(WIRE_PAIRS_MAX + 1, sizeof *folders);
    if (!folders)
        return fail(why, ACCORD_ENOMEM, "out of memory");
    size_t count = 0;
    int result = read_folders(setup, folders, &count, why);
    if (!result)
        result = init_libraries(why);
    if (!result)
        result = sandbox_close(child->role, folders, count, &child->walls, why);
    free(folders);
    return result;
}

static int say_sandboxed(const struct child *child, struct reason *why)
{
    struct child_walls walls;
    child_walls(&walls, &child->walls);
    struct buf out = {0};
    wire_put_SANDBOXED(&out, &(struct wire_SANDBOXED){.walls = WIRE_PAIRS(walls.pairs, 3)});
    int result = child_send(&out, why);
    buf_fini(&out);
    return result;
}

int child_begin(struct child *child, enum sandbox_role role, pid_t parent, struct reason *why)
{
    *child = (struct child){.role = role};
    int result = sandbox_begin(parent, why);
    if (!result)
        result = child_receive(&child->datagram, why);
    if (result)
        return result;
    child->rest = (struct wire_bytes){child->datagram.data, child->datagram.size};
    struct wire_message message;
    result = wire_decode(&child->rest, WIRE_H, &message, why);
    if (!result && message.type != WIRE_SETUP)
        result = fail(why, ACCORD_EPROTO, "the hub's first message was %s, not SETUP",
                      wire_type_name(message.type));
    if (!result)
        result = apply_setup(child, &message.SETUP, why);
    return result ? result : say_sandboxed(child, why);
}

void child_fini(struct child *child)
{
    buf_fini(&child->datagram);
}

int child_plugin_path(const struct child *child, const char *plugin, char *to, size_t room,
                      struct reason *why)
{
    size_t folder = strlen(child->plugins);
    const char *name = plugin;
    if (folder && strncmp(plugin, child->plugins, folder) == 0 && plugin[folder] == '/')
        name = plugin + folder + 1;
    if (!folder || !*name || strchr(name, '/') || file_path(to, room, child->plugins, name) < 0)
        return fail(why, ACCORD_EINVAL, "%.200s is not a file of the plugin folder %.200s", plugin,
                    child->plugins);
    return 0;
}
