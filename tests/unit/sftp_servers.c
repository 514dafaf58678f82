#include "sftp_servers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <libssh/libssh.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGS_MAX 32

static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    abort();
}

/* ---- what is there ---- */

static const char *sshd_path(void)
{
    static char built[512];
    const char *given = getenv("ACCORD_SSHD"), *source = getenv("ACCORD_SOURCE");
    if (given && *given)
        return given;
    snprintf(built, sizeof built, "%s/build/servers/usr/sbin/sshd", source ? source : ".");
    return access(built, X_OK) == 0 ? built : "/usr/sbin/sshd";
}

const char *server_missing(enum server_kind kind)
{
    if (kind == SERVER_OPENSSH)
        return access(sshd_path(), X_OK) == 0 ? NULL : "no sshd in ACCORD_SSHD, build/servers or /usr/sbin";
    return system("/usr/bin/python3 -W ignore -c 'import asyncssh' 2>/dev/null") == 0
               ? NULL
               : "python3-asyncssh is not installed";
}

/* ---- files and keys ---- */

static char *slurp(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        die(path);
    char *text = calloc(1, 1 << 20);
    size_t size = fread(text, 1, (1 << 20) - 1, file);
    text[size] = '\0';
    fclose(file);
    return text;
}

static void in_folder(const struct server *server, char path[256], const char *name)
{
    snprintf(path, 256, "%s/%s", server->folder, name);
}

static void make_host_key(struct server *server)
{
    char path[256];
    ssh_key key = NULL;
    unsigned char *hash = NULL;
    size_t size = 0;
    in_folder(server, path, "host_key");
    if (ssh_pki_generate(SSH_KEYTYPE_ECDSA, 256, &key) != SSH_OK ||
        ssh_pki_export_privkey_file(key, NULL, NULL, NULL, path) != SSH_OK ||
        ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &size) != 0)
        die("host key");
    chmod(path, 0600);
    char *text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, size);
    snprintf(server->host_key, sizeof server->host_key, "%s", text);
    ssh_string_free_char(text);
    ssh_clean_pubkey_hash(&hash);
    ssh_key_free(key);
}

static void make_user_key(struct server *server)
{
    char path[256];
    ssh_key key = NULL;
    char *blob = NULL;
    in_folder(server, path, "user_key");
    if (ssh_pki_generate(SSH_KEYTYPE_ECDSA, 256, &key) != SSH_OK ||
        ssh_pki_export_privkey_file(key, NULL, NULL, NULL, path) != SSH_OK ||
        ssh_pki_export_pubkey_base64(key, &blob) != SSH_OK)
        die("user key");
    in_folder(server, path, "authorized_keys");
    FILE *file = fopen(path, "w");
    if (!file)
        die(path);
    fprintf(file, "ecdsa-sha2-nistp256 %s test\n", blob);
    fclose(file);
    ssh_string_free_char(blob);
    ssh_key_free(key);
}

static void make_folder(struct server *server)
{
    char path[256];
    snprintf(server->folder, sizeof server->folder, "/tmp/accord-sftp-XXXXXX");
    if (!mkdtemp(server->folder))
        die(server->folder);
    in_folder(server, path, "partner");
    mkdir(path, 0755);
    in_folder(server, path, "partner/in");
    mkdir(path, 0755);
    snprintf(server->drop, sizeof server->drop, "%s/partner/in", server->folder);
    make_host_key(server);
    make_user_key(server);
}

/* ---- processes ---- */

/* A port that nobody else is given as long as the socket is bound to it: the server binds to it as well, since both
 * allow it, and the kernel gives it neither to who asks for any port nor to who connects. */
static int reserve_port(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&at, size) != 0 || getsockname(fd, (struct sockaddr *)&at, &size) != 0)
        die("port");
    *port = ntohs(at.sin_port);
    return fd;
}

static bool listening(uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool there = connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
    close(fd);
    return there;
}

static void wait_until_listening(const struct server *server)
{
    for (int tries = 0; !listening(server->port); tries++) {
        int status;
        if (tries > 3000 || waitpid(server->pid, &status, WNOHANG) == server->pid) {
            char *log = server_log(server);
            fprintf(stderr, "the server does not listen:\n%s\n", log);
            abort();
        }
        poll(NULL, 0, 10);
    }
}

/* sshd as root wants a user and folders of its own on the system; as anyone else it serves that one user. Not
 * "nobody": name services show that account as locked. */
static const struct passwd *ordinary_user(void)
{
    if (geteuid() != 0)
        return getpwuid(geteuid());
    const struct passwd *user = getpwnam("www-data");
    return user ? user : getpwnam("daemon");
}

static void become_ordinary(const struct server *server)
{
    char command[256];
    if (geteuid() != 0)
        return;
    const struct passwd *user = ordinary_user();
    snprintf(command, sizeof command, "chown -R %u:%u %s", user->pw_uid, user->pw_gid, server->folder);
    if (system(command) != 0 || setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 ||
        setuid(user->pw_uid) != 0)
        die("an ordinary user");
}

static void set_library_path(const char *sshd)
{
    char pattern[600];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%.*s/../lib/*-linux-gnu", (int)(strrchr(sshd, '/') - sshd), sshd);
    if (glob(pattern, 0, NULL, &found) == 0 && strncmp(sshd, "/usr/", 5) != 0)
        setenv("LD_LIBRARY_PATH", found.gl_pathv[0], 1);
    globfree(&found);
}

static void write_sshd_config(const struct server *server, const char *const *extra)
{
    char path[256];
    in_folder(server, path, "sshd_config");
    FILE *file = fopen(path, "w");
    if (!file)
        die(path);
    fprintf(file,
            "ListenAddress 127.0.0.1\nPort %u\nHostKey %s/host_key\nAuthorizedKeysFile %s/authorized_keys\n"
            "PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\nLogLevel DEBUG1\n",
            server->port, server->folder, server->folder);
    for (; extra && *extra; extra++)
        fprintf(file, "%s\n", *extra);
    fclose(file);
}

static void exec_openssh(const struct server *server)
{
    char path[256];
    const char *sshd = sshd_path();
    in_folder(server, path, "sshd_config");
    become_ordinary(server);
    set_library_path(sshd);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execl(sshd, sshd, "-D", "-e", "-f", path, (char *)NULL);
}

static void exec_rehearsal(const struct server *server, const char *const *extra)
{
    char program[512], root[256], host_key[256], keys[256], port[16];
    const char *source = getenv("ACCORD_SOURCE");
    snprintf(program, sizeof program, "%s/sdk/rehearsal/sftp_partner.py", source ? source : ".");
    snprintf(port, sizeof port, "%u", server->port);
    in_folder(server, root, "partner");
    in_folder(server, host_key, "host_key");
    in_folder(server, keys, "authorized_keys");
    const char *args[ARGS_MAX] = {
        "python3",           "-W", "ignore", program, "--port", port, "--root", root, "--host-key", host_key,
        "--authorized-keys", keys};
    int count = 12;
    for (; extra && *extra && count < ARGS_MAX - 1; extra++)
        args[count++] = *extra;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execv("/usr/bin/python3", (char *const *)args);
}

static void run(struct server *server, const char *const *extra)
{
    char path[256];
    in_folder(server, path, "log");
    if (server->kind == SERVER_OPENSSH)
        write_sshd_config(server, extra);
    server->pid = fork();
    if (server->pid < 0)
        die("fork");
    if (server->pid == 0) {
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
        dup2(fd, 1);
        dup2(fd, 2);
        if (server->kind == SERVER_OPENSSH)
            exec_openssh(server);
        else
            exec_rehearsal(server, extra);
        _exit(127);
    }
    wait_until_listening(server);
}

void server_start(struct server *server, enum server_kind kind, const char *const *extra)
{
    *server = (struct server){.kind = kind};
    make_folder(server);
    snprintf(server->user, sizeof server->user, "%s",
             kind == SERVER_OPENSSH ? ordinary_user()->pw_name : "acme");
    snprintf(server->directory, sizeof server->directory, "%s",
             kind == SERVER_OPENSSH ? server->drop : "/in");
    server->reserved = reserve_port(&server->port);
    run(server, extra);
}

static pid_t parent_of(pid_t pid)
{
    char path[64], line[512] = "";
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    const char *end =
        fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL; /* the name may hold anything */
    fclose(file);
    return end && sscanf(end, ") %*c %d", &parent) == 1 ? parent : 0;
}

/* sshd's children leave its process group, so that the tree is followed. Adds `root` and all below it. */
static size_t collect(pid_t root, pid_t pids[64], size_t count)
{
    glob_t found;
    if (count < 64)
        pids[count++] = root;
    if (glob("/proc/[0-9]*", GLOB_NOSORT, NULL, &found) != 0)
        return count;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        pid_t pid = atoi(found.gl_pathv[i] + strlen("/proc/"));
        if (count < 64 && parent_of(pid) == root)
            count = collect(pid, pids, count);
    }
    globfree(&found);
    return count;
}

void server_signal(const struct server *server, int number)
{
    pid_t pids[64];
    size_t count = collect(server->pid, pids, 0);
    for (size_t i = 0; i < count; i++)
        kill(pids[i], number);
}

static void end_processes(struct server *server)
{
    if (server->pid <= 0)
        return;
    server_signal(server, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
    /* A child that sshd had just begun for a connection still has the listener while it dies: a connection that it
     * takes would pass for the next server's. */
    for (int tries = 0; listening(server->port); tries++) {
        if (tries > 30000)
            die("a server that was ended still listens");
        poll(NULL, 0, 1);
    }
}

void server_restart(struct server *server, const char *const *extra)
{
    end_processes(server);
    run(server, extra);
}

void server_stop(struct server *server)
{
    char command[128];
    end_processes(server);
    close(server->reserved);
    snprintf(command, sizeof command, "rm -rf %s", server->folder);
    if (server->folder[0] && system(command) != 0)
        die(command);
}

/* ---- what it says ---- */

char *server_log(const struct server *server)
{
    char path[256];
    in_folder(server, path, "log");
    return slurp(path);
}

char *server_user_key(const struct server *server)
{
    char path[256];
    in_folder(server, path, "user_key");
    return slurp(path);
}

bool server_saw_authentication(const struct server *server)
{
    char *log = server_log(server);
    bool saw =
        strstr(log, server->kind == SERVER_OPENSSH ? "userauth-request for user" : "\"event\": \"auth\"");
    free(log);
    return saw;
}
