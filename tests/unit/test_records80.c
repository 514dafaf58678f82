/* 80-column records: the reader, the envelope of batches and of CAMIR, and the password that nothing may show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exchange_verdict.h"

#define ACE      "ace-transaction"
#define AES      "aes-commodity"
#define RESPONSE "cbp-response"

#define A  "A9999XXXHUSHPW011526     FT"
#define B  "B  2704XXXFT"
#define D  "10A0010101"
#define Y  "Y  2704XXXFT"
#define Z  "Z9999XXX      011526"
#define XP "B  2704XXXXP"

static char text[100000];

/* Lines, each filled up to 80 columns and followed by `end`. */
static const char *records(const char *lines, const char *end)
{
    char *to = text;
    while (*lines) {
        size_t size = strcspn(lines, "\n");
        to += sprintf(to, "%-80.*s%s", (int)size, lines, end);
        lines += size + (lines[size] == '\n');
    }
    *to = 0;
    return text;
}

/* Line by line: LF("A...", "B...") */
#define LF(...)          joined((const char *const[]){__VA_ARGS__, NULL}, "\n")
#define UNSEPARATED(...) joined((const char *const[]){__VA_ARGS__, NULL}, "")

static const char *joined(const char *const *lines, const char *end)
{
    char all[9000], *to = all;
    for (; *lines; lines++)
        to += sprintf(to, "%s\n", *lines);
    return records(all, end);
}

static void a_batch_passes_with_line_ends_or_without(void **state)
{
    (void)state;
    static const char *const lines[] = {A, B, D, Y, Z, NULL};
    expect_allowed_as(ACE, joined(lines, "\n"));
    expect_allowed_as(ACE, joined(lines, "\r\n"));
    expect_allowed_as(ACE, joined(lines, ""));
    joined(lines, "\n");
    text[strlen(text) - 1] = 0; /* nothing behind the last record */
    expect_allowed_as(ACE, text);
    expect_allowed_as(ACE, LF(A, B, D, Y, B, D, D, Y, Z));
    expect_allowed_as(ACE, LF(A, B, Y, Z));
}

static void records_are_printable_ascii(void **state)
{
    (void)state;
    static const char bytes[] = "\t\x1a\x7f\x80\xe9\x01";
    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        LF(A, B, D, Y, Z);
        text[2 * 81 + 40] = bytes[i];
        text[2 * 81 + 30] = '~'; /* the last that is printable */
        expect_denied(ACE ".character", "record 3 at byte 162: column 41 is not a printable ASCII character",
                      text);
    }
    struct verdict verdict = verdict_of_case(&(struct validator_case){.type = ACE}, A "\0", sizeof A, NULL);
    assert_string_equal(verdict.rule, ACE ".character");
}

static void records_have_80_columns(void **state)
{
    (void)state;
    LF(A, B, D, Y, Z);
    memmove(text + 100, text + 101, strlen(text + 101) + 1);
    expect_denied(ACE ".record-length", "record 2 at byte 81: has 79 columns, expected 80", text);
    LF(A, B, D, Y, Z);
    memmove(text + 101, text + 100, strlen(text + 100) + 1);
    expect_denied(ACE ".record-length", "record 2 (B) at byte 81: longer than 80 columns", text);
    LF(A, B, D, Y, Z);
    strcpy(text + strlen(text) - 2, "");
    expect_denied(ACE ".record-length", "ends behind column 79", text);
    LF(A, B, D, Y, Z);
    strcat(text, "\n");
    expect_denied(ACE ".record-length", "record 6 at byte 405: has 0 columns", text);
    UNSEPARATED(A, B, D, Y, Z);
    text[399] = 0;
    expect_denied(ACE ".record-length", "ends behind column 79", text);
    UNSEPARATED(A, B, D, Y, Z);
    text[170] = '\n';
    expect_denied(ACE ".record-length", "record 3 at byte 160: a line end in column 11", text);
    expect_denied(ACE ".record-length", "record 1 at byte 0: has 7 columns", "A9999XX\n");
    expect_denied(ACE ".record-length", "ends behind column 4", "A999");
}

static void what_follows_a_record_follows_all(void **state)
{
    (void)state;
    LF(A, B, D, Y, Z);
    memmove(text + 163, text + 162, strlen(text + 162) + 1);
    memcpy(text + 161, "\r\n", 2);
    expect_denied(ACE ".line-end", "record 2 (B) at byte 81: followed by CR, unlike record 1", text);
    joined((const char *const[]){A, B, D, Y, Z, NULL}, "\r\n");
    memmove(text + 162, text + 163, strlen(text + 163) + 1);
    expect_denied(ACE ".line-end", "followed by LF, unlike record 1", text);
    joined((const char *const[]){A, B, D, Y, Z, NULL}, "\r");
    expect_denied(ACE ".line-end", "record 1 (A) at byte 0: followed by CR without LF", text);
    joined((const char *const[]){A, B, D, Y, Z, NULL}, "\r\n");
    text[strlen(text) - 1] = 0;
    expect_denied(ACE ".line-end", "record 5 (Z) at byte 328: followed by CR without LF", text);
    UNSEPARATED(A, B, D, Y, Z);
    strcat(text, "\n");
    expect_denied(ACE ".line-end", "record 5 (Z) at byte 320: followed by LF", text);
}

static void a_batch_is_one_a_blocks_and_one_z(void **state)
{
    (void)state;
    expect_denied(ACE ".start", "expected A (80-column records)", LF(B, D, Y, Z));
    expect_denied(ACE ".start", "empty", "");
    expect_denied(ACE ".last-record", "record 4 (Y) at byte 243: the file ends here, without the end",
                  LF(A, B, D, Y));
    expect_denied(ACE ".block", "the block of record 2 has not (no Y)", LF(A, B, D, Z));
    expect_denied(ACE ".block", "the one of record 2 has not ended", LF(A, B, D, B, D, Y, Z));
    expect_denied(ACE ".block", "not begun", LF(A, Y, Z));
    expect_denied(ACE ".block", "a second batch begins", LF(A, A, B, D, Y, Z));
    expect_denied(ACE ".block", "a second batch begins", LF(A, B, A, D, Y, Z));
    expect_denied(ACE ".outside", "record 2 at byte 81: stands outside of a block", LF(A, D, B, Y, Z));
    expect_denied(ACE ".outside", "record 5", LF(A, B, D, Y, D, Z));
    expect_denied(ACE ".trailing", "record 6 at byte 405", LF(A, B, D, Y, Z, A));
    static const struct accord_pair some[] = {{"max-segments", "10"}};
    const struct validator_options *options = verdict_written(some, 1);
    assert_true(verdict_as(ACE, LF(A, B, D, D, D, D, D, D, Y, Z), options).allowed);
    expect_denied_with(options, ACE ".record-limit", "more than 10 records, at byte 810",
                       LF(A, B, D, D, D, D, D, D, D, Y, Z));
}

static void details_that_look_like_control_records_are_named(void **state)
{
    (void)state;
    expect_denied(ACE ".block", "has not ended", LF(A, B, "BD1 A DETAIL", Y, Z));
    static const struct accord_pair named[] = {{"detail-records", "AP, BD1"}};
    const struct validator_options *options = verdict_written(named, 1);
    assert_true(verdict_as(ACE, LF(A, B, "BD1 A DETAIL", "AP", Y, Z), options).allowed);
    expect_denied_with(options, ACE ".block", "a second batch", LF(A, B, "A  ", Y, Z));
    expect_denied_with(options, ACE ".filler", "column 13 is not blank",
                       LF(A, "BD1 OUTSIDE OF A BLOCK", Y, Z));
}

static void filler_is_blank(void **state)
{
    (void)state;
    static const int blank[][3] = {{0, 23, 25}, {0, 28, 37}, {0, 40, 59}, {1, 13, 44}, {1, 57, 59},
                                   {3, 2, 3},   {3, 18, 44}, {3, 47, 80}, {4, 23, 37}, {4, 40, 80}};
    for (size_t i = 0; i < sizeof blank / sizeof *blank; i++)
        for (int at = 1; at < 3; at++) {
            char expected[100];
            LF(A, B, D, Y, Z);
            char *record = text + 81 * blank[i][0];
            record[blank[i][at] - 1] = 'X';
            snprintf(expected, sizeof expected, "column %d is not blank: columns %d to %d of %c are filler",
                     blank[i][at], blank[i][1], blank[i][2], *record);
            expect_denied(ACE ".filler", expected, text);
        }
    LF(A, B, D, Y, Z);
    memset(text + 59, 'T', 21);      /* the transmitter's text */
    text[37] = text[38] = 'O';       /* the office */
    memset(text + 81 + 44, 'R', 12); /* remote preparer */
    expect_allowed_as(ACE, text);
    static const struct accord_pair none[] = {{"ace-transaction-filler", "none"}},
                                    some[] = {{"aes-commodity-filler", "B:20"}};
    text[27] = 'X';
    assert_true(verdict_as(ACE, text, verdict_written(none, 1)).allowed);
    expect_allowed_as(AES, LF("A9999XXX                 XP", XP "       X", "SC1", "Y", "Z"));
    expect_denied_with(verdict_written(some, 1), AES ".filler", "columns 20 to 20",
                       LF("A9999XXX                 XP", XP "       X", "SC1", "Y", "Z"));
}

static void z_repeats_columns_of_a_and_y_of_b(void **state)
{
    (void)state;
    expect_denied(ACE ".repeat", "record 5 (Z) at byte 324: columns 2 to 5 differ from those of the A",
                  LF(A, B, D, Y, "Z9998XXX"));
    expect_denied(ACE ".repeat", "columns 6 to 8", LF(A, B, D, Y, "Z9999XXY"));
    expect_allowed_as(ACE, LF(A, B, D, "Y  9999XXXFT", Z));
    static const struct accord_pair both[] = {{"ace-transaction-repeat", "A:2-8, A:15-20, B:4-12"}},
                                    none[] = {{"ace-transaction-repeat", "none"}};
    const struct validator_options *options = verdict_written(both, 1);
    assert_true(verdict_as(ACE, LF(A, B, D, Y, Z), options).allowed);
    expect_denied_with(options, ACE ".repeat",
                       "record 4 (Y) at byte 243: columns 4 to 12 differ from those of the B",
                       LF(A, B, D, "Y  2704XXXFX", Z));
    expect_denied_with(options, ACE ".repeat", "columns 15 to 20", LF(A, B, D, Y, "Z9999XXX      011527"));
    assert_true(verdict_as(ACE, LF(A, B, D, Y, "Z"), verdict_written(none, 1)).allowed);
}

static void senders_and_applications_are_the_agreements(void **state)
{
    (void)state;
    static const struct accord_pair own[] = {{"ace-transaction-applications", "AE, FT"},
                                             {"ace-transaction-senders", "9999XXX"}};
    assert_true(verdict_as(ACE, LF(A, B, D, Y, Z), verdict_written(own, 2)).allowed);
    static const struct accord_pair other[] = {{"ace-transaction-senders", "9999XX"}},
                                    few[] = {{"ace-transaction-applications", "AE"}},
                                    elsewhere[] = {{"ace-transaction-applications", "AE"},
                                                   {"ace-transaction-application-columns", "B:11-12"}},
                                    nowhere[] = {{"ace-transaction-applications", "AE"},
                                                 {"ace-transaction-application-columns", "none"}};
    expect_denied_with(verdict_written(other, 1), ACE ".sender", "columns 2 to 8", LF(A, B, D, Y, Z));
    expect_denied_with(verdict_written(few, 1), ACE ".application",
                       "record 1 (A) at byte 0: the application identifier in columns 26 to 27 is not on",
                       LF(A, B, D, Y, Z));
    expect_denied_with(verdict_written(elsewhere, 2), ACE ".application",
                       "record 2 (B) at byte 81: the application identifier \"FT\" in columns 11 to 12",
                       LF(A, B, D, Y, Z));
    assert_true(verdict_as(ACE, LF(A, B, D, Y, Z), verdict_written(nowhere, 2)).allowed);
}

static struct verdict incoming(const char *type, const char *file)
{
    return verdict_of_case(&(struct validator_case){.type = type, .incoming = true}, file, strlen(file),
                           NULL);
}

static void aes_files_go_out_as_xp_and_are_answered_as_xt(void **state)
{
    (void)state;
#define AES_A(id) "A9999XXX                 " id
#define AES_B(id) "B  2704XXX" id
    expect_allowed_as(AES, LF(AES_A("XP"), AES_B("XP"), "SC1", "Y", "Z"));
    expect_denied(AES ".direction",
                  "record 1 (A) at byte 0: the application identifier in columns 26 to 27 belongs",
                  LF(AES_A("XT"), AES_B("XT"), "ES1", "Y", "Z"));
    expect_denied(AES ".direction", "record 2 (B) at byte 81: the application identifier \"XT\"",
                  LF(AES_A("XP"), AES_B("XT"), "ES1", "Y", "Z"));
    expect_denied(AES ".application", "not on the agreement's list",
                  LF(AES_A("FT"), AES_B("XP"), "SC1", "Y", "Z"));
    assert_true(incoming(AES, LF(AES_A("XT"), AES_B("XT"), "ES1", "Y", "Z")).allowed);
    assert_string_equal(incoming(AES, LF(AES_A("XP"), AES_B("XP"), "SC1", "Y", "Z")).rule, AES ".direction");
    assert_string_equal(incoming(AES, LF(AES_A("FT"), AES_B("XT"), "ES1", "Y", "Z")).rule,
                        AES ".application");
    /* Elsewhere each is out of place in the direction of the other. */
    expect_denied(ACE ".direction", "belongs to the other direction", LF(A, AES_B("XT"), Y, Z));
    assert_string_equal(incoming(ACE, LF(A, AES_B("XP"), "SC1", Y, Z)).rule, ACE ".direction");
    expect_denied(RESPONSE ".direction", "belongs to the other direction",
                  LF(AES_A("XP"), AES_B("XP"), "SC1", "Y", "Z"));
    assert_string_equal(incoming(RESPONSE, LF(AES_A("XP"), AES_B("XP"), "SC1", "Y", "Z")).rule,
                        RESPONSE ".direction");
    expect_allowed_as(RESPONSE, LF(AES_A("XT"), AES_B("XT"), "ES1", "Y", "Z"));
    assert_true(incoming(RESPONSE, LF(AES_A("XT"), AES_B("XT"), "ES1", "Y", "Z")).allowed);
}

static void a_block_of_xp_files_a_shipment(void **state)
{
    (void)state;
    expect_denied(AES ".shipment",
                  "record 6 (Y) at byte 405: the block of record 5 is an XP without a shipment (SC1)",
                  LF(AES_A("XP"), AES_B("XP"), "SC1", "Y", AES_B("XP"), "Y", "Z"));
    expect_denied(AES ".shipment", "(SC1)", LF(AES_A("XP"), AES_B("XP"), "SC2", "N01", "Y", "Z"));
}

static void camir_begins_with_acr(void **state)
{
    (void)state;
    expect_allowed_as(ACE, LF("ACRABCD", "M01", "P01", "B01", "ZCR"));
    expect_allowed_as(RESPONSE, LF("ACRABCD", "R02"));
    expect_denied(ACE ".empty", "nothing behind ACR", LF("ACRABCD"));
    expect_denied(ACE ".identifier", "record 3 at byte 162", LF("ACRABCD", "M01", "M 1"));
    expect_denied(ACE ".identifier", "three capital letters or digits", LF("ACRABCD", "m01"));
    /* AES has no CAMIR: this is an A record that is followed by no block. */
    expect_denied(AES ".application", "record 1 (A)", LF("ACRABCD", "M01"));
}

static void layouts_are_the_agreements(void **state)
{
    (void)state;
    static const struct accord_pair batch[] = {{"ace-transaction-messages", "batch"}},
                                    camir[] = {{"ace-transaction-messages", "camir"}};
    /* A site whose code begins with CR. */
    assert_true(
        verdict_as(ACE, LF("ACR01XXXHUSHPW011526     FT", B, D, Y, "ZCR01XXX"), verdict_written(batch, 1))
            .allowed);
    expect_denied_with(verdict_written(batch, 1), ACE ".outside", "record 2", LF("ACRABCD", "M01"));
    expect_denied_with(verdict_written(camir, 1), ACE ".first-record",
                       "the first record is no ACR (of CAMIR)", LF(A, B, D, Y, Z));
    expect_denied(AES ".block", "", LF(AES_A("XP"), AES_A("XP")));
    expect_denied("stow-plan.start", "", LF(A, B, D, Y, Z));
}

static void opaque_takes_anything(void **state)
{
    (void)state;
    struct validator_options options = verdict_options();
    assert_int_equal(validator_kind(ACE, &options), VALIDATOR_CHECKS);
    options.ace_transaction.opaque = true;
    assert_int_equal(validator_kind(ACE, &options), VALIDATOR_OPAQUE);
    assert_int_equal(validator_kind(AES, &options), VALIDATOR_CHECKS);
    static const struct accord_pair opaque[] = {{"aes-commodity-opaque", "yes"}};
    assert_int_equal(validator_kind(AES, verdict_written(opaque, 1)), VALIDATOR_OPAQUE);
    assert_int_equal(validator_kind("opaque", &options), VALIDATOR_OPAQUE);
    assert_int_equal(validator_kind("incident-report", &options), VALIDATOR_NONE);
    assert_int_equal(validator_kind(RESPONSE, &options), VALIDATOR_CHECKS);
    assert_int_equal(validator_kind("container-status", &options), VALIDATOR_CHECKS);
}

static void a_batch_may_have_a_key(void **state)
{
    (void)state;
    assert_string_equal(verdict_as(ACE, LF(A, B, D, Y, Z), NULL).key, "");
    static const struct accord_pair key[] = {{"batch-key", "A:2-8, A:15-22"}};
    const struct validator_options *options = verdict_written(key, 1);
    assert_string_equal(verdict_as(ACE, LF(A, B, D, Y, Z), options).key, "batch:9999XXX:011526");
    assert_string_equal(verdict_as(ACE, LF("ACRABCD", "M01"), options).key, "");
}

static void expect_mistake(const char *option, const char *value, const char *part)
{
    const struct accord_pair pair = {option, value};
    char why[300] = "";
    int result = validator_check(verdict_written(&pair, 1), why, sizeof why);
    if (result != ACCORD_EINVAL || !strstr(why, part))
        fail_msg("%s = %s: %d %s", option, value, result, why);
}

static void columns_and_groups_that_are_none_are_mistakes(void **state)
{
    (void)state;
    char why[300] = "";
    struct validator_options options = verdict_options();
    assert_int_equal(validator_check(&options, why, sizeof why), 0);
    static const char *const wrong[] = {"23-25", "A23-25", "A:",     "A:0",  "A:81",    "A:25-23",
                                        "C:2",   "A:2-",   "A:2-8x", "A:-8", "A:1-100", "none, A:2"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_mistake("ace-transaction-filler", wrong[i], "ace-transaction-filler: `");
    expect_mistake("batch-key", "B:2", "expected one of A, a colon");
    expect_mistake("batch-key", "A:2-9", "columns 9 to 14 of A hold a password");
    expect_mistake("batch-key", "A:14", "password");
    expect_mistake("ace-transaction-repeat", "A:2-8, A:10-11", "password");
    expect_mistake("aes-commodity-repeat", "Z:2-8", "aes-commodity-repeat");
    expect_mistake("cbp-response-application-columns", "A:12-13", "password");
    expect_mistake("aes-commodity-application-columns", "Y:12-13", "aes-commodity-application-columns");
    expect_mistake("x12-groups", "315", "expected a group's code and a set");
    expect_mistake("x12-groups", "QO 315", "expected a group's code and a set");
    static const struct accord_pair good[] = {{"batch-key", "A:1-8, A:15-80"},
                                              {"ace-transaction-filler", "none"}};
    assert_int_equal(validator_check(verdict_written(good, 2), why, sizeof why), 0);
}

static void expect_no_password(const char *type, const char *file, const struct validator_options *options)
{
    struct verdict verdict = verdict_as(type, file, options);
    for (size_t from = 0; from + 3 <= strlen("HUSHPW"); from++) {
        char piece[4] = {0};
        memcpy(piece, "HUSHPW" + from, 3);
        if (strstr(verdict.reason, piece) || strstr(verdict.key, piece) || strstr(verdict.rule, piece))
            fail_msg("%s: %s, key %s", verdict.rule, verdict.reason, verdict.key);
    }
}

/* Columns 9 to 14 of A: whole files with each byte of the first record changed, taken out, or put in. */
static void no_reason_and_no_key_shows_the_password(void **state)
{
    (void)state;
    static const struct accord_pair strict[] = {{"ace-transaction-applications", "QQ"},
                                                {"batch-key", "A:2-8, A:15-22"},
                                                {"aes-commodity-applications", "QQ"}};
    static const char *const types[] = {ACE, AES, RESPONSE, "container-status"};
    static const char bytes[] = "A \n\x01ZQ";
    const struct validator_options *options = verdict_written(strict, 3);
    struct validator_options defaults = verdict_options();
    for (size_t t = 0; t < 4; t++)
        for (size_t i = 0; i < sizeof bytes - 1; i++)
            for (size_t at = 0; at < 30; at++)
                for (int way = 0; way < 3; way++) {
                    way == 2 ? UNSEPARATED(A, B, D, Y, Z) : LF(A, B, D, Y, Z);
                    if (way == 0)
                        text[at] = bytes[i];
                    else
                        memmove(text + at + (i % 2), text + at + !(i % 2), strlen(text + at + !(i % 2)) + 1);
                    expect_no_password(types[t], text, &defaults);
                    expect_no_password(types[t], text, options);
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_passes_with_line_ends_or_without),
        cmocka_unit_test(records_are_printable_ascii),
        cmocka_unit_test(records_have_80_columns),
        cmocka_unit_test(what_follows_a_record_follows_all),
        cmocka_unit_test(a_batch_is_one_a_blocks_and_one_z),
        cmocka_unit_test(details_that_look_like_control_records_are_named),
        cmocka_unit_test(filler_is_blank),
        cmocka_unit_test(z_repeats_columns_of_a_and_y_of_b),
        cmocka_unit_test(senders_and_applications_are_the_agreements),
        cmocka_unit_test(aes_files_go_out_as_xp_and_are_answered_as_xt),
        cmocka_unit_test(a_block_of_xp_files_a_shipment),
        cmocka_unit_test(camir_begins_with_acr),
        cmocka_unit_test(layouts_are_the_agreements),
        cmocka_unit_test(opaque_takes_anything),
        cmocka_unit_test(a_batch_may_have_a_key),
        cmocka_unit_test(columns_and_groups_that_are_none_are_mistakes),
        cmocka_unit_test(no_reason_and_no_key_shows_the_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
