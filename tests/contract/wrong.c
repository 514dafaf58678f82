#include "wrong.h"

#include <stdio.h>
#include <string.h>

int wrong_none(struct testsuite_results *results)
{
    int failed = (int)results->failed;
    for (size_t i = 0; i < results->count; i++)
        if (results->items[i].outcome == TESTSUITE_FAILED)
            printf("not ok - the right one fails \"%s\":\n%s", results->items[i].name,
                   results->items[i].text);
    if (!failed)
        printf("ok - the right one passes %zu cases, %zu were not run\n", results->passed, results->not_run);
    testsuite_results_free(results);
    return failed;
}

int wrong_found(const struct wrong *wrong, struct testsuite_results *results)
{
    bool found = false;
    for (size_t i = 0; i < results->count; i++)
        found |= results->items[i].outcome == TESTSUITE_FAILED && strstr(results->items[i].text, wrong->text);
    printf("%s - %s: \"%s\"\n", found ? "ok" : "not ok", wrong->name, wrong->text);
    for (size_t i = 0; i < results->count && !found; i++)
        printf("#   %s: %s\n", results->items[i].name,
               results->items[i].outcome == TESTSUITE_PASSED ? "passed" : results->items[i].text);
    if (!results->count)
        printf("#   no case is called \"%s\"\n", wrong->found);
    testsuite_results_free(results);
    fflush(stdout);
    return !found;
}
