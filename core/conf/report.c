#include "conf/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

#define PROBLEMS_MAX 1000 /* a hostile or mistaken file (a binary, say) must not fill the memory */

const char *conf_severity_name(enum conf_severity severity)
{
    static const char *const names[] = {"error", "not checked", "note", "after a restart"};
    return names[severity];
}

void conf_report_add(struct conf_report *report, enum conf_severity severity, const char *file, int line,
                     const char *format, ...)
{
    if (report->count >= PROBLEMS_MAX &&
        (severity != CONF_ERROR || conf_report_count(report, CONF_ERROR, file) > 0)) {
        report->lost = true;
        return;
    }
    struct conf_problem *items = reallocarray(report->items, report->count + 1, sizeof *items);
    if (!items) {
        report->lost = report->failed = true;
        return;
    }
    report->items = items;
    struct conf_problem *problem = &items[report->count++];
    *problem = (struct conf_problem){.severity = severity, .line = line};
    text_copy(problem->file, sizeof problem->file, file);
    char text[2 * sizeof problem->text];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    text_copy(problem->text, sizeof problem->text, text);
}

size_t conf_report_count(const struct conf_report *report, enum conf_severity severity, const char *file)
{
    size_t count = 0;
    for (size_t i = 0; i < report->count; i++)
        count += report->items[i].severity == severity && (!file || !strcmp(report->items[i].file, file));
    return count;
}

static int by_place(const void *a, const void *b)
{
    const struct conf_problem *left = a, *right = b;
    int order = strcmp(left->file, right->file);
    if (!order)
        order = (left->line > right->line) - (left->line < right->line);
    if (!order)
        order = (left->severity > right->severity) - (left->severity < right->severity);
    return order ? order : strcmp(left->text, right->text);
}

void conf_report_sort(struct conf_report *report)
{
    if (report->count)
        qsort(report->items, report->count, sizeof *report->items, by_place);
}

void conf_report_fini(struct conf_report *report)
{
    free(report->items);
    *report = (struct conf_report){0};
}
