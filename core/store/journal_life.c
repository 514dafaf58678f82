/* The journal's side of persons' decisions, expected answers, retention. Comes with the records' new format. */
#include "store/journal.h"

int journal_find_quarantined(void *state, const char *message, bool *quarantined)
{
    (void)state, (void)message, (void)quarantined;
    return ACCORD_ENOTSUP;
}

int journal_find_expected(void *state, const char *message, const char *agreement, struct buf *numbers)
{
    (void)state, (void)message, (void)agreement, (void)numbers;
    return 0;
}

int journal_find_overdue(void *state, struct store_overdue *overdue)
{
    (void)state, (void)overdue;
    return 0;
}

int journal_put_release(void *state, const struct record_release *release)
{
    (void)state, (void)release;
    return ACCORD_ENOTSUP;
}

int journal_put_adoption(void *state, const struct record_adoption *adoption, uint64_t *moved)
{
    (void)state, (void)adoption, (void)moved;
    return ACCORD_ENOTSUP;
}

int journal_put_note(void *state, const struct record_note *note)
{
    (void)state, (void)note;
    return ACCORD_ENOTSUP;
}

int journal_put_answered(void *state, const struct record_answered *answered)
{
    (void)state, (void)answered;
    return ACCORD_ENOTSUP;
}

int journal_put_retention(void *state, struct store_retention *retention, uint64_t staged)
{
    (void)state, (void)retention, (void)staged;
    return 0;
}

uint64_t journal_retention_need(void *state)
{
    (void)state;
    return 4096;
}

int journal_sweep(void *state, struct store_retention *retention)
{
    (void)state, (void)retention;
    return 0;
}

int journal_stale(void *state, struct store_stale *stale)
{
    (void)state;
    stale->count = 0;
    return 0;
}

int journal_usage(void *state, backend_usage usage, void *arg)
{
    (void)state, (void)usage, (void)arg;
    return 0;
}
