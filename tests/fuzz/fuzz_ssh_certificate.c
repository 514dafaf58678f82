/* What a file of credentials may hold where a certificate is expected: any bytes, as they come out of base64. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/sftp/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct certificate certificate;
    if (!certificate_read(&certificate, data, size))
        return 0;
    if (certificate.key < data || certificate.key_size > size ||
        !memchr(certificate.id, 0, CERTIFICATE_ID_MAX))
        abort();
    for (const char *at = certificate.id; *at; at++)
        if (*at <= 0x20 || *at >= 0x7f)
            abort();
    return 0;
}
