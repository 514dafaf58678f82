#include "store/index.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/file.h"
#include "util/text.h"

#define FILE_NAME "index.sqlite"
#define CHECK_MAX (32 << 20) /* an index up to this size is checked whole at each start */

static const char *const texts[INDEX_STATEMENTS] = {
#define S(ID, sql) [INDEX_##ID] = sql,
#include "store/index.sql.h"
#undef S
};

/* NORMAL: the log is synced before a checkpoint and the file after it, so that a power cut leaves an older
 * but whole index, and the journal fills it up. The lock on the folder makes this process the only user. */
static const char *const settings =
    "PRAGMA page_size=16384; PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;"
    "PRAGMA wal_autocheckpoint=500; PRAGMA cache_size=-4096;"
    "PRAGMA journal_size_limit=16777216; PRAGMA trusted_schema=OFF;";

static const char *const schema =
    "BEGIN;"
    "CREATE TABLE messages(id INTEGER PRIMARY KEY, entries BLOB);"
    "CREATE TABLE quarantined(id TEXT PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TABLE deliveries(number INTEGER PRIMARY KEY, message INTEGER, detail INTEGER, place INTEGER,"
    " state INTEGER, attempts INTEGER, due INTEGER, not_before INTEGER, changed INTEGER, since INTEGER,"
    " generation INTEGER, size INTEGER, before INTEGER, answer_by INTEGER);"
    "CREATE TABLE settled(id INTEGER PRIMARY KEY, entries BLOB);"
    "CREATE TABLE sending(id INTEGER PRIMARY KEY, entries BLOB);"
    "CREATE INDEX ready ON deliveries(place, number) WHERE state=1 AND due=0;"
    "CREATE INDEX later ON deliveries(place, due) WHERE state=1 AND due>0;"
    "CREATE INDEX held ON deliveries(place, number) WHERE state=2;"
    "CREATE INDEX dead ON deliveries(place, number) WHERE state=5;"
    "CREATE TABLE seen(id INTEGER PRIMARY KEY, entries BLOB);"
    "CREATE TABLE runs(run INTEGER PRIMARY KEY, count INTEGER, newest INTEGER, target INTEGER);"
    "CREATE INDEX expected ON deliveries(answer_by) WHERE answer_by>0;"
    "CREATE TABLE released(id TEXT PRIMARY KEY, first INTEGER, count INTEGER, changed INTEGER, size INTEGER)"
    " WITHOUT ROWID;"
    "CREATE TABLE spans(segment INTEGER, id TEXT, PRIMARY KEY(segment, id)) WITHOUT ROWID;"
    "CREATE TABLE echoes(key INTEGER, hash INTEGER, time INTEGER, id TEXT, PRIMARY KEY(key, hash, id))"
    " WITHOUT ROWID;"
    "CREATE TABLE keys(key TEXT PRIMARY KEY, time INTEGER) WITHOUT ROWID;"
    "CREATE TABLE places(id INTEGER PRIMARY KEY, agreement TEXT, service TEXT, waiting INTEGER, held INTEGER,"
    " delivered INTEGER, dead INTEGER, discarded INTEGER, open_bytes INTEGER);"
    "CREATE TABLE names(id INTEGER PRIMARY KEY, text TEXT, cursor TEXT, quarantined INTEGER,"
    " quarantine_bytes INTEGER);"
    "CREATE TABLE heads(chain TEXT PRIMARY KEY, sequence INTEGER, hash BLOB) WITHOUT ROWID;"
    "CREATE TABLE progress(one INTEGER PRIMARY KEY, position INTEGER, marker INTEGER, grp INTEGER,"
    " next_number INTEGER, epoch INTEGER, messages INTEGER, quarantined INTEGER, bytes INTEGER,"
    " seen_before INTEGER, keys_before INTEGER);"
    "INSERT INTO progress VALUES (1,0,0,0,1,0,0,0,0,0,0);"
    "PRAGMA user_version=5; COMMIT;";

/* ---- statements ---- */

static int result_of(struct index *index, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
        return 0;
    case SQLITE_NOMEM:
        return ACCORD_ENOMEM;
    case SQLITE_FULL:
        return ACCORD_ELIMIT;
    case SQLITE_CONSTRAINT:
        return ACCORD_EEXIST;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        index->corrupt = true;
        return ACCORD_EFORMAT;
    default:
        return ACCORD_EIO;
    }
}

sqlite3_stmt *index_bind(struct index *index, enum index_statement which, const char *kinds, ...)
{
    sqlite3_stmt *statement = index->statements[which];
    va_list list;
    va_start(list, kinds);
    for (int i = 1; *kinds; i++, kinds++)
        if (*kinds == 'i')
            sqlite3_bind_int64(statement, i, va_arg(list, int64_t));
        else
            sqlite3_bind_text(statement, i, va_arg(list, const char *), -1, SQLITE_STATIC);
    va_end(list);
    return statement;
}

int index_step(struct index *index, sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        return 1;
    sqlite3_reset(statement);
    return result_of(index, rc);
}

int index_run(struct index *index, sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    sqlite3_reset(statement);
    return rc == SQLITE_ROW ? 0 : result_of(index, rc);
}

int index_begin(struct index *index)
{
    int result = index->begun ? 0 : index_run(index, index_bind(index, INDEX_BEGIN, ""));
    index->begun |= !result;
    return result;
}

/* ---- what is kept in memory ---- */

static bool grow(void **items, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return true;
    size_t more = *room ? 2 * *room : 16;
    void *moved = realloc(*items, more * size);
    if (!moved)
        return false;
    *items = moved;
    *room = more;
    return true;
}

struct place *index_add_place(struct index *index, const char *agreement, const char *service)
{
    if (!grow((void **)&index->places, &index->place_room, index->place_count, sizeof *index->places))
        return NULL;
    struct place *place = &index->places[index->place_count++];
    *place = (struct place){.later = -1};
    fresh_place_init(&place->fresh);
    text_copy(place->agreement, sizeof place->agreement, agreement);
    text_copy(place->service, sizeof place->service, service);
    return place;
}

struct name *index_add_name(struct index *index, const char *text)
{
    if (!grow((void **)&index->names, &index->name_room, index->name_count, sizeof *index->names))
        return NULL;
    struct name *name = &index->names[index->name_count++];
    *name = (struct name){0};
    text_copy(name->text, sizeof name->text, text);
    return name;
}

struct index_head *index_add_head(struct index *index, const char *chain)
{
    for (size_t i = 0; i < index->head_count; i++)
        if (!strcmp(index->heads[i].head.chain, chain))
            return &index->heads[i];
    if (!grow((void **)&index->heads, &index->head_room, index->head_count, sizeof *index->heads))
        return NULL;
    struct index_head *head = &index->heads[index->head_count++];
    *head = (struct index_head){0};
    text_copy(head->head.chain, sizeof head->head.chain, chain);
    return head;
}

struct place *index_place(struct index *index, const char *agreement, const char *service)
{
    for (size_t i = 0; i < index->place_count; i++)
        if (!strcmp(index->places[i].service, service) && !strcmp(index->places[i].agreement, agreement))
            return &index->places[i];
    return NULL;
}

struct name *index_find_name(struct index *index, const char *text)
{
    for (size_t i = 0; i < index->name_count; i++)
        if (!strcmp(index->names[i].text, text))
            return &index->names[i];
    return NULL;
}

const char *index_cursor(struct index *index, const char *route)
{
    struct name *name = index_find_name(index, route);
    return name ? name->cursor : "";
}

static uint64_t column(sqlite3_stmt *row, int at)
{
    return (uint64_t)sqlite3_column_int64(row, at);
}

static const char *column_text(sqlite3_stmt *row, int at)
{
    const unsigned char *text = sqlite3_column_text(row, at);
    return text ? (const char *)text : "";
}

/* Rows are numbered from 1 without a gap: all that are new are written with each flush. */
static bool load_place(struct index *index, sqlite3_stmt *row)
{
    static const enum store_state states[] = {STORE_WAITING, STORE_HELD, STORE_DELIVERED, STORE_DEAD,
                                              STORE_DISCARDED};
    const char *agreement = column_text(row, 1), *service = column_text(row, 2);
    struct place *place = index_place(index, agreement, service);
    if (!place)
        place = index_add_place(index, agreement, service);
    if (!place || (size_t)(place - index->places) + 1 != column(row, 0)) {
        index->corrupt |= place != NULL;
        return false;
    }
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        place->states[states[i]] = column(row, 3 + (int)i);
    place->open_bytes = column(row, 8);
    place->dirty = false;
    place->stored = true;
    return true;
}

static bool load_name(struct index *index, sqlite3_stmt *row)
{
    struct name *name = index_add_name(index, column_text(row, 1));
    if (!name || (size_t)(name - index->names) + 1 != column(row, 0)) {
        index->corrupt |= name != NULL;
        return false;
    }
    text_copy(name->cursor, sizeof name->cursor, column_text(row, 2));
    name->quarantined = column(row, 3);
    name->quarantine_bytes = column(row, 4);
    name->stored = true;
    return true;
}

static bool load_echoes(struct index *index, sqlite3_stmt *row)
{
    index->echoes = column(row, 0) != 0;
    return true;
}

static int load_newest(struct index *index)
{
    struct fresh_message newest = {0};
    int result = index_message_before(index, index_bound("~"), &newest);
    index->newest = newest.id;
    return result < 0 ? result : 0;
}

static bool load_head(struct index *index, sqlite3_stmt *row)
{
    struct index_head *head = index_add_head(index, column_text(row, 0));
    if (!head || sqlite3_column_bytes(row, 2) != DIGEST_SIZE)
        return false;
    head->head.head.sequence = column(row, 1);
    memcpy(head->head.head.hash, sqlite3_column_blob(row, 2), DIGEST_SIZE);
    return true;
}

static bool load_progress(struct index *index, sqlite3_stmt *row)
{
    index->progress = (struct index_progress){
        .position = column(row, 1),
        .marker = column(row, 2),
        .group = column(row, 3),
        .next_number = column(row, 4),
        .epoch = column(row, 5),
        .messages = column(row, 6),
        .quarantined = column(row, 7),
        .bytes = column(row, 8),
        .seen_before = sqlite3_column_int64(row, 9),
        .keys_before = sqlite3_column_int64(row, 10),
    };
    index->flushed = index->progress.position;
    return true;
}

static int load_rows(struct index *index, const char *sql, bool (*load)(struct index *, sqlite3_stmt *))
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(index->db, sql, -1, &statement, NULL);
    bool good = true;
    while (rc == SQLITE_OK && good && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        good = load(index, statement);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return good ? result_of(index, rc) : index->corrupt ? ACCORD_EFORMAT : ACCORD_ENOMEM;
}

/* Places stay, also those that the file does not have: rows and claims point to them. */
int index_load(struct index *index)
{
    index->name_count = index->head_count = 0;
    int result = load_rows(index, "SELECT * FROM progress", load_progress);
    if (!result)
        result = load_rows(index, "SELECT * FROM places ORDER BY id", load_place);
    if (!result)
        result = load_rows(index, "SELECT * FROM names ORDER BY id", load_name);
    if (!result)
        result = load_rows(index, "SELECT * FROM heads", load_head);
    index_forget_fresh(index);
    if (!result)
        result = load_rows(index, "SELECT entries FROM sending", index_load_sending);
    index->runs.count = index->runs.part = 0;
    if (!result)
        result = load_rows(index, "SELECT * FROM runs ORDER BY run", index_load_run);
    if (!result)
        result = load_newest(index);
    if (!result)
        result = load_rows(index, "SELECT EXISTS (SELECT 1 FROM echoes)", load_echoes);
    return result;
}

/* ---- life ---- */

static int path_in(char path[PATH_MAX], const char *folder, const char *name, struct reason *why)
{
    return file_path(path, PATH_MAX, folder, name)
               ? fail(why, ACCORD_EINVAL, "folder name too long: %s", folder)
               : 0;
}

int index_delete(const char *folder, struct reason *why)
{
    static const char *const names[] = {FILE_NAME, FILE_NAME "-wal", FILE_NAME "-shm", FILE_NAME "-journal"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int result = path_in(path, folder, names[i], why);
        if (result)
            return result;
        struct stat st;
        if (unlink(path) < 0 && lstat(path, &st) == 0)
            return fail(why, ACCORD_EIO, "cannot delete %s, which is to be made anew; delete it by hand",
                        path);
    }
    return file_sync_folder(folder, why);
}

static bool reads_integer(struct index *index, const char *sql, int64_t *value)
{
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(index->db, sql, -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW;
    if (good)
        *value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return good;
}

/* A new file gets its tables; one of another format, or a damaged one, is refused. */
static int check_file(struct index *index)
{
    struct stat st;
    int64_t version = -1, tables = -1, bad = 0;
    if (!reads_integer(index, "PRAGMA user_version", &version) ||
        !reads_integer(index, "SELECT count(*) FROM sqlite_schema", &tables))
        return ACCORD_EFORMAT;
    if (version == 0 && tables == 0)
        return result_of(index, sqlite3_exec(index->db, schema, NULL, NULL, NULL));
    if (version != INDEX_FORMAT)
        return ACCORD_EFORMAT;
    if (stat(index->path, &st) == 0 && st.st_size <= CHECK_MAX &&
        (!reads_integer(index, "SELECT count(*) FROM pragma_integrity_check(1) WHERE integrity_check<>'ok'",
                        &bad) ||
         bad))
        return ACCORD_EFORMAT;
    return 0;
}

static int prepare_all(struct index *index)
{
    for (size_t i = 0; i < INDEX_STATEMENTS; i++)
        if (sqlite3_prepare_v3(index->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &index->statements[i],
                               NULL) != SQLITE_OK)
            return ACCORD_EFORMAT;
    return 0;
}

int index_open(struct index *index, const char *folder, struct reason *why)
{
    char path[PATH_MAX];
    *index = (struct index){0};
    index_init_messages(index);
    index_init_settled(index);
    int result = path_in(path, folder, FILE_NAME, why);
    if (result)
        return result;
    if (!(index->path = strdup(path)))
        return fail(why, ACCORD_ENOMEM, "out of memory opening the store");
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    if (sqlite3_open_v2(path, &index->db, flags, NULL) != SQLITE_OK)
        return fail(why, ACCORD_EIO, "cannot open %s: %s", path, sqlite3_errmsg(index->db));
    result = result_of(index, sqlite3_exec(index->db, settings, NULL, NULL, NULL));
    if (!result)
        result = check_file(index);
    if (!result)
        result = prepare_all(index);
    if (!result)
        result = index_load(index);
    if (!result)
        filter_reset(&index->filter, 4 * index->progress.messages);
    return result ? fail(why, result, "%s is unusable: %s (%d, errno %d)", path, sqlite3_errmsg(index->db),
                         sqlite3_extended_errcode(index->db), sqlite3_system_errno(index->db))
                  : 0;
}

void index_close(struct index *index)
{
    for (size_t i = 0; i < INDEX_STATEMENTS; i++)
        sqlite3_finalize(index->statements[i]);
    for (size_t i = 0; i < index->place_count; i++)
        free(index->places[i].page);
    sqlite3_close(index->db);
    if (index->log_open)
        close(index->log);
    if (index->corrupt && index->path)
        unlink(index->path); /* the next open makes it anew */
    free(index->path);
    free(index->places);
    free(index->names);
    free(index->heads);
    fresh_fini(&index->fresh);
    filter_fini(&index->filter);
    buf_fini(&index->resumed);
    packs_fini(&index->messages);
    packs_fini(&index->settled);
    buf_fini(&index->over);
    free(index->runs.items);
    *index = (struct index){0};
}
