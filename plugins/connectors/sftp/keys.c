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

/* ---- SSH's own bytes (RFC 4251 section 5) ---- */

struct blob {
    const uint8_t *at, *end;
    bool broken;
};

static uint64_t take_number(struct blob *blob, int size)
{
    uint64_t value = 0;
    if (blob->broken || blob->end - blob->at < size) {
        blob->broken = true;
        return 0;
    }
    for (int i = 0; i < size; i++)
        value = value << 8 | *blob->at++;
    return value;
}

static struct blob take_string(struct blob *blob)
{
    uint64_t size = take_number(blob, 4);
    struct blob part = {blob->at, blob->at, false};
    if (blob->broken || size > (uint64_t)(blob->end - blob->at)) {
        blob->broken = true;
        return part;
    }
    blob->at += size;
    part.end = blob->at;
    return part;
}

static bool is(const struct blob *part, const char *text)
{
    size_t size = strlen(text);
    return (size_t)(part->end - part->at) == size && memcmp(part->at, text, size) == 0;
}

/* Bits of an RSA modulus, from the public key's blob (RFC 4253 section 6.6: name, e, n); 0: unknown. */
static int rsa_bits(ssh_key key)
{
    char *text = NULL;
    unsigned char bytes[4096];
    int bits = 0;
    if (ssh_pki_export_pubkey_base64(key, &text) != SSH_OK)
        return 0;
    size_t length = strlen(text);
    int size =
        length / 4 * 3 <= sizeof bytes ? EVP_DecodeBlock(bytes, (unsigned char *)text, (int)length) : 0;
    struct blob blob = {bytes, bytes + (size > 0 ? size : 0), false};
    take_string(&blob);
    take_string(&blob);
    struct blob modulus = take_string(&blob);
    while (modulus.at < modulus.end && *modulus.at == 0)
        modulus.at++;
    if (!blob.broken && modulus.at < modulus.end)
        bits = (int)(modulus.end - modulus.at) * 8 - __builtin_clz(*modulus.at) + 24;
    ssh_string_free_char(text);
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

/* ---- certificates ---- */

#define USER_CERTIFICATE 1

/* How many strings make the key itself in it; 0: no kind that is known. */
static int key_parts(const struct blob *type)
{
    if (is(type, "ssh-ed25519-cert-v01@openssh.com"))
        return 1;
    if (is(type, "ssh-rsa-cert-v01@openssh.com") || is(type, "rsa-sha2-256-cert-v01@openssh.com") ||
        is(type, "rsa-sha2-512-cert-v01@openssh.com") ||
        is(type, "ecdsa-sha2-nistp256-cert-v01@openssh.com") ||
        is(type, "ecdsa-sha2-nistp384-cert-v01@openssh.com") ||
        is(type, "ecdsa-sha2-nistp521-cert-v01@openssh.com"))
        return 2;
    return 0;
}

bool certificate_read(struct certificate *certificate, const uint8_t *bytes, size_t size)
{
    struct blob blob = {bytes, bytes + size, false}, type = take_string(&blob);
    int parts = key_parts(&type);
    take_string(&blob); /* nonce */
    for (int i = 0; i < parts; i++)
        take_string(&blob);
    *certificate = (struct certificate){.serial = take_number(&blob, 8)};
    uint64_t kind = take_number(&blob, 4);
    struct blob id = take_string(&blob);
    take_string(&blob); /* principals */
    certificate->from = take_number(&blob, 8);
    certificate->until = take_number(&blob, 8);
    for (size_t i = 0; id.at < id.end && i < sizeof certificate->id - 1; i++, id.at++)
        certificate->id[i] = (char)(*id.at > 0x20 && *id.at < 0x7f ? *id.at : '?');
    return parts && !blob.broken && kind == USER_CERTIFICATE;
}
