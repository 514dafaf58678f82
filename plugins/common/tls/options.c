#include "options.h"

#include <stdio.h>
#include <string.h>

static int check_identity(const struct tls_options *options, char *why, size_t why_size)
{
    if (options->key && !options->certificate)
        snprintf(why, why_size, "key is set, and certificate is missing: the certificate that belongs to it");
    else if (options->key_passphrase && !options->certificate)
        snprintf(why, why_size, "key-passphrase is set, and there is no certificate");
    else
        return ACCORD_OK;
    return ACCORD_EINVAL;
}

static bool is_pin(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return strspn(text, digits) == 43 && strcmp(text + 43, "=") == 0;
}

static int check_pins(const struct accord_list *pins, char *why, size_t why_size)
{
    for (size_t i = 0; i < pins->count; i++)
        if (!is_pin(pins->items[i])) {
            snprintf(why, why_size,
                     "pin \"%.80s\" is not the SHA-256 of a public key: 44 characters of base64, the last of "
                     "them =",
                     pins->items[i]);
            return ACCORD_EINVAL;
        }
    return ACCORD_OK;
}

int tls_check_options(const struct tls_options *options, char *why, size_t why_size)
{
    int result = check_identity(options, why, why_size);
    return result == ACCORD_OK ? check_pins(&options->pin, why, why_size) : result;
}

bool tls_lists(const char *list, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = list; *at;) {
        size_t length = strcspn(at, ",");
        if (length && length == size && !memcmp(at, name, size))
            return true;
        at += length + (at[length] == ',');
    }
    return false;
}
