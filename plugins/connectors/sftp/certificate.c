#include "certificate.h"

#include <string.h>

uint64_t ssh_blob_number(struct ssh_blob *blob, int size)
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

struct ssh_blob ssh_blob_string(struct ssh_blob *blob)
{
    uint64_t size = ssh_blob_number(blob, 4);
    struct ssh_blob part = {blob->at, blob->at, false};
    if (blob->broken || size > (uint64_t)(blob->end - blob->at)) {
        blob->broken = true;
        return part;
    }
    blob->at += size;
    part.end = blob->at;
    return part;
}

static bool is(const struct ssh_blob *part, const char *text)
{
    size_t size = strlen(text);
    return (size_t)(part->end - part->at) == size && memcmp(part->at, text, size) == 0;
}

#define USER_CERTIFICATE 1

/* How many strings make the key itself in it; 0: no kind that is known. */
static int key_parts(const struct ssh_blob *type)
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
    struct ssh_blob blob = {bytes, bytes + size, false}, type = ssh_blob_string(&blob);
    int parts = key_parts(&type);
    ssh_blob_string(&blob); /* nonce */
    const uint8_t *key = blob.at;
    for (int i = 0; i < parts; i++)
        ssh_blob_string(&blob);
    *certificate = (struct certificate){.key = key, .key_size = (size_t)(blob.at - key)};
    certificate->serial = ssh_blob_number(&blob, 8);
    uint64_t kind = ssh_blob_number(&blob, 4);
    struct ssh_blob id = ssh_blob_string(&blob);
    ssh_blob_string(&blob); /* principals */
    certificate->from = ssh_blob_number(&blob, 8);
    certificate->until = ssh_blob_number(&blob, 8);
    for (size_t i = 0; id.at < id.end && i < sizeof certificate->id - 1; i++, id.at++)
        certificate->id[i] = (char)(*id.at > 0x20 && *id.at < 0x7f ? *id.at : '?');
    return parts && !blob.broken && kind == USER_CERTIFICATE;
}
