/* `accord backup FOLDER`: a copy of the state folder while the agent runs, enough to go on with on another disk.
 *
 * FOLDER/audit      the exported trail; copied before the store, so that the store knows all that is in it
 * FOLDER/store      the store as it was at one commit, sealed as it is
 * FOLDER/audit-key.pub.pem
 *
 * The two secret keys, the store's key file and audit-key.pem, are not in it. It is written as FOLDER.partial, and gets
 * its name when all of it is on the disk.
 */
#ifndef HUB_BACKUP_H
#define HUB_BACKUP_H

#include "hub/control.h"

/* Answers the command, with a row "progress" now and then. `folder` is absolute. */
void backup_begin(struct answer *, const char *folder);

#endif
