#include "algorithm_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE_MAX 131072

int algorithm_check(enum algorithm_kind kind, const char *name, char *why, size_t room)
{
    const char *items[] = {name};
    const struct accord_list list = {items, 1};
    return algorithms_check(kind, "option", &list, why, room);
}

void algorithm_instead(enum algorithm_kind kind)
{
    char why[512];
    for (const struct algorithm *a = algorithms_of(kind); a->name; a++) {
        assert_int_equal(!a->refused, !a->instead);
        if (a->kind == kind && a->instead && algorithm_check(kind, a->instead, why, sizeof why))
            fail_msg("%s instead of %s: %s", a->instead, a->name, why);
    }
}

void algorithm_section(FILE *out, enum algorithm_kind kind, const char *title, const char *options)
{
    fprintf(out, "\n## %s (%s)\n\n| algorithm | allowed | approved in FIPS 140-3 terms |\n|---|---|---|\n",
            title, options);
    for (const struct algorithm *a = algorithms_of(kind); a->name; a++)
        if (a->kind == kind && !a->refused)
            fprintf(out, "| `%s` | yes | %s |\n", a->name, a->approved ? a->approved : "no");
    for (const struct algorithm *a = algorithms_of(kind); a->name; a++)
        if (a->kind == kind && a->refused)
            fprintf(out, "| `%s` | never: %s; instead: `%s` | |\n", a->name, a->refused, a->instead);
}

/* ---- the page ---- */

static FILE *page_open(const struct algorithm_page *page, const char *mode)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/docs/reference/%s.md", getenv("ACCORD_SOURCE"), page->name);
    return fopen(path, mode);
}

void algorithm_page_stands(const struct algorithm_page *page)
{
    char *text = NULL, *there = calloc(1, PAGE_MAX);
    size_t size = 0;
    FILE *out = open_memstream(&text, &size), *in = page_open(page, "r");
    page->write(out);
    fclose(out);
    assert_non_null(in);
    there[fread(there, 1, PAGE_MAX - 1, in)] = 0;
    fclose(in);
    if (strcmp(text, there))
        fail_msg("docs/reference/%s.md is not what the tables say; write it anew: %s --write", page->name,
                 page->program);
    free(text);
    free(there);
}

bool algorithm_page_wanted(const struct algorithm_page *page, int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--write") != 0)
        return false;
    FILE *out = page_open(page, "w");
    if (!out)
        exit(1);
    page->write(out);
    if (fclose(out))
        exit(1);
    return true;
}
