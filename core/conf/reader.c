#include "conf/reader.h"

#include <ini.h>
#include <stdio.h>
#include <string.h>

#include "util/file.h"
#include "util/text.h"

/* inih asks for lines through next_line(), which hands it only what it will split as written. */
struct reading {
    struct conf_file *file;
    struct conf_report *report;
    const char *at, *end;
    int line;
    bool skipping; /* below a header that was refused: its keys would only be noise */
    struct conf_section *section;
    size_t section_room, entry_room;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static void refuse(struct reading *reading, const char *text)
{
    conf_report_add(reading->report, CONF_ERROR, reading->file->name, reading->line, "%s", text);
}

/* Grows an array in the arena by doubling; the old piece stays until the end, so at most twice is used. */
static void *grow(struct arena *arena, void *items, size_t count, size_t *room, size_t item)
{
    if (count < *room)
        return items;
    *room = *room ? 2 * *room : 8;
    void *bigger = arena_array(arena, *room, item);
    if (bigger && count)
        memcpy(bigger, items, count * item);
    return bigger;
}

/* ---- section headers ---- */

static bool read_header(struct reading *reading, const char *text, size_t size, struct conf_section *out)
{
    char inside[2 * CONF_NAME_MAX + 2], more;
    if (text[size - 1] != ']') {
        refuse(reading, "a section header must end with `]`, with nothing but a comment behind it");
        return false;
    }
    if (size - 2 >= sizeof inside) {
        refuse(reading,
               "the section header is too long: [KIND] or [KIND NAME], each of at most 62 characters");
        return false;
    }
    memcpy(inside, text + 1, size - 2);
    inside[size - 2] = 0;
    int words = sscanf(inside, "%63s %63s %c", out->kind, out->name, &more);
    if (words < 1 || words > 2 || strlen(out->kind) > 62 || strlen(out->name) > 62) {
        refuse(reading, "a section header is [KIND] or [KIND NAME], each of at most 62 characters");
        return false;
    }
    if (!text_is_name(out->kind, 62) || (words == 2 && !text_is_name(out->name, 62))) {
        conf_report_add(reading->report, CONF_ERROR, reading->file->name, reading->line,
                        "`[%s]`: kinds and names of sections are lower-case letters, digits and hyphens",
                        inside);
        return false;
    }
    return true;
}

static void take_header(struct reading *reading, const char *text, size_t size)
{
    struct conf_section section = {.line = reading->line};
    struct conf_file *file = reading->file;
    reading->skipping = true;
    reading->section = NULL;
    if (!read_header(reading, text, size, &section))
        return;
    const struct conf_section *first = conf_file_section(file, section.kind, section.name);
    if (first) {
        conf_report_add(reading->report, CONF_ERROR, file->name, reading->line,
                        "section [%s%s%s] is here a second time; the first is on line %d", section.kind,
                        section.name[0] ? " " : "", section.name, first->line);
        return;
    }
    if (file->count == READER_SECTIONS_MAX) {
        refuse(reading, "too many sections: at most 512 in one file");
        return;
    }
    file->sections = grow(&file->arena, file->sections, file->count, &reading->section_room, sizeof section);
    if (!file->sections) {
        file->count = 0;
        return;
    }
    reading->section = &file->sections[file->count++];
    *reading->section = section;
    reading->entry_room = 0;
    reading->skipping = false;
}

/* ---- lines ---- */

/* The length without a comment behind the value and without trailing blanks. */
static size_t cut_comment(const char *text, size_t size)
{
    for (size_t i = 1; i < size; i++)
        if (text[i] == ';' && is_space(text[i - 1])) {
            size = i;
            break;
        }
    while (size && is_space(text[size - 1]))
        size--;
    return size;
}

static bool check_bytes(struct reading *reading, const char *text, size_t size)
{
    if (memchr(text, 0, size)) {
        refuse(reading, "a NUL byte is in this line; conf.d holds text files in UTF-8");
        return false;
    }
    if (!text_utf8(text, size, true)) {
        refuse(reading, "this line is not UTF-8; save the file in UTF-8");
        return false;
    }
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 && text[i] != '\t') {
            refuse(reading, "a control character is in this line; write plain text");
            return false;
        }
    return true;
}

static bool check_entry(struct reading *reading, const char *text, size_t size)
{
    const char *equals = memchr(text, '=', size);
    size_t key = equals ? (size_t)(equals - text) : 0;
    while (key && is_space(text[key - 1]))
        key--;
    if (!equals) {
        conf_report_add(reading->report, CONF_ERROR, reading->file->name, reading->line,
                        "`%.*s%s` is neither [SECTION] nor KEY = VALUE", (int)(size < 24 ? size : 24), text,
                        size < 24 ? "" : "...");
        return false;
    }
    for (size_t i = 0; i < key; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", text[i]))
            key = 0;
    if (!key || key >= CONF_NAME_MAX) {
        refuse(reading, "before the `=` stands a key of 1 to 63 letters, digits and hyphens");
        return false;
    }
    if (text[size - 1] == '\\') {
        refuse(reading, "a line cannot be continued with a backslash; write the value on one line");
        return false;
    }
    if (!reading->section && !reading->skipping)
        refuse(reading, "this key stands before the first [SECTION]");
    return reading->section != NULL;
}

/* Decides one line. True: inih shall split it (`size` bytes, without comment). */
static bool take_line(struct reading *reading, const char *text, size_t *size)
{
    if (!check_bytes(reading, text, *size))
        return false;
    size_t blank = 0;
    while (blank < *size && is_space(text[blank]))
        blank++;
    if (blank == *size || text[blank] == ';' || text[blank] == '#')
        return false;
    if (blank) {
        refuse(reading, "the line begins with a blank; values cannot go on in the next line, and keys and "
                        "[SECTION] stand at the left edge");
        return false;
    }
    *size = cut_comment(text, *size);
    if (*size > READER_LINE_MAX) {
        refuse(reading, "the line is longer than 4000 bytes");
        return false;
    }
    if (text[0] == '[') {
        take_header(reading, text, *size);
        return false;
    }
    return check_entry(reading, text, *size);
}

static char *next_line(char *to, int room, void *arg)
{
    struct reading *reading = arg;
    while (reading->at < reading->end) {
        const char *text = reading->at;
        const char *newline = memchr(text, '\n', (size_t)(reading->end - text));
        size_t size = (size_t)((newline ? newline : reading->end) - text);
        reading->at = newline ? newline + 1 : reading->end;
        reading->line++;
        if (size && text[size - 1] == '\r')
            size--;
        if (!take_line(reading, text, &size))
            continue;
        if (room < 3 || size > (size_t)room - 3) { /* an inih that was built with a fixed line length */
            refuse(reading, "the line is longer than this system's inih can read");
            continue;
        }
        memcpy(to, text, size);
        memcpy(to + size, "\n", 2);
        return to;
    }
    return NULL;
}

/* inih's handler: returns 0 only when out of memory. Its section name, which may be cut, is not used. */
static int take_entry(void *arg, const char *section_cut, const char *key, const char *value)
{
    (void)section_cut;
    struct reading *reading = arg;
    struct conf_section *section = reading->section;
    struct arena *arena = &reading->file->arena;
    const struct conf_entry *first = conf_section_entry(section, key);
    if (first) {
        conf_report_add(reading->report, CONF_ERROR, reading->file->name, reading->line,
                        "`%s` is here a second time in [%s%s%s]; the first is on line %d", key, section->kind,
                        section->name[0] ? " " : "", section->name, first->line);
        return 1;
    }
    if (section->count == READER_ENTRIES_MAX) {
        refuse(reading, "too many keys: at most 256 in one section");
        return 1;
    }
    section->entries =
        grow(arena, section->entries, section->count, &reading->entry_room, sizeof *section->entries);
    struct conf_entry entry = {
        .key = arena_text(arena, key), .value = arena_text(arena, value), .line = reading->line};
    if (!section->entries || !entry.key || !entry.value) {
        section->count = 0;
        return 0;
    }
    section->entries[section->count++] = entry;
    return 1;
}

/* ---- files ---- */

int conf_file_parse(const char *name, const void *bytes, size_t size, struct conf_file *out,
                    struct conf_report *report)
{
    *out = (struct conf_file){0};
    text_copy(out->name, sizeof out->name, name);
    uint8_t digest[DIGEST_SIZE];
    if (digest_of(bytes, size, digest))
        return ACCORD_ENOMEM;
    hex_encode(out->sha256, digest, sizeof digest);
    struct reading reading = {.file = out, .report = report, .at = bytes};
    reading.end = reading.at + size;
    if (size >= 3 && !memcmp(reading.at, "\xef\xbb\xbf", 3))
        reading.at += 3; /* a byte order mark that some editors write */
    /* The buffer on the heap, long enough for every line that next_line() lets through. */
    ini_use_stack = false;
    ini_max_line = ini_initial_alloc = READER_LINE_MAX + 8;
    ini_allow_inline_comments = false;
    int result = ini_parse_stream(next_line, &reading, take_entry, &reading);
    return result == -2 || out->arena.failed ? ACCORD_ENOMEM : 0;
}

int conf_file_read(const char *folder, const char *name, struct conf_file *out, struct conf_report *report)
{
    struct buf bytes = {0};
    struct reason why;
    char path[512];
    *out = (struct conf_file){0};
    text_copy(out->name, sizeof out->name, name);
    int result = file_path(path, sizeof path, folder, name);
    if (result)
        fail(&why, result, "the path of %s/%s is too long", folder, name);
    else
        result = file_read(path, READER_FILE_MAX, &bytes, &why);
    if (result) {
        conf_report_add(report, CONF_ERROR, name, 0, "%s", why.text);
        result = result == ACCORD_ENOMEM ? result : 0;
    } else {
        result =
            conf_file_parse(name, bytes.data ? bytes.data : (const uint8_t *)"", bytes.size, out, report);
        text_copy(out->path, sizeof out->path, path);
    }
    buf_fini(&bytes);
    return result;
}

void conf_file_fini(struct conf_file *file)
{
    arena_fini(&file->arena);
    file->sections = NULL;
    file->count = 0;
}

const struct conf_section *conf_file_section(const struct conf_file *file, const char *kind, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (!strcmp(file->sections[i].kind, kind) && (!name || !strcmp(file->sections[i].name, name)))
            return &file->sections[i];
    return NULL;
}

const struct conf_entry *conf_section_entry(const struct conf_section *section, const char *key)
{
    for (size_t i = 0; section && i < section->count; i++)
        if (!strcmp(section->entries[i].key, key))
            return &section->entries[i];
    return NULL;
}

int conf_section_line(const struct conf_section *section, const char *key)
{
    const struct conf_entry *entry = conf_section_entry(section, key);
    return entry ? entry->line : section ? section->line : 0;
}
