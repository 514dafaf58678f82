#include "util/digest.h"

#include <accord/base.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- contexts: making one and looking up its algorithm costs as much as hashing a short text ---- */

#define IDLE_MAX 64

/* Of one thread, those that are not in use. */
struct idle {
    EVP_MD_CTX *contexts[IDLE_MAX];
    size_t count;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool has_key;

static void idle_free(void *arg)
{
    struct idle *idle = arg;
    while (idle->count)
        EVP_MD_CTX_free(idle->contexts[--idle->count]);
    free(idle);
}

static void make_key(void)
{
    has_key = pthread_key_create(&key, idle_free) == 0;
}

/* NULL: none are kept. */
static struct idle *idle_here(void)
{
    pthread_once(&once, make_key);
    struct idle *idle = has_key ? pthread_getspecific(key) : NULL;
    if (has_key && !idle && (idle = calloc(1, sizeof *idle)) && pthread_setspecific(key, idle)) {
        free(idle);
        idle = NULL;
    }
    return idle;
}

/* Begun anew: a context remembers its algorithm. */
static EVP_MD_CTX *context_take(void)
{
    struct idle *idle = idle_here();
    EVP_MD_CTX *ctx = idle && idle->count ? idle->contexts[--idle->count] : NULL;
    bool used = ctx != NULL;
    if (!ctx)
        ctx = EVP_MD_CTX_new();
    if (ctx && EVP_DigestInit_ex2(ctx, used ? NULL : EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

static void context_give(EVP_MD_CTX *ctx)
{
    struct idle *idle = ctx ? idle_here() : NULL;
    if (idle && idle->count < IDLE_MAX)
        idle->contexts[idle->count++] = ctx;
    else
        EVP_MD_CTX_free(ctx);
}

/* ---- SHA-256 ---- */

struct digest *digest_new(void)
{
    return (struct digest *)context_take();
}

void digest_add(struct digest *digest, const void *bytes, size_t size)
{
    EVP_DigestUpdate((EVP_MD_CTX *)digest, bytes, size);
}

void digest_end(struct digest *digest, uint8_t out[DIGEST_SIZE])
{
    EVP_DigestFinal_ex((EVP_MD_CTX *)digest, out, NULL);
    context_give((EVP_MD_CTX *)digest);
}

void digest_free(struct digest *digest)
{
    context_give((EVP_MD_CTX *)digest);
}

int digest_of(const void *bytes, size_t size, uint8_t out[DIGEST_SIZE])
{
    EVP_MD_CTX *ctx = context_take();
    bool ok = ctx && EVP_DigestUpdate(ctx, bytes, size) == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    context_give(ctx);
    return ok ? 0 : ACCORD_EIO;
}

/* ---- hexadecimal ---- */

void hex_encode(char *to, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *to++ = digits[bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    *to = 0;
}

/* 16 and more: not a digit. */
static unsigned hex_value(unsigned char c)
{
    static const uint8_t values[256] = {['0'] = 16, 17, 18,         19, 20, 21, 22, 23,
                                        24,         25, ['a'] = 26, 27, 28, 29, 30, 31};
    return values[c] ^ 16u;
}

bool hex_decode(uint8_t *to, size_t size, const char *hex)
{
    if (strlen(hex) != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned high = hex_value((unsigned char)hex[2 * i]), low = hex_value((unsigned char)hex[2 * i + 1]);
        if ((high | low) >= 16)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
