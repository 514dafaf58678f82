/* The exported trail: sealed lines from the store, in FOLDER/CHAIN/YYYY-MM-DD.jsonl by each record's own date.
 *
 * Durable in steps: lines are written, the files synced, and then FOLDER/export.position replaced; so that after a
 * crash nothing is missing. Lines that were written but not yet counted in the position are recognised by
 * their sequence and not written twice; a half line at the end of a file is cut off.
 *
 * Blocking: the hub calls this on a thread of its own. One exporter for a folder.
 */
#ifndef AUDIT_EXPORT_H
#define AUDIT_EXPORT_H

#include "audit/chain.h"

struct export;

struct export_config {
    const char *folder;
    void (*fault)(const char *point); /* tests: called with "export" between data and position; NULL */
};

/* Makes the folder if need be, reads the position, and cuts what a crash left half written. */
int export_open(struct export **, const struct export_config *, struct reason *why);
/* The position of the store's trail that has been exported; 0: nothing yet. */
uint64_t export_position(const struct export *);
/* The last record of each chain that the files had when the export was opened. */
void export_lasts(const struct export *, void (*each)(void *arg, const char *chain, const struct audit_head *),
                  void *arg);
/* Begins again with the store's first record, durably: the store has gone back, and its positions mean something else
 * now. What is in the files already is not written again. */
int export_rewind(struct export *, struct reason *why);
/* Writes sealed lines, each ended by \n, up to `position`; export_sync() makes them and the position durable. After a
 * failure of either nothing counts that came after the last sync: go on from export_position() again. Lines that are no
 * sealed records go to FOLDER/unreadable.txt, where they are counted and the trail goes on without them. Whether a hash
 * belongs to its line is for the verifier to say. */
int export_write(struct export *, const void *lines, size_t size, uint64_t position, struct reason *why);
int export_sync(struct export *, struct reason *why);
/* Both. */
int export_append(struct export *, const void *lines, size_t size, uint64_t position, struct reason *why);
uint64_t export_unreadable(const struct export *); /* lines set aside since export_open(), and synced */
void export_close(struct export *);

#endif
