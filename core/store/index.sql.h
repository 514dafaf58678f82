/* Statements that are kept prepared: S(name, text). Included more than once.
 * States are written as numbers so that the partial indexes apply: 1 waiting, 2 held. */
S(BEGIN, "BEGIN")
S(COMMIT, "COMMIT")
S(ROLLBACK, "ROLLBACK")
S(ADD_MESSAGE, "INSERT INTO messages VALUES (?,?,?,?,?,?,?)")
S(ADD_DELIVERY, "INSERT INTO deliveries VALUES (?,?,?,?,?,?,?,?,?,?)")
S(ADD_SEEN, "INSERT OR IGNORE INTO seen VALUES (?,?,?,?)")
S(ADD_KEY, "INSERT OR IGNORE INTO keys VALUES (?)")
S(SETTLE, "UPDATE deliveries SET detail=?2, state=?3, attempts=attempts+?4, due=?5, not_before=?5, "
          "changed=?6, generation=?7 WHERE number=?1")
S(MOVE, "UPDATE deliveries SET detail=?2, state=?3, changed=?4 WHERE number=?1")
S(PROMOTE, "UPDATE deliveries SET due=0 WHERE number=?")
S(MESSAGE, "SELECT position FROM messages WHERE id=?")
S(DELIVERY, "SELECT number, message, detail, place, state, attempts, not_before, changed, generation "
            "FROM deliveries WHERE number=?")
S(KEY, "SELECT 1 FROM keys WHERE key=?")
S(SEEN, "SELECT position FROM seen WHERE key=? AND hash=? AND time>=? ORDER BY position DESC LIMIT ?")
S(CHANGED, "SELECT position FROM seen WHERE key=? AND time>=? LIMIT ?")
S(NEXT_DUE, "SELECT number, message, detail, place, state, attempts, not_before, changed, generation "
            "FROM deliveries INDEXED BY ready WHERE place=? AND state=1 AND due=0 AND number>? "
            "ORDER BY number LIMIT 1")
S(NEXT_LATER, "SELECT number, due FROM deliveries INDEXED BY later WHERE place=? AND state=1 AND due>0 "
              "ORDER BY due LIMIT 1")
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
S(ADD_PLACE, "INSERT INTO places(agreement, service, waiting, held, delivered, dead, discarded) "
             "VALUES (?,?,0,0,0,0,0)")
S(SET_PLACE, "UPDATE places SET waiting=?2, held=?3, delivered=?4, dead=?5, discarded=?6 WHERE id=?1")
S(ADD_NAME, "INSERT INTO names(text, cursor) VALUES (?,'')")
S(SET_NAME, "UPDATE names SET cursor=?2 WHERE id=?1")
S(SET_HEAD, "INSERT OR REPLACE INTO heads VALUES (?,?,?)")
S(SET_PROGRESS, "INSERT OR REPLACE INTO progress VALUES (1,?,?,?,?,?,?,?,?)")
