#include "util/digest.h"

#include <accord/base.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SPARE_MAX 64

/* Contexts that a thread may use again: making one costs more than hashing a kilobyte with it. */
struct spares {
    EVP_MD_CTX *items[SPARE_MAX];
    size_t count;
};

static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static EVP_MD *sha256; /* looked up once; NULL when that failed */

static void spares_free(void *arg)
{
    struct spares *spares = arg;
    while (spares->count)
        EVP_MD_CTX_free(spares->items[--spares->count]);
    free(spares);
}

static void prepare(void)
{
    if (pthread_key_create(&key, spares_free) == 0)
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static struct spares *spares_of_thread(void)
{
    struct spares *spares = pthread_getspecific(key);
    if (!spares && (spares = calloc(1, sizeof *spares)) && pthread_setspecific(key, spares)) {
        free(spares);
        spares = NULL;
    }
    return spares;
}

static void ctx_put(EVP_MD_CTX *ctx)
{
    struct spares *spares = ctx ? spares_of_thread() : NULL;
    if (spares && spares->count < SPARE_MAX)
        spares->items[spares->count++] = ctx;
    else
        EVP_MD_CTX_free(ctx);
}

static EVP_MD_CTX *ctx_get(void)
{
    pthread_once(&prepared, prepare);
    struct spares *spares = sha256 ? spares_of_thread() : NULL;
    if (!spares)
        return NULL;
    EVP_MD_CTX *ctx = spares->count ? spares->items[--spares->count] : EVP_MD_CTX_new();
    if (ctx && EVP_DigestInit_ex(ctx, sha256, NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

struct digest *digest_new(void)
{
    return (struct digest *)ctx_get();
}

void digest_add(struct digest *digest, const void *bytes, size_t size)
{
    EVP_DigestUpdate((EVP_MD_CTX *)digest, bytes, size);
}

void digest_end(struct digest *digest, uint8_t out[DIGEST_SIZE])
{
    EVP_DigestFinal_ex((EVP_MD_CTX *)digest, out, NULL);
    ctx_put((EVP_MD_CTX *)digest);
}

void digest_free(struct digest *digest)
{
    EVP_MD_CTX_free((EVP_MD_CTX *)digest);
}

int digest_of(const void *bytes, size_t size, uint8_t out[DIGEST_SIZE])
{
    EVP_MD_CTX *ctx = ctx_get();
    int result = ctx && EVP_DigestUpdate(ctx, bytes, size) == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1
                     ? 0
                     : ACCORD_EIO;
    ctx_put(ctx);
    return result;
}

/* Two digits for each byte: every audit record has 128 of them. */
#define ROW(d) d "0" d "1" d "2" d "3" d "4" d "5" d "6" d "7" d "8" d "9" d "a" d "b" d "c" d "d" d "e" d "f"

void hex_encode(char *to, const uint8_t *bytes, size_t size)
{
    static const char pairs[] = ROW("0") ROW("1") ROW("2") ROW("3") ROW("4") ROW("5") ROW("6") ROW("7")
        ROW("8") ROW("9") ROW("a") ROW("b") ROW("c") ROW("d") ROW("e") ROW("f");
    for (size_t i = 0; i < size; i++)
        memcpy(to + 2 * i, pairs + (size_t)2 * bytes[i], 2);
    to[2 * size] = 0;
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
