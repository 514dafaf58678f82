#include "store/crc.h"
#include "store/record.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void checksums_are_those_of_rfc_3720(void **state)
{
    uint8_t bytes[32] = {0};
    (void)state;
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aa); /* appendix B.4 */
    memset(bytes, 0xff, 32);
    assert_int_equal(crc32c(0, bytes, 32), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = i;
    assert_int_equal(crc32c(0, bytes, 32), 0x46dd794e);
    for (size_t size = 0; size <= 32; size++)
        assert_int_equal(crc32c(7, bytes, size), crc32c_portable(7, bytes, size));
    assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}

/* Long enough for several strands, at every alignment, and with what is left over behind them. */
static void checksum_of_much_is_that_of_its_parts(void **state)
{
    static uint8_t bytes[20000];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    for (size_t size = 700; size < sizeof bytes - 8; size += size < 2000 ? 1 : 379)
        for (size_t from = 0; from < 8; from++) {
            uint32_t whole = crc32c_portable((uint32_t)size, bytes + from, size);
            assert_int_equal(crc32c((uint32_t)size, bytes + from, size), whole);
            size_t half = size % 700;
            uint32_t part = crc32c((uint32_t)size, bytes + from, half);
            assert_int_equal(crc32c(part, bytes + from + half, size - half), whole);
        }
}

static struct buf whole_record(uint64_t position)
{
    struct buf buf = {0};
    buf_reserve(&buf, RECORD_HEAD);
    buf.size = RECORD_HEAD;
    record_put_epoch(&buf, 5);
    record_finish(&buf, 0, position, 77, RECORD_EPOCH);
    return buf;
}

static void a_head_is_good_only_where_it_was_written_and_unchanged(void **state)
{
    struct buf buf = whole_record(4096);
    struct record_head head;
    (void)state;
    assert_int_equal(buf.size, record_span(8));
    assert_true(record_read_head(buf.data, 4096, &head));
    assert_int_equal(head.group, 77);
    assert_int_equal(head.type, RECORD_EPOCH);
    assert_int_equal(head.size, 8);
    assert_true(record_body_good(&head, buf.data + RECORD_HEAD));
    assert_false(record_read_head(buf.data, 4104, &head));
    for (size_t i = 0; i < 8 * (RECORD_HEAD + 8); i++) {
        buf.data[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_false(record_read_head(buf.data, 4096, &head) &&
                     record_body_good(&head, buf.data + RECORD_HEAD));
        buf.data[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    buf_fini(&buf);
}

static struct buf admission_body(void)
{
    static const struct record_delivery deliveries[] = {
        {.agreement = "isa", .service = "out", .state = STORE_DEAD, .rule = "a.b", .reason = "because"}};
    static const struct accord_pair headers[] = {{"name", "value"}};
    static const char *const keys[] = {"isa\x1f"
                                       "1"};
    static const uint8_t sha256[DIGEST_SIZE] = {1}, pieces[8] = {0, 16};
    struct record_admission admission = {.id = "0123456789abcdefghjkmnpq",
                                         .origin = "site/plans",
                                         .type = "stow-plan",
                                         .name = "plan",
                                         .source_id = "",
                                         .size = 5,
                                         .sha256 = sha256,
                                         .rule = "",
                                         .reason = "",
                                         .headers = headers,
                                         .header_count = 1,
                                         .first = 3,
                                         .deliveries = deliveries,
                                         .delivery_count = 1,
                                         .cursor = "here",
                                         .keys = keys,
                                         .key_count = 1,
                                         .pieces = pieces,
                                         .piece_count = 1};
    struct buf buf = {0};
    record_put_admission(&buf, &admission);
    return buf;
}

static void an_admission_decodes_to_what_was_encoded(void **state)
{
    struct buf body = admission_body();
    struct record_admission_room room;
    (void)state;
    assert_int_equal(record_get_admission(body.data, body.size, &room), 0);
    assert_string_equal(room.admission.id, "0123456789abcdefghjkmnpq");
    assert_string_equal(room.admission.cursor, "here");
    assert_string_equal(room.admission.keys[0], "isa\x1f"
                                                "1");
    assert_string_equal(room.admission.headers[0].value, "value");
    assert_string_equal(room.admission.deliveries[0].reason, "because");
    assert_int_equal(room.admission.deliveries[0].state, STORE_DEAD);
    assert_int_equal(record_piece_position(&room.admission, 0), 4096);
    buf_fini(&body);
}

static void a_body_too_short_or_too_long_is_refused(void **state)
{
    struct buf body = admission_body();
    struct record_admission_room room;
    (void)state;
    for (size_t size = 0; size < body.size; size++) {
        uint8_t *exact = malloc(size ? size : 1); /* the sanitizer sees a byte too far */
        memcpy(exact, body.data, size);
        assert_int_equal(record_get_admission(exact, size, &room), ACCORD_EFORMAT);
        free(exact);
    }
    buf_byte(&body, 0);
    assert_int_equal(record_get_admission(body.data, body.size, &room), ACCORD_EFORMAT);
    buf_fini(&body);
}

static const struct record_delivery released = {
    .agreement = "isa", .service = "out", .state = STORE_HELD, .rule = "", .reason = "off"};

static struct buf carried_body(void)
{
    static const uint8_t sha256[DIGEST_SIZE] = {1}, pieces[8] = {0, 16};
    static const struct record_standing standings[] = {{.number = 3,
                                                        .agreement = "isa",
                                                        .service = "out",
                                                        .state = STORE_DEAD,
                                                        .attempts = 4,
                                                        .attempts_before = 2,
                                                        .since = 77,
                                                        .answer_by = 78,
                                                        .rule = "a.b",
                                                        .reason = "because",
                                                        .receipt = "no"}};
    struct record_admission admission = {.id = "0123456789abcdefghjkmnpq",
                                         .origin = "site/plans",
                                         .type = "stow-plan",
                                         .name = "plan",
                                         .source_id = "s",
                                         .size = 5,
                                         .sha256 = sha256,
                                         .rule = "",
                                         .reason = "",
                                         .first = 3,
                                         .deliveries = &released,
                                         .delivery_count = 1,
                                         .pieces = pieces,
                                         .piece_count = 1};
    struct buf buf = {0};
    record_put_carried(
        &buf, &(struct record_carried){
                  .admission = &admission, .released_at = 9, .standings = standings, .standing_count = 1});
    return buf;
}

static void a_carried_message_decodes_to_what_was_encoded(void **state)
{
    struct buf body = carried_body();
    static struct record_carried_room room;
    (void)state;
    assert_int_equal(record_get_carried(body.data, body.size, &room), 0);
    assert_string_equal(room.carried.admission->id, "0123456789abcdefghjkmnpq");
    assert_int_equal(room.carried.released_at, 9);
    assert_int_equal(room.carried.standing_count, 1);
    assert_int_equal(room.standings[0].attempts_before, 2);
    assert_int_equal(room.standings[0].since, 77);
    assert_int_equal(room.standings[0].answer_by, 78);
    assert_string_equal(room.standings[0].receipt, "no");
    for (size_t size = 0; size < body.size; size++) {
        uint8_t *exact = malloc(size ? size : 1);
        memcpy(exact, body.data, size);
        assert_int_equal(record_get_carried(exact, size, &room), ACCORD_EFORMAT);
        free(exact);
    }
    buf_fini(&body);
}

static void what_is_kept_and_released_decodes_to_what_was_encoded(void **state)
{
    static struct record_kept_room kept;
    static struct record_snapshot_room snapshot;
    static struct record_release_room release;
    struct record_forget forget;
    struct buf body = {0};
    (void)state;
    record_put_kept(&body, &(struct record_kept){.echoes = &(struct record_echo){5, -6, 7, "id"},
                                                 .echo_count = 1,
                                                 .keys = &(struct record_used){"key", 8},
                                                 .key_count = 1});
    assert_int_equal(record_get_kept(body.data, body.size, &kept), 0);
    assert_int_equal(kept.echoes[0].hash, -6);
    assert_string_equal(kept.keys[0].key, "key");
    buf_clear(&body);
    record_put_snapshot(&body,
                        &(struct record_snapshot){.epoch = 3,
                                                  .keys_before = 4,
                                                  .chains = &(struct record_chain){"isa", {.sequence = 6}},
                                                  .chain_count = 1});
    assert_int_equal(record_get_snapshot(body.data, body.size, &snapshot), 0);
    assert_string_equal(snapshot.chains[0].name, "isa");
    assert_int_equal(snapshot.chains[0].head.sequence, 6);
    buf_clear(&body);
    record_put_release(&body, &(struct record_release){.message = "id",
                                                       .reason = "why",
                                                       .size = 5,
                                                       .first = 8,
                                                       .deliveries = &released,
                                                       .delivery_count = 1});
    assert_int_equal(record_get_release(body.data, body.size, &release), 0);
    assert_string_equal(release.deliveries[0].reason, "off");
    buf_clear(&body);
    record_put_forget(&body, &(struct record_forget){"a", "b", 1, 2, 3});
    assert_int_equal(record_get_forget(body.data, body.size, &forget), 0);
    assert_string_equal(forget.until, "b");
    assert_int_equal(forget.keys_before, 3);
    buf_fini(&body);
}

static void limits_are_kept(void **state)
{
    struct record_admission_room room;
    struct record_move move;
    struct record_piece piece;
    uint8_t large[8 + RECORD_SEAL_SPACE + ACCORD_PIECE_MAX + 1] = {0};
    (void)state;
    struct buf body = admission_body();
    body.data[2 + 3] = 0; /* a NUL inside the id */
    assert_int_equal(record_get_admission(body.data, body.size, &room), ACCORD_EFORMAT);
    buf_clear(&body);
    record_put_move(&body, &(struct record_move){.to = (enum store_state)7, .reason = ""});
    assert_int_equal(record_get_move(body.data, body.size, &move), ACCORD_EFORMAT);
    assert_int_equal(record_get_piece(large, sizeof large - 1, &piece), 0);
    assert_int_equal(record_get_piece(large, sizeof large, &piece), ACCORD_EFORMAT);
    large[0] = SEAL_NEWEST + 1; /* sealed with something that this version does not know */
    assert_int_equal(record_get_piece(large, sizeof large - 1, &piece), ACCORD_EFORMAT);
    buf_fini(&body);
}

/* Sealed in its place, or before and copied there. */
static void a_line_is_sealed_in_its_record_as_by_itself(void **state)
{
    static const char body[] = "{\"event.action\":\"message-admitted\"";
    struct audit_head here = {.sequence = 41, .hash = {7, 8, 9}}, there = here;
    struct buf in_place = {0}, line = {0}, copied = {0};
    (void)state;
    buf_text(&in_place, "before");
    buf_text(&copied, "before");
    /* Of which the first and the third part stand by themselves. */
    const struct audit_shared shared = {.at = 10, .parts = {{body + 10, 7}, {body + 17, 3}}};
    char own[sizeof body - 1 - 10];
    memcpy(own, body, 10);
    memcpy(own + 10, body + 20, sizeof own - 10);
    struct record_audit unsealed = {.chain = "isa", .line = own, .size = sizeof own, .shared = &shared};
    assert_int_equal(record_put_unsealed(&in_place, &unsealed, &here), 0);
    buf_text(&line, body);
    assert_int_equal(audit_seal(&line, 0, "isa", &there), 0);
    struct record_audit sealed = {
        .chain = "isa", .head = there, .line = (char *)line.data, .size = line.size};
    record_put_audit(&copied, &sealed);
    assert_int_equal(in_place.size, copied.size);
    assert_memory_equal(in_place.data, copied.data, copied.size);
    assert_int_equal(here.sequence, 42);
    assert_memory_equal(&here, &there, sizeof here);
    assert_int_equal(unsealed.size, line.size);
    assert_memory_equal(unsealed.line, line.data, line.size);
    assert_memory_equal(unsealed.head.hash, there.hash, DIGEST_SIZE);
    buf_fini(&in_place);
    buf_fini(&line);
    buf_fini(&copied);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_are_those_of_rfc_3720),
        cmocka_unit_test(checksum_of_much_is_that_of_its_parts),
        cmocka_unit_test(a_head_is_good_only_where_it_was_written_and_unchanged),
        cmocka_unit_test(an_admission_decodes_to_what_was_encoded),
        cmocka_unit_test(a_body_too_short_or_too_long_is_refused),
        cmocka_unit_test(a_carried_message_decodes_to_what_was_encoded),
        cmocka_unit_test(what_is_kept_and_released_decodes_to_what_was_encoded),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(a_line_is_sealed_in_its_record_as_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
