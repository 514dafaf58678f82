/* Statements that are kept prepared: S(name, text). Included more than once.
 * States are written as numbers so that the partial indexes apply: 1 waiting, 2 held, 5 dead.
 * INDEX_ROW: what index_read_row() reads. */
#define INDEX_ROW "number, message, detail, place, state, attempts, not_before, changed, since, generation, size "
S(BEGIN, "BEGIN")
S(COMMIT, "COMMIT")
S(ROLLBACK, "ROLLBACK")
#define MESSAGE_ROW "(?,?,?,?,?,?,?)"
#define DELIVERY_ROW "(?,?,?,?,?,?,?,?,?,?,?,?)"
#define FOUR(row) row "," row "," row "," row
S(ADD_MESSAGE, "INSERT INTO messages VALUES " MESSAGE_ROW)
S(ADD_MESSAGES, "INSERT INTO messages VALUES " FOUR(FOUR(MESSAGE_ROW))) /* INDEX_ROWS of them */
S(ADD_DELIVERY, "INSERT INTO deliveries VALUES " DELIVERY_ROW)
S(ADD_DELIVERIES, "INSERT INTO deliveries VALUES " FOUR(FOUR(DELIVERY_ROW)))
S(SET_DELIVERY, "UPDATE deliveries SET message=?2, detail=?3, place=?4, state=?5, attempts=?6, due=?7, not_before=?8,"
                " changed=?9, since=?10, generation=?11, size=?12 WHERE number=?1")
S(PUT_SEEN, "INSERT OR REPLACE INTO seen VALUES (?,?)")
S(DROP_SEEN, "DELETE FROM seen WHERE id>=? AND id<?")
S(SEEN_PART, "SELECT entries FROM seen WHERE id=?")
S(SEEN_AFTER, "SELECT id, entries FROM seen WHERE id>? ORDER BY id LIMIT ?")
S(SET_RUN, "INSERT OR REPLACE INTO runs VALUES (?,?,?,?)")
S(DROP_RUN, "DELETE FROM runs WHERE run=?")
S(ADD_KEY, "INSERT OR IGNORE INTO keys VALUES (?)")
S(MOVE, "UPDATE deliveries SET detail=?2, state=?3, changed=?4 WHERE number=?1")
S(MESSAGE, "SELECT position FROM messages WHERE id=?")
S(DELIVERY, "SELECT " INDEX_ROW "FROM deliveries WHERE number=?")
S(KEY, "SELECT 1 FROM keys WHERE key=?")
S(NEXT_DUE, "SELECT " INDEX_ROW "FROM deliveries INDEXED BY ready WHERE place=? AND state=1 AND due=0 AND number>? "
            "ORDER BY number")
S(NEXT_LATER, "SELECT " INDEX_ROW "FROM deliveries INDEXED BY later WHERE place=? AND state=1 AND due>0 ORDER BY due")
S(NEXT_HELD, "SELECT " INDEX_ROW "FROM deliveries INDEXED BY held WHERE place=? AND state=2 ORDER BY number")
S(NEXT_DEAD, "SELECT " INDEX_ROW "FROM deliveries INDEXED BY dead WHERE place=? AND state=5 ORDER BY number")
S(FIRST_READY, "SELECT number, message FROM deliveries INDEXED BY ready WHERE place=? AND state=1 AND due=0 "
               "ORDER BY number LIMIT 1")
S(FIRST_LATER, "SELECT min(number), message FROM deliveries INDEXED BY later "
               "WHERE place=? AND state=1 AND due>0")
S(FIRST_HELD, "SELECT number, message FROM deliveries INDEXED BY held WHERE place=? AND state=2 "
              "ORDER BY number LIMIT 1")
S(LIST_READY, "SELECT number FROM deliveries INDEXED BY ready "
              "WHERE place=? AND state=1 AND due=0 ORDER BY number")
S(LIST_LATER, "SELECT number FROM deliveries INDEXED BY later "
              "WHERE place=? AND state=1 AND due>0 ORDER BY due")
/* Those that wait for a person (STORE_NEVER) are not listed. */
S(LIST_HELD, "SELECT number FROM deliveries INDEXED BY held WHERE place=? AND state=2 "
             "AND not_before<9223372036854775807 ORDER BY number")
S(WALK, "SELECT id, position, origin, type, flags, first, count FROM messages WHERE id<? ORDER BY id DESC")
S(KEYS_AFTER, "SELECT key FROM keys WHERE key>? ORDER BY key LIMIT ?")
S(SET_PLACE, "INSERT OR REPLACE INTO places VALUES (?,?,?,?,?,?,?,?,?)")
S(SET_NAME, "INSERT OR REPLACE INTO names VALUES (?,?,?)")
S(SET_HEAD, "INSERT OR REPLACE INTO heads VALUES (?,?,?)")
S(SET_PROGRESS, "INSERT OR REPLACE INTO progress VALUES (1,?,?,?,?,?,?,?,?)")
