#include "store_history.h"

#include "journal_files.h"
#include "util/text.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void step_admit(struct history *history, struct step *step, size_t i)
{
    static const size_t sizes[] = {10, 3000, 200000, 0, 700, 400000, 1, 131072};
    struct letter letter;
    step->size = sizes[i % 8];
    char source[16], key[32];
    const char *keys[] = {key};
    snprintf(source, sizeof source, "source-%zu", i);
    snprintf(key, sizeof key, "isa\x1f%zu", i);
    letter_init(&letter, &history->bench, source, history->payload, step->size);
    letter.admission.cursor = source;
    letter.admission.keys = keys;
    letter.admission.key_count = 1;
    assert_int_equal(admit(&history->bench, &letter), 0);
    memcpy(step->id, letter.id.text, ACCORD_ID_MAX);
    letter_fini(&letter);
}

static void step_settle(struct history *history, struct step *step, const struct step *admitted)
{
    struct store_message *message;
    step->settles = true;
    memcpy(step->id, admitted->id, ACCORD_ID_MAX);
    assert_int_equal(get(&history->bench, admitted->id, &message), 0);
    assert_int_equal(settle(&history->bench, message->deliveries[0].number, STORE_DELIVERED), 0);
    store_message_free(message);
}

int make_history(void **state)
{
    struct history *history = calloc(1, sizeof *history);
    history->payload = malloc(400000);
    for (size_t i = 0; i < 400000; i++)
        history->payload[i] = (uint8_t)(i * 37 + (i >> 9));
    bench_open(&history->bench, "journal");
    for (size_t i = 0; i < STEPS; i++) {
        struct step *step = &history->steps[i];
        step->start = journal_end(history->bench.folder);
        if (i % 3 == 2)
            step_settle(history, step, step - 1);
        else
            step_admit(history, step, i);
        step->end = journal_end(history->bench.folder);
    }
    bench_shut(&history->bench);
    snprintf(history->copy, sizeof history->copy, "%s-copy", history->bench.folder);
    *state = history;
    return 0;
}

int drop_history(void **state)
{
    struct history *history = *state;
    folder_remove(history->bench.folder);
    free(history->payload);
    free(history);
    return 0;
}

struct bench copy_of(struct history *history)
{
    struct bench bench = history->bench;
    copy_folder(history->bench.folder, history->copy);
    text_copy(bench.folder, sizeof bench.folder, history->copy);
    return bench;
}

void reopen(struct bench *bench)
{
    struct reason why = {""};
    bench->config.folder = bench->folder;
    if (bench_reopen(bench, &why))
        fail_msg("store_open: %s", why.text);
}

bool payload_intact(struct history *history, struct bench *bench, const struct step *step)
{
    uint8_t *back = malloc(step->size + 1);
    size_t got;
    bool intact = read_payload(bench, step->id, 0, back, step->size + 1, &got) == 0 && got == step->size &&
                  !memcmp(back, history->payload, step->size);
    free(back);
    return intact;
}

void expect_done(struct history *history, struct bench *bench, const struct step *step)
{
    if (step->settles)
        assert_int_equal(state_of(bench, step->id, 0), STORE_DELIVERED);
    else
        assert_true(payload_intact(history, bench, step));
}

void expect_not_done(struct bench *bench, const struct step *step)
{
    struct store_message *message;
    int result = get(bench, step->id, &message);
    if (!step->settles)
        assert_int_equal(result, ACCORD_ENOENT);
    else if (!result)
        assert_int_equal(message->deliveries[0].state, STORE_WAITING);
    store_message_free(message);
}

void expect_all(struct history *history, struct bench *bench)
{
    for (size_t i = 0; i < STEPS; i++)
        expect_done(history, bench, &history->steps[i]);
    assert_int_equal(verify_chains(bench), STEPS);
}

void expect_usable(struct bench *bench)
{
    char id[ACCORD_ID_MAX];
    uint64_t number = admit_small(bench, "afterwards", id);
    assert_int_equal(settle(bench, number, STORE_DELIVERED), 0);
    assert_int_equal(state_of(bench, id, 0), STORE_DELIVERED);
}
