/* Until the store's own verb is there: nothing is written down, and that is said. */
#include "store/store.h"

__attribute__((weak)) void store_note(struct store *store, struct store_note *verb, store_done done, void *arg)
{
    (void)store, (void)verb;
    done(arg, ACCORD_EIO);
}
