/* What a certificate says of itself, read from ssh-keygen's own; cut at every length it is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "connectors/sftp/certificate.h"

static size_t load(const char *name, uint8_t *bytes, size_t room)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/fuzz/corpus/ssh_certificate/%s", getenv("ACCORD_SOURCE"), name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, room, file);
    fclose(file);
    return size;
}

static void each_kind_is_read(void **state)
{
    (void)state;
    static const char *const names[] = {"ed25519", "ecdsa", "rsa"};
    for (size_t i = 0; i < 3; i++) {
        uint8_t bytes[4096];
        char file[32], id[32];
        struct certificate c;
        snprintf(file, sizeof file, "user-%s", names[i]);
        snprintf(id, sizeof id, "test?%s", names[i]);
        size_t size = load(file, bytes, sizeof bytes);
        assert_true(certificate_read(&c, bytes, size));
        assert_string_equal(c.id, id);
        assert_int_equal(c.serial, 7);
        assert_int_equal(c.from, 1767225600);
        assert_int_equal(c.until, 1798761600);
        assert_true(c.key_size > 30);
        /* Behind the dates come options and the signature, which the partner judges. */
        size_t least = 0;
        for (size_t cut = 0; cut < size; cut++)
            least = !least && certificate_read(&c, bytes, cut) ? cut : least;
        assert_true(least > 150);
        for (size_t cut = least; cut < size; cut++)
            assert_true(certificate_read(&c, bytes, cut));
    }
}

static void a_hosts_is_none_of_a_user(void **state)
{
    (void)state;
    uint8_t bytes[4096];
    struct certificate c;
    assert_false(certificate_read(&c, bytes, load("host-ed25519", bytes, sizeof bytes)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_is_read),
        cmocka_unit_test(a_hosts_is_none_of_a_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
