#include "sftp_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/digest.h"

extern const struct accord_plugin accord_plugin;

/* Those of the running case, so that one that fails leaves no server behind. */
static struct fixture *fixtures;

struct fixture *fixture_new(enum server_kind kind, const char *const *extra)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->next = fixtures;
    fixtures = f;
    server_start(&f->server, kind, extra);
    f->pins[0] = f->server.host_key;
    f->auth[0] = "publickey";
    f->options = (struct link_options){.user = f->server.user,
                                       .auth = {f->auth, 1},
                                       .key = "id_ecdsa",
                                       .host_keys = {f->pins, 1},
                                       .connections = 1,
                                       .files = 4,
                                       .timeout = 10000,
                                       .idle_close = 100};
    f->service_options = (struct service_options){
        .directory = f->server.directory, .temporary = ".accord-", .stale_after = 24 * 3600 * 1000};
    f->service = (struct accord_service){.name = "stow-plan",
                                         .type = "stow-plan",
                                         .direction = ACCORD_SEND,
                                         .options = &f->service_options,
                                         .max_size = 100 << 20};
    f->told = &f->service;
    f->setup = (struct accord_link_setup){.agreement = "cbp-isa",
                                          .name = "sftp",
                                          .options = &f->options,
                                          .services = &f->told,
                                          .service_count = 1,
                                          .endpoint_host = "sftp.cbp.example",
                                          .endpoint_port = f->server.port};
    f->host = testhost_new(accord_plugin.connector, TESTHOST_REAL_CLOCK);
    testhost_endpoint(f->host, f->server.port);
    testhost_profile(f->host, "ssh.kex", "ecdh-sha2-nistp256,ecdh-sha2-nistp384,curve25519-sha256");
    testhost_profile(f->host, "ssh.ciphers", "aes256-gcm@openssh.com,aes256-ctr");
    testhost_profile(f->host, "ssh.macs", "hmac-sha2-256");
    testhost_profile(f->host, "ssh.host-key-types", "ecdsa-sha2-nistp256");
    testhost_profile(f->host, "ssh.user-key-types",
                     "ecdsa-sha2-nistp256,ecdsa-sha2-nistp256-cert-v01@openssh.com");
    testhost_profile(f->host, "ssh.auth", "publickey");
    f->key = server_user_key(&f->server);
    testhost_secret(f->host, "key", f->key, strlen(f->key));
    return f;
}

void fixture_open(struct fixture *f)
{
    assert_int_equal(testhost_open(f->host, &f->setup), 0);
    testhost_start(f->host);
    f->opened = true;
}

static size_t release(struct fixture *f)
{
    struct fixture **at = &fixtures;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    if (f->opened)
        testhost_close(f->host);
    size_t complaints = testhost_complaints(f->host);
    testhost_free(f->host);
    server_stop(&f->server);
    free(f->bytes);
    free(f->key);
    free(f);
    return complaints;
}

void fixture_free(struct fixture *f)
{
    assert_int_equal(release(f), 0);
}

int fixture_teardown(void **state)
{
    (void)state;
    while (fixtures)
        release(fixtures);
    return 0;
}

struct testhost_message fixture_message(struct fixture *f, const char *name, size_t size, unsigned seed)
{
    uint8_t hash[DIGEST_SIZE];
    uint32_t state = seed * 2654435761u + 1;
    free(f->bytes);
    f->bytes = malloc(size + 1);
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        f->bytes[i] = (uint8_t)(state >> 24);
    }
    digest_of(f->bytes, size, hash);
    hex_encode(f->sha256, hash, sizeof hash);
    return (struct testhost_message){
        .type = "stow-plan", .name = name, .sha256 = f->sha256, .bytes = f->bytes, .size = size};
}

struct accord_delivery *fixture_deliver(struct fixture *f, const struct testhost_message *message)
{
    struct accord_delivery *delivery = f->last = testhost_deliver(f->host, 0, message);
    assert_true(testhost_settle(f->host, delivery, 30000));
    return delivery;
}

/* cmocka's comparison of strings dies of NULL, which says nothing about why the link is not parked. */
void assert_parked(const struct fixture *f, const char *rule)
{
    const char *parked = testhost_parked(f->host);
    if (!parked || strcmp(parked, rule) != 0)
        fail_msg("expected %s, parked by %s; the last delivery: %s", rule, parked ? parked : "nothing",
                 f->last ? f->last->reason : "");
}

static void in_drop(const struct fixture *f, char path[512], const char *name)
{
    snprintf(path, 512, "%s/%s", f->server.drop, name);
}

void assert_content(const struct fixture *f, const char *name, const void *bytes, size_t size)
{
    char path[512];
    in_drop(f, path, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    uint8_t *got = malloc(size + 2);
    assert_int_equal(fread(got, 1, size + 2, file), size);
    fclose(file);
    if (size)
        assert_memory_equal(got, bytes, size);
    free(got);
}

bool drop_has(const struct fixture *f, const char *name)
{
    char path[512];
    struct stat status;
    in_drop(f, path, name);
    return stat(path, &status) == 0;
}

unsigned drop_count(const struct fixture *f)
{
    unsigned count = 0;
    DIR *folder = opendir(f->server.drop);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (folder)
        closedir(folder);
    return count;
}

void drop_put(const struct fixture *f, const char *name, const void *bytes, size_t size)
{
    char path[512];
    in_drop(f, path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fwrite(bytes, 1, size, file);
    fclose(file);
    chmod(path, 0666); /* sshd may run as another user than this test */
}

bool no_session(void *fixture)
{
    const struct fixture *f = fixture;
    return testhost_sessions(f->host) == 0;
}

bool stalled(void *delivery)
{
    const struct accord_delivery *d = delivery;
    return d->sent == d->stall_at;
}

int run_shared_cases(enum server_kind kind)
{
    if (getenv("CASE"))
        cmocka_set_test_filter(getenv("CASE"));
    int failed = run_session_cases(kind);
    failed += run_file_cases(kind);
    return failed + run_send_cases(kind);
}
