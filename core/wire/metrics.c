#include "wire/metrics.h"

#include <string.h>

static const struct metric_row rows[] = {
#define M(ID, name, type, labels, help) {name, type, labels, help},
    METRICS(M)
#undef M
};

const struct metric_row *metric_row(enum metric metric)
{
    return &rows[metric];
}

enum metric metric_find(const char *name)
{
    int metric = 0;
    while (metric < METRIC_END && strcmp(rows[metric].name, name) != 0)
        metric++;
    return (enum metric)metric;
}

bool metric_own_name(const char *name)
{
    size_t size = strlen(name);
    return size && size < METRIC_NAME_MAX && *name >= 'a' && *name <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == size;
}

/* ---- text format 0.0.4 ---- */

static void put_escaped(struct buf *to, const char *text, bool quotes)
{
    for (; *text; text++) {
        if (*text == '\n')
            buf_text(to, "\\n");
        else if (*text == '\\' || (*text == '"' && quotes))
            buf_format(to, "\\%c", *text);
        else
            buf_byte(to, (uint8_t)*text);
    }
}

void metric_head(struct buf *to, enum metric metric)
{
    buf_format(to, "# HELP %s ", rows[metric].name);
    put_escaped(to, rows[metric].help, false);
    buf_format(to, "\n# TYPE %s %s\n", rows[metric].name, rows[metric].type);
}

void metric_line(struct buf *to, const struct wire_pairs *cells)
{
    const char *value = "NaN";
    struct accord_pair cell;
    char before = '{';
    for (size_t at = 0; wire_pairs_next(cells, &at, &cell);) {
        if (strcmp(cell.name, "metric") == 0) {
            buf_text(to, cell.value);
        } else if (strcmp(cell.name, "value") == 0) {
            value = cell.value;
        } else {
            buf_format(to, "%c%s=\"", before, cell.name);
            put_escaped(to, cell.value, true);
            buf_byte(to, '"');
            before = ',';
        }
    }
    buf_format(to, "%s %s\n", before == ',' ? "}" : "", value);
}

void metrics_page(struct buf *to)
{
    buf_text(to,
             "# Metrics\n\nGenerated from core/wire/metrics.h by `accord reference`; do not edit.\n\n"
             "`accord metrics` prints them in Prometheus' text format 0.0.4. Counters begin at 0 when the "
             "agent starts.\n\n| name | type | labels | what |\n|---|---|---|---|\n");
    for (int i = 0; i < METRIC_END; i++)
        buf_format(to, "| `%s` | %s | %s | %s |\n", rows[i].name, rows[i].type,
                   *rows[i].labels ? rows[i].labels : "-", rows[i].help);
}
