/* Counting and failing the plugin's allocations: what the linker's --wrap options lead here. */
#include <accord/testkit/memory.h>

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t) __attribute__((weak));
void *__real_calloc(size_t, size_t) __attribute__((weak));
void *__real_realloc(void *, size_t) __attribute__((weak));
void __real_free(void *) __attribute__((weak));
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
void *__wrap_reallocarray(void *, size_t, size_t);
void __wrap_free(void *);
char *__wrap_strdup(const char *);
char *__wrap_strndup(const char *, size_t);
bool testmemory_plugin_runs(bool);

static __thread bool plugin_runs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long count, fail_at;
static bool failed;

/* The blocks that the plugin holds: open addressing, grown at a half; 1 is what was taken out. */
static uintptr_t *held;
static size_t held_room, held_used, held_count;

bool testmemory_plugin_runs(bool runs)
{
    bool before = plugin_runs;
    plugin_runs = runs;
    return before;
}

static size_t slot_of(uintptr_t block)
{
    size_t at = (block >> 4) * 0x9e3779b97f4a7c15u;
    for (at &= held_room - 1; held[at] && held[at] != block;)
        at = (at + 1) & (held_room - 1);
    return at;
}

static void put(uintptr_t block)
{
    held[slot_of(block)] = block;
    held_used++;
}

static void grow(void)
{
    uintptr_t *old = held;
    size_t room = held_room;
    held_room = room ? 2 * room : 1024;
    held_used = 0;
    held = __real_calloc(held_room, sizeof *held);
    if (!held)
        abort();
    for (size_t i = 0; i < room; i++)
        if (old[i] > 1)
            put(old[i]);
    __real_free(old);
}

static void keep(void *block)
{
    if (!block)
        return;
    pthread_mutex_lock(&lock);
    if (2 * held_used >= held_room)
        grow();
    put((uintptr_t)block);
    held_count++;
    pthread_mutex_unlock(&lock);
}

/* Blocks of the plugin are freed by whoever: its own code, or a library that was given them. */
static bool forget(void *block)
{
    bool known = false;
    pthread_mutex_lock(&lock);
    if (block && held_room) {
        size_t at = slot_of((uintptr_t)block);
        known = held[at] != 0;
        if (known) {
            held[at] = 1;
            held_count--;
        }
    }
    pthread_mutex_unlock(&lock);
    return known;
}

static bool fails(void)
{
    pthread_mutex_lock(&lock);
    count++;
    bool now = fail_at && --fail_at == 0;
    failed |= now;
    pthread_mutex_unlock(&lock);
    if (now)
        errno = ENOMEM;
    return now;
}

void *__wrap_malloc(size_t size)
{
    if (!plugin_runs)
        return __real_malloc(size);
    void *block = fails() ? NULL : __real_malloc(size);
    keep(block);
    return block;
}

void *__wrap_calloc(size_t number, size_t size)
{
    if (!plugin_runs)
        return __real_calloc(number, size);
    void *block = fails() ? NULL : __real_calloc(number, size);
    keep(block);
    return block;
}

void *__wrap_realloc(void *old, size_t size)
{
    if (!plugin_runs)
        return __real_realloc(old, size);
    if (fails())
        return NULL;
    bool known = forget(old);
    void *block = __real_realloc(old, size);
    if (block)
        keep(block);
    else if (known && size)
        keep(old);
    return block;
}

void *__wrap_reallocarray(void *old, size_t number, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(number, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return __wrap_realloc(old, bytes);
}

void __wrap_free(void *block)
{
    int before = errno; /* free() keeps it */
    forget(block);
    errno = before;
    __real_free(block);
}

char *__wrap_strndup(const char *text, size_t most)
{
    size_t size = strnlen(text, most);
    char *copy = __wrap_malloc(size + 1);
    if (copy) {
        memcpy(copy, text, size);
        copy[size] = 0;
    }
    return copy;
}

char *__wrap_strdup(const char *text)
{
    return __wrap_strndup(text, SIZE_MAX);
}

bool testmemory_works(void)
{
    return __real_malloc != NULL;
}

void testmemory_reset(void)
{
    pthread_mutex_lock(&lock);
    if (held)
        memset(held, 0, held_room * sizeof *held);
    held_used = held_count = 0;
    count = fail_at = 0;
    failed = false;
    pthread_mutex_unlock(&lock);
}

void testmemory_fail(unsigned long n)
{
    pthread_mutex_lock(&lock);
    fail_at = n;
    pthread_mutex_unlock(&lock);
}

bool testmemory_failed(void)
{
    return failed;
}

unsigned long testmemory_count(void)
{
    return count;
}

size_t testmemory_held(void)
{
    return held_count;
}
