/* What a command has to show: tables of text, printed for people or as JSON.
 *
 * Cells hold what partners and files say (names, reasons, receipts), so nothing here may reach a terminal
 * raw: control characters and characters that reorder text are shown as "?" to people and escaped in JSON.
 */
#ifndef CLI_RENDER_H
#define CLI_RENDER_H

#include "util/buf.h"
#include "wire/codec.h"

struct render_table;

struct render {
    struct render_table **tables; /* in order of first appearance */
    size_t count;
    bool failed; /* out of memory */
};

void render_fini(struct render *);
/* Makes the table appear even when no row follows: an empty list in JSON. */
void render_table(struct render *, const char *table);
/* Adds a row. Columns appear in the order in which rows first name them; a cell that a row lacks is empty. */
void render_row(struct render *, const char *table, const struct wire_pairs *cells);

/* {"TABLE": [{"COLUMN": "text", ...}], ..., "line": LINE}: every cell is a string. */
void render_json(const struct render *, const char *line, struct buf *to);
/* Columns that fit `width` characters (0: as wide as they are); a table of one row that does not fit becomes
 * one line for each cell. With more than one table, each has its name above it. */
void render_people(const struct render *, size_t width, struct buf *to);

/* Appends text as a terminal may see it. */
void render_visible(struct buf *to, const char *text);
/* Characters that the text takes on a terminal. */
size_t render_length(const char *text);

#endif
