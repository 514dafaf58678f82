/* The exported trail: sealed lines from the store, in FOLDER/CHAIN/YYYY-MM-DD.jsonl by each record's own date.
 *
 * Durable in steps: lines are appended, the files synced, and then FOLDER/export.position replaced; so that after a
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
/* Appends sealed lines, each ended by \n, and then makes `position` durable. After a failure nothing of this
 * call counts: call it again with the same lines. Lines that are no sealed records go to FOLDER/unreadable.txt,
 * where they are counted and the trail goes on without them. */
int export_append(struct export *, const void *lines, size_t size, uint64_t position, struct reason *why);
uint64_t export_unreadable(const struct export *); /* lines set aside since export_open() */
void export_close(struct export *);

#endif
