/* The contract suite on the connector sftp, against OpenSSH's sshd, or the rehearsal partner where there is none. One
 * server serves all cases; each has folders of its own.
 */
#include <accord/testkit/suite.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/sftp_servers.h"

static struct server server;
static char *key;
static char drop[192],
    pick[200]; /* of this case: where its files arrive, and where the partner puts some for us */
static char drop_there[192], pick_there[200]; /* the same as the server calls them */

static const char *at(const char *folder, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%.255s", folder, name);
    return path;
}

static bool make(const char *path)
{
    return mkdir(path, 0777) == 0 && chmod(path, 0777) == 0;
}

static const struct accord_pair *begin(void *arg, bool *failed)
{
    (void)arg;
    snprintf(drop, sizeof drop, "%s/%d", server.drop, (int)getpid());
    snprintf(drop_there, sizeof drop_there, "%s/%d", server.directory, (int)getpid());
    snprintf(pick, sizeof pick, "%s/pick", drop);
    snprintf(pick_there, sizeof pick_there, "%s/pick", drop_there);
    *failed = !make(drop) || !make(pick);
    return NULL;
}

static void prepare(void *arg, struct testhost *host)
{
    (void)arg;
    testhost_endpoint(host, server.port);
    testhost_profile(host, "ssh.kex", "ecdh-sha2-nistp256,curve25519-sha256");
    testhost_profile(host, "ssh.ciphers", "aes256-gcm@openssh.com,aes256-ctr");
    testhost_profile(host, "ssh.macs", "hmac-sha2-256");
    testhost_profile(host, "ssh.host-key-types", "ecdsa-sha2-nistp256");
    testhost_profile(host, "ssh.user-key-types", "ecdsa-sha2-nistp256");
    testhost_profile(host, "ssh.auth", "publickey");
    testhost_secret(host, "key", key, strlen(key));
}

static bool got(void *arg, size_t service, const char *name, const void *bytes, size_t size)
{
    (void)arg;
    (void)service;
    int fd = open(at(drop, name), O_RDONLY);
    char *content = malloc(size + 2);
    size_t have = 0;
    for (ssize_t n = 1; fd >= 0 && n > 0 && have<size + 1; have += n> 0 ? (size_t)n : 0)
        n = read(fd, content + have, size + 1 - have);
    bool same = fd >= 0 && have == size && memcmp(content, bytes, size) == 0;
    free(content);
    if (fd >= 0)
        close(fd);
    return same;
}

/* Under another name first, as a partner does that wants it taken whole. */
static bool give(void *arg, size_t service, const char *name, const void *bytes, size_t size)
{
    char hidden[512];
    (void)arg;
    (void)service;
    snprintf(hidden, sizeof hidden, "%s", at(pick, ".making"));
    int fd = open(hidden, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    bool written = fd >= 0 && fchmod(fd, 0666) == 0 && write(fd, bytes, size) == (ssize_t)size;
    if (fd >= 0)
        close(fd);
    return written && rename(hidden, at(pick, name)) == 0;
}

static bool holds(void *arg, size_t service, const char *name)
{
    (void)arg;
    (void)service;
    return access(at(pick, name), F_OK) == 0;
}

int main(void)
{
    enum server_kind kind = server_missing(SERVER_OPENSSH) ? SERVER_REHEARSAL : SERVER_OPENSSH;
    if (server_missing(kind)) {
        printf("not run: %s\n", server_missing(kind));
        return 77;
    }
    static const char *const many[] = {"MaxStartups 100", NULL};
    server_start(&server, kind, kind == SERVER_OPENSSH ? many : NULL);
    key = server_user_key(&server);
    const struct accord_pair link[] = {{"user", server.user},         {"key", "id_ecdsa"},
                                       {"host-key", server.host_key}, {"timeout", "5 s"},
                                       {"idle-close", "1 s"},         {NULL, NULL}};
    const struct accord_pair out[] = {{"directory", drop_there}, {NULL, NULL}};
    const struct accord_pair in[] = {
        {"directory", pick_there}, {"poll", "200 ms"}, {"settle", "0 s"}, {NULL, NULL}};
    const struct testsuite_service services[] = {{"out", "opaque", ACCORD_SEND, out},
                                                 {"in", "opaque", ACCORD_RECEIVE, in}};
    const struct accord_connector_suite suite = {.plugin = &accord_plugin,
                                                 .clock = TESTHOST_REAL_CLOCK,
                                                 .link_options = link,
                                                 .services = services,
                                                 .service_count = 2,
                                                 .endpoint_host = "sftp.cbp.example",
                                                 .patience = 15000,
                                                 .loop_patience = 5000,
                                                 .begin = begin,
                                                 .prepare = prepare,
                                                 .got = got,
                                                 .give = give,
                                                 .holds = holds};
    int failed = accord_connector_suite(&suite);
    free(key);
    server_stop(&server);
    return failed ? 1 : 0;
}
