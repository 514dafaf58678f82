/* The kit's own memory, kept apart from the plugin's. */
#include "host_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *testkit_watched;
void (*testkit_complained)(const char *text);

/* memory.c, when it is linked */
bool testmemory_plugin_runs(bool) __attribute__((weak));

bool testkit_plugin_runs(bool runs)
{
    return testmemory_plugin_runs ? testmemory_plugin_runs(runs) : false;
}

static void *must(void *memory)
{
    if (!memory) {
        fputs("the test kit is out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *testkit_alloc(size_t size)
{
    bool before = testkit_plugin_runs(false);
    void *memory = must(calloc(1, size ? size : 1));
    testkit_plugin_runs(before);
    return memory;
}

void *testkit_grow(void *old, size_t size)
{
    bool before = testkit_plugin_runs(false);
    void *memory = must(realloc(old, size ? size : 1));
    testkit_plugin_runs(before);
    return memory;
}

char *testkit_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(testkit_alloc(size), text, size);
}
