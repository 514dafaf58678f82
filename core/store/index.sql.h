/* Statements that are kept prepared: S(name, text). Included more than once.
 * States are written as numbers so that the partial indexes apply: 1 waiting, 2 held, 5 dead.
 * INDEX_ROW: what index_read_row() reads. */
#define INDEX_ROW "number, message, detail, place, state, attempts, not_before, changed, since, generation, size, " \
    "before, answer_by "
S(BEGIN, "BEGIN")
S(COMMIT, "COMMIT")
S(ROLLBACK, "ROLLBACK")
#define DELIVERY_ROW "(?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
#define FOUR(row) row "," row "," row "," row
S(ADD_DELIVERY, "INSERT INTO deliveries VALUES " DELIVERY_ROW)
S(ADD_DELIVERIES, "INSERT INTO deliveries VALUES " FOUR(FOUR(DELIVERY_ROW))) /* INDEX_ROWS of them */
S(PUT_SENDING, "INSERT OR REPLACE INTO sending VALUES (?,?)")
S(DROP_SENDING, "DELETE FROM sending WHERE id>?")
/* Packed rows (pack.h): the one that a number belongs to, and the next. */
#define FIND_PACK(table) "SELECT id, entries FROM " table " WHERE id>=coalesce((SELECT max(id) FROM " table \
    " WHERE id<=?1), ?1) ORDER BY id LIMIT 2"
S(FIND_MESSAGES, FIND_PACK("messages"))
S(PUT_MESSAGES, "INSERT OR REPLACE INTO messages VALUES (?,?)")
S(DROP_MESSAGES, "DELETE FROM messages WHERE id=?")
S(FIND_SETTLED, FIND_PACK("settled"))
S(PUT_SETTLED, "INSERT OR REPLACE INTO settled VALUES (?,?)")
S(DROP_SETTLED, "DELETE FROM settled WHERE id=?")
S(SET_DELIVERY, "UPDATE deliveries SET message=?2, detail=?3, place=?4, state=?5, attempts=?6, due=?7, not_before=?8,"
                " changed=?9, since=?10, generation=?11, size=?12, before=?13, answer_by=?14 WHERE number=?1")
S(PUT_SEEN, "INSERT OR REPLACE INTO seen VALUES (?,?)")
S(DROP_SEEN, "DELETE FROM seen WHERE id>=? AND id<?")
S(SEEN_PART, "SELECT entries FROM seen WHERE id=?")
S(SEEN_AFTER, "SELECT id, entries FROM seen WHERE id>? ORDER BY id LIMIT ?")
S(SET_RUN, "INSERT OR REPLACE INTO runs VALUES (?,?,?,?)")
S(DROP_RUN, "DELETE FROM runs WHERE run=?")
S(ADD_KEY, "INSERT INTO keys VALUES (?,?) ON CONFLICT(key) DO UPDATE SET time=max(time, excluded.time)")
S(MOVE, "UPDATE deliveries SET detail=?2, state=?3, changed=?4 WHERE number=?1")
S(DELIVERY, "SELECT " INDEX_ROW "FROM deliveries WHERE number=?")
S(KEY, "SELECT 1 FROM keys WHERE key=? AND time>=?")
S(NEXT_DUE, "SELECT " INDEX_ROW "FROM deliveries INDEXED BY ready WHERE place=? AND state=1 AND due=0 AND number>? "
            "ORDER BY number")
S(NEXT_LATER, "SELECT " INDEX_ROW "FROM deliveries INDEXED BY later WHERE place=? AND state=1 AND due>0 ORDER BY due")
S(NEXT_HELD, "SELECT " INDEX_ROW "FROM deliveries INDEXED BY held WHERE place=? AND state=2 ORDER BY number")
S(NEXT_DEAD, "SELECT " INDEX_ROW "FROM deliveries INDEXED BY dead WHERE place=? AND state=5 ORDER BY number")
S(FIRST_READY, "SELECT " INDEX_ROW "FROM deliveries INDEXED BY ready WHERE place=? AND state=1 AND due=0 "
               "ORDER BY number")
S(FIRST_LATER, "SELECT min(number), message FROM deliveries INDEXED BY later "
               "WHERE place=? AND state=1 AND due>0")
S(LIST_READY, "SELECT number FROM deliveries INDEXED BY ready "
              "WHERE place=? AND state=1 AND due=0 ORDER BY number")
S(LIST_LATER, "SELECT number FROM deliveries INDEXED BY later "
              "WHERE place=? AND state=1 AND due>0 ORDER BY due")
/* Those that wait for a person (STORE_NEVER) are not listed. */
S(LIST_HELD, "SELECT number FROM deliveries INDEXED BY held WHERE place=? AND state=2 "
             "AND not_before<9223372036854775807 ORDER BY number")
S(ECHOES_AFTER, "SELECT key FROM echoes WHERE key>? ORDER BY key LIMIT ?")
S(KEYS_AFTER, "SELECT key FROM keys WHERE key>? ORDER BY key LIMIT ?")
S(SET_PLACE, "INSERT OR REPLACE INTO places VALUES (?,?,?,?,?,?,?,?,?)")
S(SET_NAME, "INSERT OR REPLACE INTO names VALUES (?,?,?,?,?)")
S(SET_HEAD, "INSERT OR REPLACE INTO heads VALUES (?,?,?)")
S(SET_PROGRESS, "INSERT OR REPLACE INTO progress VALUES (1,?,?,?,?,?,?,?,?,?,?)")
/* ---- decisions and quarantine (index_life.c) ---- */
S(ADD_QUARANTINED, "INSERT OR IGNORE INTO quarantined VALUES (?)")
S(DROP_QUARANTINED, "DELETE FROM quarantined WHERE id=?")
S(QUARANTINED, "SELECT id FROM quarantined ORDER BY id")
S(ADD_RELEASED, "INSERT OR REPLACE INTO released VALUES (?,?,?,?,?)")
S(RELEASED, "SELECT first, count, changed, size FROM released WHERE id=?")
S(OVERDUE, "SELECT " INDEX_ROW "FROM deliveries INDEXED BY expected WHERE answer_by>0 AND answer_by<=? "
           "ORDER BY answer_by")
S(ADOPT_WAITING, "UPDATE deliveries SET place=?2 WHERE place=?1 AND state=1")
S(ADOPT_HELD, "UPDATE deliveries INDEXED BY held SET place=?2 WHERE place=?1 AND state=2")
S(ADOPT_DEAD, "UPDATE deliveries INDEXED BY dead SET place=?2 WHERE place=?1 AND state=5")
/* ---- files of the journal that are gone ---- */
S(SPANNING, "SELECT DISTINCT id FROM spans WHERE segment<=?")
/* ---- retention (index_retain.c) ---- */
S(DROP_DELIVERIES, "DELETE FROM deliveries WHERE number>=?1 AND number<?1+?2")
S(DROP_RELEASED, "DELETE FROM released WHERE id=?")
S(DROP_KEY, "DELETE FROM keys WHERE key=? AND time<?")
S(ADD_SPAN, "INSERT OR IGNORE INTO spans VALUES (?,?)")
S(SPAN, "SELECT id FROM spans WHERE segment<=? ORDER BY id LIMIT 1")
S(DROP_SPAN, "DELETE FROM spans WHERE segment<=? AND id=?")
S(ADD_ECHO, "INSERT OR IGNORE INTO echoes VALUES (?,?,?,?)")
S(ECHO, "SELECT id FROM echoes WHERE key=? AND hash=? AND time>=? LIMIT 1")
S(ECHO_CHANGED, "SELECT id FROM echoes WHERE key=? AND time>=? LIMIT 1")
S(DROP_ECHO, "DELETE FROM echoes WHERE key=? AND hash=? AND id=?")
