#include "keys.h"

#include <openssl/evp.h>
#include <string.h>

const char *key_type(ssh_key key)
{
    /* For ECDSA the type names the family only; the curve matters. */
    const char *curve = ssh_pki_key_ecdsa_name(key);
    if (strncmp(ssh_key_type_to_char(ssh_key_type(key)), "ecdsa", 5) == 0 && curve)
        return curve;
    return ssh_key_type_to_char(ssh_key_type(key));
}

char *key_fingerprint(ssh_key key)
{
    unsigned char *hash = NULL;
    size_t size = 0;
    if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &size) != 0)
        return NULL;
    char *text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, size);
    ssh_clean_pubkey_hash(&hash);
    return text;
}

/* The public key without the name of its type, from its own blob (RFC 4253 section 6.6, RFC 5656 section 3.1). What
 * base64 fills its last group with is zeros behind the end. */
static struct ssh_blob public_parts(ssh_key key, uint8_t *bytes, size_t room)
{
    char *text = NULL;
    struct ssh_blob blob = {bytes, bytes, true};
    if (ssh_pki_export_pubkey_base64(key, &text) != SSH_OK)
        return blob;
    size_t length = strlen(text);
    int size = length / 4 * 3 <= room ? EVP_DecodeBlock(bytes, (unsigned char *)text, (int)length) : 0;
    blob = (struct ssh_blob){bytes, bytes + (size > 0 ? size : 0), false};
    ssh_blob_string(&blob);
    ssh_string_free_char(text);
    return blob;
}

static int rsa_bits(ssh_key key)
{
    uint8_t bytes[4096];
    int bits = 0;
    struct ssh_blob blob = public_parts(key, bytes, sizeof bytes);
    ssh_blob_string(&blob);
    struct ssh_blob modulus = ssh_blob_string(&blob);
    while (modulus.at < modulus.end && *modulus.at == 0)
        modulus.at++;
    if (!blob.broken && modulus.at < modulus.end)
        bits = (int)(modulus.end - modulus.at) * 8 - __builtin_clz(*modulus.at) + 24;
    return bits;
}

int key_bits(ssh_key key)
{
    const char *type = key_type(key);
    if (strstr(type, "nistp256") || strstr(type, "ed25519"))
        return 256;
    if (strstr(type, "nistp384"))
        return 384;
    if (strstr(type, "nistp521"))
        return 521;
    return rsa_bits(key);
}

bool certificate_is_of(const struct certificate *certificate, ssh_key key)
{
    uint8_t bytes[4096];
    struct ssh_blob own = public_parts(key, bytes, sizeof bytes);
    size_t size = (size_t)(own.end - own.at), padding = size - certificate->key_size;
    return !own.broken && size >= certificate->key_size && padding <= 2 &&
           memcmp(own.at, certificate->key, certificate->key_size) == 0;
}
