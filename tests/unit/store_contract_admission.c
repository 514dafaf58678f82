/* The store's contract: what is admitted reads back whole, or is refused. */
#include "store_contract.h"

#include <stdlib.h>
#include <string.h>

#include "store_calls.h"
#include "util/text.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static uint8_t *pattern(size_t size)
{
    uint8_t *bytes = malloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 8) * 7);
    return bytes;
}

static void an_admitted_message_reads_back_whole(void **state)
{
    struct bench *bench = *state;
    struct letter letter;
    struct store_message *message;
    letter_init(&letter, bench, "file-1", "hello", 5);
    letter.deliveries[0].generation = 7;
    letter.deliveries[1] = letter.deliveries[0];
    letter.deliveries[1].state = STORE_DEAD;
    text_copy(letter.deliveries[1].service, STORE_NAME_MAX, "other");
    text_copy(letter.deliveries[1].rule, ACCORD_RULE_MAX, "services.type");
    text_copy(letter.deliveries[1].reason, ACCORD_REASON_MAX, "not listed");
    letter.admission.delivery_count = 2;
    assert_int_equal(admit(bench, &letter), 0);
    assert_int_not_equal(letter.deliveries[0].number, 0);
    assert_int_equal(letter.deliveries[1].number, letter.deliveries[0].number + 1);
    assert_int_equal(get(bench, letter.id.text, &message), 0);
    assert_string_equal(message->id, letter.id.text);
    assert_string_equal(message->origin, "site/plans");
    assert_string_equal(message->type, "stow-plan");
    assert_string_equal(message->name, "plan.edi");
    assert_string_equal(message->source_id, "file-1");
    assert_int_equal(message->time, letter.envelope.time);
    assert_int_equal(message->size, 5);
    assert_int_equal(message->flags, 0);
    assert_int_equal(message->header_count, 2);
    assert_string_equal(message->headers[0].value, "text/plain");
    assert_string_equal(message->headers[1].name, "X-Empty");
    assert_int_equal(message->delivery_count, 2);
    assert_int_equal(message->deliveries[0].state, STORE_WAITING);
    assert_int_equal(message->deliveries[0].generation, 7);
    assert_string_equal(message->deliveries[0].message, letter.id.text);
    assert_string_equal(message->deliveries[1].service, "other");
    assert_int_equal(message->deliveries[1].state, STORE_DEAD);
    assert_string_equal(message->deliveries[1].rule, "services.type");
    assert_string_equal(message->deliveries[1].reason, "not listed");
    store_message_free(message);
    letter_fini(&letter);
}

static void payloads_of_every_size_read_back(void **state)
{
    static const size_t sizes[] = {0,      1,      131071, 131072, 131073,      262143,
                                   262144, 262145, 393216, 524289, 1024 * 1024, 3 * 1024 * 1024 + 5};
    struct bench *bench = *state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct letter letter;
        uint8_t *bytes = pattern(sizes[i] + 1), *back = malloc(sizes[i] + 100);
        size_t got;
        letter_init(&letter, bench, "", bytes, sizes[i]);
        assert_int_equal(admit(bench, &letter), 0);
        assert_int_equal(read_payload(bench, letter.id.text, 0, back, sizes[i] + 100, &got), 0);
        assert_int_equal(got, sizes[i]);
        assert_memory_equal(back, bytes, sizes[i]);
        size_t middle = sizes[i] / 2;
        assert_int_equal(read_payload(bench, letter.id.text, (int64_t)middle, back, 70000, &got), 0);
        assert_int_equal(got, sizes[i] - middle < 70000 ? sizes[i] - middle : 70000);
        assert_memory_equal(back, bytes + middle, got);
        assert_int_equal(read_payload(bench, letter.id.text, (int64_t)sizes[i], back, 10, &got), 0);
        assert_int_equal(got, 0);
        letter_fini(&letter);
        free(bytes);
        free(back);
    }
}

static void a_payload_can_be_looked_at_before_admission(void **state)
{
    struct bench *bench = *state;
    size_t size = 5 * ACCORD_PIECE_MAX + 77, at = 0, got;
    uint8_t *bytes = pattern(size), *back = malloc(size);
    struct store_payload *payload = make_payload(bench, bytes, size);
    do {
        struct waited waited = {0};
        store_payload_peek(payload, (int64_t)at, back + at, 100000, &got, on_waited, &waited);
        assert_int_equal(wait_for(bench, &waited), 0);
        at += got;
    } while (got && at < size);
    assert_int_equal(at, size);
    assert_memory_equal(back, bytes, size);
    struct waited end = {0}, orphan = {0};
    store_payload_peek(payload, (int64_t)size, back, 1, &got, on_waited, &end);
    assert_int_equal(wait_for(bench, &end), 0);
    assert_int_equal(got, 0);
    store_payload_peek(payload, 0, back, 100, &got, on_waited, &orphan);
    store_payload_free(payload); /* while a call is under way */
    assert_int_equal(wait_for(bench, &orphan), 0);
    free(bytes);
    free(back);
}

static void a_payload_that_is_not_sealed_is_refused(void **state)
{
    struct bench *bench = *state;
    struct letter letter;
    letter_init(&letter, bench, "x", "hello", 5);
    store_payload_free(letter.admission.payload);
    letter.admission.payload = store_payload_new(bench->store, "site");
    assert_int_equal(admit(bench, &letter), ACCORD_EINVAL);
    letter_fini(&letter);
}

static void an_envelope_that_does_not_fit_is_refused(void **state)
{
    struct bench *bench = *state;
    struct letter letter;
    struct store_message *message;
    char longer[600];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    letter_init(&letter, bench, "x", "hello", 5);
    letter.envelope.source_id = longer;
    assert_int_equal(admit(bench, &letter), ACCORD_EINVAL);
    letter.envelope.source_id = "x";
    letter.envelope.id = "short";
    assert_int_equal(admit(bench, &letter), ACCORD_EINVAL);
    letter.envelope.id = letter.id.text;
    letter.envelope.sha256 = "00";
    assert_int_equal(admit(bench, &letter), ACCORD_EINVAL);
    letter.envelope.sha256 = "";
    letter.deliveries[0].state = STORE_DELIVERED;
    assert_int_equal(admit(bench, &letter), ACCORD_EINVAL);
    letter.deliveries[0].state = STORE_WAITING;
    letter.audit.chain = "../etc";
    assert_int_equal(admit(bench, &letter), ACCORD_EINVAL);
    assert_int_equal(get(bench, letter.id.text, &message), ACCORD_ENOENT);
    letter.audit.chain = "isa";
    assert_int_equal(admit(bench, &letter), 0);
    assert_int_equal(admit(bench, &letter), ACCORD_EINVAL); /* the id is in use */
    assert_int_equal(verify_chains(bench), 1);
    letter_fini(&letter);
}

int contract_admission(void)
{
    const struct CMUnitTest tests[] = {
        contract_test(an_admitted_message_reads_back_whole),
        contract_test(payloads_of_every_size_read_back),
        contract_test(a_payload_can_be_looked_at_before_admission),
        contract_test(a_payload_that_is_not_sealed_is_refused),
        contract_test(an_envelope_that_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests_name("admission", tests, NULL, NULL);
}
