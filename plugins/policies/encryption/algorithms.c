#include "algorithms.h"

#include <string.h>

/* Debian 12: libssh 0.10 against OpenSSH 9.2 has all of these. */
const char *const algorithms_kex[] = {"ecdh-sha2-nistp384",
                                      "ecdh-sha2-nistp521",
                                      "ecdh-sha2-nistp256",
                                      "diffie-hellman-group16-sha512",
                                      "diffie-hellman-group18-sha512",
                                      "curve25519-sha256",
                                      "curve25519-sha256@libssh.org",
                                      NULL};
const char *const algorithms_ciphers[] = {
    "aes256-gcm@openssh.com",        "aes256-ctr", "aes192-ctr", "aes128-gcm@openssh.com", "aes128-ctr",
    "chacha20-poly1305@openssh.com", NULL};
const char *const algorithms_macs[] = {"hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com",
                                       "hmac-sha2-256", "hmac-sha2-512", NULL};
const char *const algorithms_host_keys[] = {"ecdsa-sha2-nistp256",
                                            "ecdsa-sha2-nistp384",
                                            "ecdsa-sha2-nistp521",
                                            "rsa-sha2-512",
                                            "rsa-sha2-256",
                                            "ssh-ed25519",
                                            NULL};
const char *const algorithms_user_keys[] = {"ecdsa-sha2-nistp256",
                                            "ecdsa-sha2-nistp384",
                                            "ecdsa-sha2-nistp521",
                                            "rsa-sha2-512",
                                            "rsa-sha2-256",
                                            "ssh-ed25519",
                                            NULL};

/* libssh in FIPS mode refuses ed25519 too, although FIPS 186-5 has it. */
bool algorithms_approved(const char *name)
{
    return strncmp(name, "curve25519-", 11) && strncmp(name, "chacha20-", 9) && strcmp(name, "ssh-ed25519");
}

bool algorithms_lists(const struct accord_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i], name))
            return true;
    return false;
}

bool algorithms_lists_key(const struct accord_list *list, const char *type)
{
    if (!strcmp(type, "ssh-rsa"))
        return algorithms_lists(list, "rsa-sha2-256") || algorithms_lists(list, "rsa-sha2-512");
    return algorithms_lists(list, type);
}

static int append(char to[ALGORITHMS_TEXT_MAX], const char *name)
{
    size_t used = strlen(to), size = strlen(name);
    if (used + size + 2 > ALGORITHMS_TEXT_MAX)
        return ACCORD_ELIMIT;
    if (used)
        to[used++] = ',';
    memcpy(to + used, name, size + 1);
    return 0;
}

int algorithms_compile(const struct accord_list *list, enum fips fips, char to[ALGORITHMS_TEXT_MAX])
{
    int result = 0;
    to[0] = 0;
    for (size_t i = 0; !result && i < list->count; i++)
        if (fips == FIPS_OFF || algorithms_approved(list->items[i]))
            result = append(to, list->items[i]);
    for (size_t i = 0; !result && fips == FIPS_PREFERRED && i < list->count; i++)
        if (!algorithms_approved(list->items[i]))
            result = append(to, list->items[i]);
    return result;
}
