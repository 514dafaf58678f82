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

/* Sixteen at a time: every audit record has 128 digits. */
typedef uint8_t bytes16 __attribute__((vector_size(16)));

static void put_digits16(char *to, bytes16 halves)
{
    bytes16 digits = halves + '0' + ((bytes16)(halves > 9) & ('a' - '0' - 10));
    memcpy(to, &digits, sizeof digits);
}

static void encode16(char *to, const uint8_t *bytes)
{
    bytes16 all;
    memcpy(&all, bytes, sizeof all);
    bytes16 high = all >> 4, low = all & 15;
    put_digits16(to,
                 __builtin_shufflevector(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    put_digits16(to + 16, __builtin_shufflevector(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14,
                                                  30, 15, 31));
}

void hex_encode(char *to, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (; size >= 16; size -= 16, bytes += 16, to += 32)
        encode16(to, bytes);
    for (; size; size--, bytes++) {
        *to++ = digits[*bytes >> 4];
        *to++ = digits[*bytes & 15];
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

static bool are_digits16(bytes16 text)
{
    uint64_t words[2];
    bytes16 good = (bytes16)(text - '0' < 10) | (bytes16)(text - 'a' < 6);
    memcpy(words, &good, sizeof words);
    return !~(words[0] & words[1]);
}

/* Of 32 digits; what is none of them is caught, and the result is nothing then. */
static bool decode32(uint8_t *to, const char *hex)
{
    bytes16 first, second;
    memcpy(&first, hex, sizeof first);
    memcpy(&second, hex + 16, sizeof second);
    if (!are_digits16(first) || !are_digits16(second))
        return false;
    first = (first & 15) + ((bytes16)(first > '9') & 9);
    second = (second & 15) + ((bytes16)(second > '9') & 9);
    bytes16 high =
        __builtin_shufflevector(first, second, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    bytes16 low =
        __builtin_shufflevector(first, second, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    bytes16 bytes = high << 4 | low;
    memcpy(to, &bytes, sizeof bytes);
    return true;
}

bool hex_decode(uint8_t *to, size_t size, const char *hex)
{
    if (strlen(hex) != 2 * size)
        return false;
    for (; size >= 16; size -= 16, to += 16, hex += 32)
        if (!decode32(to, hex))
            return false;
    for (size_t i = 0; i < size; i++) {
        unsigned high = hex_value((unsigned char)hex[2 * i]), low = hex_value((unsigned char)hex[2 * i + 1]);
        if ((high | low) >= 16)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
