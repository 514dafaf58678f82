#include "cli/render.h"

#include <stdlib.h>
#include <string.h>

#include "util/json.h"
#include "util/text.h"

#define COLUMNS_MAX 32
#define GAP         2
#define NARROWEST   8 /* a column is not cut below this */
#define ELLIPSIS    "\xe2\x80\xa6"

struct render_row {
    char *cells[COLUMNS_MAX]; /* NULL: the row has no such cell */
};

struct render_table {
    char name[64];
    char *columns[COLUMNS_MAX];
    size_t column_count;
    struct render_row *rows;
    size_t row_count, row_room;
};

/* ---- collecting ---- */

static void table_free(struct render_table *table)
{
    for (size_t c = 0; c < table->column_count; c++) {
        for (size_t r = 0; r < table->row_count; r++)
            free(table->rows[r].cells[c]);
        free(table->columns[c]);
    }
    free(table->rows);
    free(table);
}

void render_fini(struct render *render)
{
    for (size_t i = 0; i < render->count; i++)
        table_free(render->tables[i]);
    free(render->tables);
    *render = (struct render){0};
}

static struct render_table *table_of(struct render *render, const char *name)
{
    for (size_t i = 0; i < render->count; i++)
        if (strcmp(render->tables[i]->name, name) == 0)
            return render->tables[i];
    struct render_table *table = calloc(1, sizeof *table);
    struct render_table **tables = realloc(render->tables, (render->count + 1) * sizeof *tables);
    if (tables)
        render->tables = tables;
    if (!table || !tables) {
        render->failed = true;
        free(table);
        return NULL;
    }
    text_copy(table->name, sizeof table->name, name);
    tables[render->count++] = table;
    return table;
}

void render_table(struct render *render, const char *name)
{
    table_of(render, name);
}

/* Index of the column; COLUMNS_MAX when there is no room for one more. */
static size_t column_of(struct render_table *table, const char *name)
{
    for (size_t c = 0; c < table->column_count; c++)
        if (strcmp(table->columns[c], name) == 0)
            return c;
    if (table->column_count == COLUMNS_MAX)
        return COLUMNS_MAX;
    char *copy = strdup(name);
    if (!copy)
        return COLUMNS_MAX;
    table->columns[table->column_count] = copy;
    return table->column_count++;
}

static struct render_row *row_new(struct render_table *table)
{
    if (table->row_count == table->row_room) {
        size_t room = table->row_room ? 2 * table->row_room : 16;
        struct render_row *rows = realloc(table->rows, room * sizeof *rows);
        if (!rows)
            return NULL;
        table->rows = rows;
        table->row_room = room;
    }
    struct render_row *row = &table->rows[table->row_count++];
    *row = (struct render_row){0};
    return row;
}

void render_row(struct render *render, const char *name, const struct wire_pairs *cells)
{
    struct render_table *table = table_of(render, name);
    struct render_row *row = table ? row_new(table) : NULL;
    if (!row) {
        render->failed = true;
        return;
    }
    struct accord_pair pair;
    for (size_t at = 0; wire_pairs_next(cells, &at, &pair);) {
        size_t column = column_of(table, pair.name);
        if (column == COLUMNS_MAX || row->cells[column])
            continue; /* more columns than any table of ours has, or the same one twice */
        row->cells[column] = strdup(pair.value);
        render->failed |= !row->cells[column];
    }
}

/* ---- text that is safe to show ---- */

/* At most `room` characters of the text (0: all), the last an ellipsis when it was cut. Returns how many. */
static size_t put_cut(struct buf *to, const char *text, size_t room)
{
    size_t length = render_length(text), used = 0;
    bool cut = room && length > room;
    for (struct text_glyph glyph; *text && (!cut || used + 1 < room); text += glyph.bytes, used++) {
        glyph = text_glyph(text);
        if (text_may_be_shown(glyph.code))
            buf_put(to, text, glyph.bytes);
        else
            buf_byte(to, '?');
    }
    if (cut)
        buf_text(to, ELLIPSIS);
    return cut ? room : length;
}

void render_visible(struct buf *to, const char *text)
{
    put_cut(to, text, 0);
}

size_t render_length(const char *text)
{
    size_t length = 0;
    for (; *text; text += text_glyph(text).bytes)
        length++;
    return length;
}

/* ---- JSON ---- */

static void row_json(const struct render_table *table, const struct render_row *row, struct buf *to)
{
    bool more = false;
    buf_text(to, "\n    {");
    for (size_t c = 0; c < table->column_count; c++) {
        if (!row->cells[c])
            continue;
        buf_text(to, more ? ", " : "");
        json_quote(to, table->columns[c]);
        buf_text(to, ": ");
        json_quote(to, row->cells[c]);
        more = true;
    }
    buf_byte(to, '}');
}

void render_json(const struct render *render, const char *line, struct buf *to)
{
    buf_text(to, "{\n");
    for (size_t i = 0; i < render->count; i++) {
        const struct render_table *table = render->tables[i];
        buf_text(to, "  ");
        json_quote(to, table->name);
        buf_text(to, ": [");
        for (size_t r = 0; r < table->row_count; r++) {
            buf_text(to, r ? "," : "");
            row_json(table, &table->rows[r], to);
        }
        buf_text(to, table->row_count ? "\n  ],\n" : "],\n");
    }
    buf_text(to, "  \"line\": ");
    json_quote(to, line);
    buf_text(to, "\n}\n");
}

/* ---- people ---- */

static const char *cell_of(const struct render_row *row, size_t column)
{
    return row->cells[column] ? row->cells[column] : "";
}

static size_t total_of(const size_t *widths, size_t count)
{
    size_t total = count ? GAP * (count - 1) : 0;
    for (size_t c = 0; c < count; c++)
        total += widths[c];
    return total;
}

static void measure(const struct render_table *table, size_t *widths)
{
    for (size_t c = 0; c < table->column_count; c++) {
        widths[c] = render_length(table->columns[c]);
        for (size_t r = 0; r < table->row_count; r++) {
            size_t length = render_length(cell_of(&table->rows[r], c));
            widths[c] = length > widths[c] ? length : widths[c];
        }
    }
}

/* Takes from the widest column until all fit; false when that would leave too little. */
static bool shrink(size_t *widths, size_t count, size_t width)
{
    while (total_of(widths, count) > width) {
        size_t widest = 0;
        for (size_t c = 1; c < count; c++)
            if (widths[c] > widths[widest])
                widest = c;
        if (widths[widest] <= NARROWEST)
            return false;
        widths[widest]--;
    }
    return true;
}

static void put_heading(struct buf *to, const char *text)
{
    for (; *text; text++)
        buf_byte(to, *text >= 'a' && *text <= 'z' ? (uint8_t)(*text - 'a' + 'A') : (uint8_t)*text);
}

/* One line of cells; the last is not padded. `row` NULL: the headings. */
static void put_line(const struct render_table *table, const struct render_row *row, const size_t *widths,
                     struct buf *to)
{
    for (size_t c = 0; c < table->column_count; c++) {
        struct buf heading = {0};
        if (!row)
            put_heading(&heading, table->columns[c]);
        const char *text = row ? cell_of(row, c) : buf_string(&heading);
        size_t used = put_cut(to, text ? text : "", widths[c]);
        buf_fini(&heading);
        size_t fill = c + 1 < table->column_count ? widths[c] - used + GAP : 0;
        while (fill--)
            buf_byte(to, ' ');
    }
    while (to->size && to->data[to->size - 1] == ' ')
        to->size--;
    buf_byte(to, '\n');
}

static void put_block(const struct render_table *table, const struct render_row *row, struct buf *to)
{
    size_t widest = 0;
    for (size_t c = 0; c < table->column_count; c++)
        if (row->cells[c] && render_length(table->columns[c]) > widest)
            widest = render_length(table->columns[c]);
    for (size_t c = 0; c < table->column_count; c++) {
        if (!row->cells[c] || !*row->cells[c])
            continue;
        size_t used = put_cut(to, table->columns[c], 0);
        buf_format(to, "%*s", (int)(widest - used + GAP), "");
        render_visible(to, row->cells[c]);
        buf_byte(to, '\n');
    }
}

static void table_people(const struct render_table *table, size_t width, struct buf *to)
{
    size_t widths[COLUMNS_MAX];
    measure(table, widths);
    bool fits = !width || total_of(widths, table->column_count) <= width;
    /* What does not fit is shown whole for one row, cut for a list, and whole again when cutting is no use. */
    bool blocks = !fits && (table->row_count == 1 || !shrink(widths, table->column_count, width));
    if (!blocks)
        put_line(table, NULL, widths, to);
    for (size_t r = 0; r < table->row_count; r++) {
        if (blocks && r)
            buf_byte(to, '\n');
        if (blocks)
            put_block(table, &table->rows[r], to);
        else
            put_line(table, &table->rows[r], widths, to);
    }
}

void render_people(const struct render *render, size_t width, struct buf *to)
{
    size_t filled = 0, shown = 0;
    for (size_t i = 0; i < render->count; i++)
        filled += render->tables[i]->row_count > 0;
    for (size_t i = 0; i < render->count; i++) {
        if (!render->tables[i]->row_count)
            continue;
        buf_text(to, shown++ ? "\n" : "");
        if (filled > 1) {
            render_visible(to, render->tables[i]->name);
            buf_text(to, ":\n");
        }
        table_people(render->tables[i], width, to);
    }
}
