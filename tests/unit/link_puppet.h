/* A connector that does what the name of a delivery says, in the child of fake_hub.h. Everything that the
 * link role calls shows as a line of its log.
 */
#ifndef TEST_LINK_PUPPET_H
#define TEST_LINK_PUPPET_H

#include "host/process.h"

#define GRACE_MS 50 /* of the link role under test: the puppet has a timer that outlasts it */

/* Loads "connector-puppet.so", and fails for any other name. */
process_load_fn puppet_load;

#endif
