/* Policy modules that do what their options say, in the child of fake_hub.h: two for the guard process,
 * two for the inspect process. What they are asked shows as lines of their log.
 */
#ifndef TEST_GUARD_MODULES_H
#define TEST_GUARD_MODULES_H

#include "host/process.h"

/* Loads "first_policy", "second_policy", "first_reader" and "second_reader". */
process_load_fn module_load;

#endif
