/* The contract suite on the connector smtp, against the rehearsal partner (sdk/rehearsal/mail_partner.py): STARTTLS, AUTH
 * PLAIN. Each case has a server of its own.
 */
#include <accord/testkit/suite.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PARTNER  "/usr/bin/python3"
#define PASSWORD "open sesame"

static char folder[64]; /* root.pem; kept/ has the attachments of what was mailed */
static pid_t partner;
static int orders = -1;
static FILE *told;
static uint16_t port;
static char *root;

static const char *at(const char *name)
{
    static char path[400];
    snprintf(path, sizeof path, "%s/%.300s", folder, name);
    return path;
}

static char *read_whole(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t room = 1 << 20;
    char *bytes = calloc(1, room + 1);
    ssize_t got = 0;
    *size = 0;
    while (fd >= 0 && (got = read(fd, bytes + *size, room - *size)) > 0)
        *size += (size_t)got;
    if (fd >= 0)
        close(fd);
    return bytes;
}

/* ---- the partner ---- */

static void run_partner(int in, int out)
{
    char script[600], pki[100], kept[100];
    const char *source = getenv("ACCORD_SOURCE");
    snprintf(script, sizeof script, "%s/sdk/rehearsal/mail_partner.py", source ? source : ".");
    snprintf(pki, sizeof pki, "%s", folder);
    snprintf(kept, sizeof kept, "%s/kept", folder);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(in, 0) == 0 && dup2(out, 1) == 1)
        execl(PARTNER, PARTNER, "-W", "ignore", script, "--pki", pki, "--kept", kept, "--user",
              "acme:" PASSWORD, NULL);
    _exit(127);
}

/* It tells every command; nobody reads that, and it must not wait for us. */
static bool start_partner(void)
{
    int in[2], out[2];
    char line[1000];
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        return false;
    partner = fork();
    if (partner == 0)
        run_partner(in[0], out[1]);
    close(in[0]);
    close(out[1]);
    orders = in[1];
    told = fdopen(out[0], "r");
    while (!port && fgets(line, sizeof line, told)) {
        const char *number = strstr(line, "\"port\": ");
        if (strstr(line, "\"listening\"") && number)
            port = (uint16_t)atoi(number + 8);
    }
    return port && fcntl(fileno(told), F_SETPIPE_SZ, 1 << 20) > 0;
}

static const struct accord_pair *begin(void *arg, bool *failed)
{
    size_t size = 0;
    (void)arg;
    snprintf(folder, sizeof folder, "/tmp/accord-contract-smtp.XXXXXX");
    *failed = !mkdtemp(folder) || mkdir(at("kept"), 0700) < 0 || !start_partner() ||
              !(root = read_whole(at("root.pem"), &size)) || size == 0;
    return NULL;
}

static void empty(const char *name)
{
    char path[400], file[700];
    snprintf(path, sizeof path, "%s", at(name));
    DIR *open = opendir(path);
    for (struct dirent *entry; open && (entry = readdir(open));) {
        snprintf(file, sizeof file, "%s/%.255s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(file);
    }
    if (open)
        closedir(open);
    rmdir(path);
}

static void end(void *arg)
{
    (void)arg;
    if (partner > 0) {
        kill(partner, SIGKILL);
        waitpid(partner, NULL, 0);
    }
    if (told)
        fclose(told);
    close(orders);
    free(root);
    empty("kept");
    empty(".");
    rmdir(folder);
}

static void prepare(void *arg, struct testhost *host)
{
    (void)arg;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    testhost_set_wall(host, now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000); /* certificates have dates */
    testhost_endpoint(host, port);
    testhost_profile(host, "tls.versions", "1.3,1.2");
    testhost_profile(host, "tls.ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384");
    testhost_profile(host, "tls.suites", "TLS_AES_256_GCM_SHA384");
    testhost_profile(host, "tls.groups", "P-384,P-256,X25519");
    testhost_profile(host, "tls.signatures", "ECDSA+SHA384,ECDSA+SHA256");
    testhost_profile(host, "tls.rsa-bits", "2048");
    testhost_profile(host, "tls.ec-bits", "256");
    testhost_profile(host, "tls.client-certificate", "allowed");
    testhost_profile(host, "sasl.mechanisms", "PLAIN");
    testhost_secret(host, "trust", root, strlen(root));
    testhost_secret(host, "password", PASSWORD, strlen(PASSWORD));
}

/* ---- what it has ---- */

static bool got(void *arg, size_t service, const char *name, const void *bytes, size_t size)
{
    char kept[400], path[700];
    bool found = false;
    (void)arg, (void)service, (void)name;
    snprintf(kept, sizeof kept, "%s", at("kept"));
    DIR *open = opendir(kept);
    for (struct dirent *entry; open && !found && (entry = readdir(open));) {
        size_t have;
        snprintf(path, sizeof path, "%s/%.255s", kept, entry->d_name);
        char *content = read_whole(path, &have);
        found = entry->d_name[0] != '.' && have == size && memcmp(content, bytes, size) == 0;
        free(content);
    }
    if (open)
        closedir(open);
    return found;
}

int main(void)
{
    if (system(PARTNER " -W ignore -c 'import cryptography, aiosmtpd' 2>/dev/null") != 0) {
        printf("not run: python3-cryptography or python3-aiosmtpd is not installed\n");
        return 77;
    }
    static const struct accord_pair link[] = {
        {"trust", "root.pem"}, {"user", "acme"},      {"password", "password"},
        {"timeout", "5 s"},    {"idle-close", "1 s"}, {"connect-timeout", "5 s"},
        {NULL, NULL}};
    static const struct accord_pair out[] = {
        {"mail-from", "agent@carrier.example"}, {"mail-to", "stow@customs.example"}, {NULL, NULL}};
    static const struct testsuite_service services[] = {{"out", "opaque", ACCORD_SEND, out}};
    const struct accord_connector_suite suite = {.plugin = &accord_plugin,
                                                 .clock = TESTHOST_REAL_CLOCK,
                                                 .link_options = link,
                                                 .services = services,
                                                 .service_count = 1,
                                                 .endpoint_host = "localhost",
                                                 .patience = 15000,
                                                 .loop_patience = 5000,
                                                 .begin = begin,
                                                 .end = end,
                                                 .prepare = prepare,
                                                 .got = got};
    return accord_connector_suite(&suite) ? 1 : 0;
}
