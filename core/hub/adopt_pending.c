/* Until the store's own verb is there: nothing is taken over, and that is said. */
#include "store/store.h"

__attribute__((weak)) void store_adopt(struct store *store, struct store_adoption *verb, store_done done,
                                       void *arg)
{
    (void)store, (void)verb;
    done(arg, ACCORD_EIO);
}
