/* Cursors in their turn: every order in which offers can be answered, against what the answers allow. */
#include "bus/cursors.h"

#include <accord/base.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST 5

struct heard {
    struct cursor_wait wait; /* first */
    int times, result;
};

static void hear(struct cursor_wait *wait, int result)
{
    struct heard *heard = (struct heard *)wait;
    heard->times++;
    heard->result = result;
}

/* Offers and advances of one service, numbered as they are made; the cursor of the n-th is "n". */
struct row {
    struct cursors cursors;
    int count;
    bool advance[MOST]; /* the n-th is not an offer */
    bool ended[MOST], held[MOST], is_void[MOST];
    struct cursor_turn turns[MOST];
    struct heard heard[MOST];
    int committed; /* the cursor that a store would have; -1: none */
};

static void row_init(struct row *row)
{
    *row = (struct row){.committed = -1};
    cursors_init(&row->cursors);
}

static void make(struct row *row, bool advance)
{
    int n = row->count++;
    char cursor[8];
    snprintf(cursor, sizeof cursor, "%d", n);
    row->advance[n] = advance;
    row->heard[n].wait.done = hear;
    if (advance)
        assert_int_equal(cursors_advance(&row->cursors, cursor, &row->heard[n].wait), 0);
    else
        assert_int_equal(cursors_enter(&row->cursors, &row->turns[n], cursor), 0);
}

/* The newest cursor that may be committed, by the words of accord/host.h; -1: none. `with`: this one is held by the
 * same commit. */
static int allowed(const struct row *row, int with)
{
    int newest = -1;
    for (int i = 0; i < row->count; i++) {
        if (!row->advance[i] && i != with && !row->ended[i])
            break;
        if (!row->is_void[i] && (row->advance[i] || i == with || row->held[i]))
            newest = i;
    }
    return newest;
}

static void commit(struct row *row, const char *text, uint64_t serial)
{
    assert_non_null(text);
    assert_true(atoi(text) >= row->committed);
    row->committed = atoi(text);
    cursors_committed(&row->cursors, serial);
}

static void note(struct row *row)
{
    uint64_t serial;
    const char *text = cursors_due(&row->cursors, &serial);
    if (!text)
        return;
    assert_int_equal(atoi(text), allowed(row, -1));
    commit(row, text, serial);
}

/* The n-th offer's answer; its commit carries what it may. */
static void end(struct row *row, int n, bool held)
{
    uint64_t serial = 0;
    const char *text = held ? cursors_with(&row->turns[n], &serial) : NULL;
    char copy[8] = "";
    bool first = true;
    for (int i = 0; i < n; i++)
        first = first && (row->advance[i] || row->ended[i]);
    if (text) {
        assert_true(first); /* nothing that is open is before it */
        snprintf(copy, sizeof copy, "%s", text);
        assert_int_equal(atoi(copy), allowed(row, n));
    } else if (held && first) {
        assert_true(allowed(row, n) <= row->committed); /* nothing left to take along */
    }
    row->ended[n] = true;
    row->held[n] = held;
    for (int i = n; !held && i < row->count; i++)
        row->is_void[i] = true;
    cursors_leave(&row->turns[n], held);
    if (*copy)
        commit(row, copy, serial);
    note(row);
    assert_true(row->committed >= allowed(row, -1));
}

static void check_waits(const struct row *row)
{
    for (int i = 0; i < row->count; i++) {
        if (!row->advance[i])
            continue;
        assert_int_equal(row->heard[i].times, 1);
        assert_int_equal(row->heard[i].result, row->is_void[i] ? ACCORD_ECANCELED : 0);
    }
}

/* Each way in which `count` of them can be offers or advances, be answered in any order, be held or not. */
static void play(const int *order, int offers, int count, unsigned advances, unsigned fates)
{
    struct row row;
    row_init(&row);
    for (int i = 0; i < count; i++)
        make(&row, advances >> i & 1);
    note(&row);
    for (int i = 0; i < offers; i++)
        end(&row, order[i], fates >> order[i] & 1);
    assert_ptr_equal(row.cursors.line.next, &row.cursors.line);
    check_waits(&row);
    assert_int_equal(row.cursors.waiting, 0);
    cursors_fini(&row.cursors);
}

static long played;

static void permute(int *order, int from, int offers, int count, unsigned advances)
{
    if (from == offers) {
        for (unsigned fates = 0; fates < 1u << count; fates++)
            if ((fates & advances) == 0) {
                play(order, offers, count, advances, fates);
                played++;
            }
        return;
    }
    for (int i = from; i < offers; i++) {
        int kept = order[from];
        order[from] = order[i];
        order[i] = kept;
        permute(order, from + 1, offers, count, advances);
        order[i] = order[from];
        order[from] = kept;
    }
}

static void cursors_move_in_their_turn_in_every_order_of_answers(void **state)
{
    (void)state;
    for (int count = 1; count <= MOST; count++)
        for (unsigned advances = 0; advances < 1u << count; advances++) {
            int order[MOST], offers = 0;
            for (int i = 0; i < count; i++)
                if (!(advances >> i & 1))
                    order[offers++] = i;
            permute(order, 0, offers, count, advances);
        }
    assert_true(played > 5000);
}

static void what_comes_after_a_deferral_counts_again(void **state)
{
    (void)state;
    struct row row;
    row_init(&row);
    make(&row, false); /* 0 */
    make(&row, false); /* 1: still open when 0 is deferred */
    end(&row, 0, false);
    make(&row, false); /* 2: 0, offered again */
    end(&row, 2, true);
    assert_int_equal(row.committed, -1); /* 1 is before it */
    end(&row, 1, true);
    assert_int_equal(row.committed, 2);
    cursors_fini(&row.cursors);
}

static void a_commit_that_fails_leaves_the_cursor_due(void **state)
{
    (void)state;
    struct row row;
    uint64_t serial;
    row_init(&row);
    make(&row, true);
    cursors_due(&row.cursors, &serial);
    cursors_failed(&row.cursors, serial, ACCORD_ELIMIT);
    assert_int_equal(row.heard[0].times, 1);
    assert_int_equal(row.heard[0].result, ACCORD_ELIMIT);
    make(&row, false);
    end(&row, 1, true);
    assert_int_equal(row.committed, 1);
    assert_null(cursors_due(&row.cursors, &serial));
    cursors_fini(&row.cursors);
}

static void the_first_takes_along_what_is_due(void **state)
{
    (void)state;
    struct row row;
    struct cursor_turn turn;
    uint64_t serial, carried;
    row_init(&row);
    make(&row, true);
    assert_int_equal(cursors_enter(&row.cursors, &turn, NULL), 0);
    assert_string_equal(cursors_with(&turn, &carried), "0");
    cursors_leave(&turn, true);
    cursors_committed(&row.cursors, carried);
    assert_null(cursors_due(&row.cursors, &serial));
    assert_int_equal(row.heard[0].result, 0);
    cursors_fini(&row.cursors);
}

static void a_source_that_goes_leaves_nobody_waiting(void **state)
{
    (void)state;
    struct row row;
    row_init(&row);
    make(&row, false);
    make(&row, true);
    make(&row, false);
    cursors_reset(&row.cursors);
    assert_int_equal(row.heard[1].result, ACCORD_ECANCELED);
    assert_ptr_equal(row.cursors.line.next, &row.cursors.line);
    cursors_leave(&row.turns[2], true); /* its admission ends later: nothing follows */
    uint64_t serial;
    assert_null(cursors_due(&row.cursors, &serial));
    cursors_fini(&row.cursors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursors_move_in_their_turn_in_every_order_of_answers),
        cmocka_unit_test(what_comes_after_a_deferral_counts_again),
        cmocka_unit_test(a_commit_that_fails_leaves_the_cursor_due),
        cmocka_unit_test(the_first_takes_along_what_is_due),
        cmocka_unit_test(a_source_that_goes_leaves_nobody_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
