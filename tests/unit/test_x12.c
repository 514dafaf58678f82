/* The X12 reader and its envelope rules. Every text is fed whole and cut in several ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exchange_verdict.h"
#include "policies/content/edi_references.h"

#define ISA_WITH(sender, usage)                                                                              \
    "ISA*00*          *00*          *ZZ*" sender                                                             \
    "*ZZ*USCBP          *260115*1200*U*00401*000000007*0*" usage "*>~"
#define ISA      ISA_WITH("ACME           ", "P")
#define GS       "GS*QO*ACME*USCBP*20260115*1200*1*X*004010~"
#define ST       "ST*315*0001~"
#define B4       "B4***VA*20260115*0807**ABCU*123456*L**NEW YORK*CI~"
#define R4       "R4*L*UN*USNYC~"
#define BODY     B4 R4 /* four segments with ST and SE */
#define SE       "SE*4*0001~"
#define GE       "GE*1*1~"
#define IEA      "IEA*1*000000007~"
#define WHOLE    ISA GS ST BODY SE GE IEA
#define TYPE     "container-status"
#define PADDED   "          " /* ISA02 and ISA04 */
#define TAIL_ISA "*260115*1200*U*00401*000000007*0*P*>~"

static void allowed(const char *text)
{
    expect_allowed_as(TYPE, text);
}

static void a_whole_interchange_passes_and_gives_its_control_number(void **state)
{
    (void)state;
    assert_int_equal(strlen(ISA), 106);
    struct verdict verdict = verdict_as(TYPE, WHOLE, NULL);
    assert_string_equal(verdict.reason, "");
    assert_true(verdict.allowed);
    assert_string_equal(verdict.key, "x12:ACME:000000007");
    allowed(ISA "\r\n" GS "\n\n" ST BODY "\r\n" SE GE "\n" IEA "\r\n \n");
    allowed(ISA GS ST BODY "SE*0004*0001~" GE IEA);
}

/* WHOLE with other separators in the places of *, > and ~. */
static char *separated(char element, char component, const char *terminator)
{
    static char text[2048];
    char *to = text;
    for (const char *from = WHOLE; *from; from++)
        if (*from == '~')
            to = stpcpy(to, terminator);
        else
            *to++ = *from == '*' ? element : *from == '>' ? component : *from;
    *to = 0;
    return text;
}

static void the_isa_gives_the_separators(void **state)
{
    (void)state;
    allowed(separated('|', ':', "'"));
    allowed(separated('\x1d', '\x1f', "\x1c"));
    allowed(separated('*', '~', "\r\n"));
    allowed(separated('*', '~', "\n"));
    allowed(separated('*', '~', "\r"));
    expect_denied(TYPE ".isa-separator", "both elements and components", separated(0x2a, 0x2a, "~"));
}

static char *changed(size_t at, char to)
{
    static char text[sizeof WHOLE];
    memcpy(text, WHOLE, sizeof WHOLE);
    text[at] = to;
    return text;
}

static void separators_are_distinct_and_no_letters_or_digits(void **state)
{
    (void)state;
    expect_denied(TYPE ".isa-separator", "the component separator is 0x41", changed(104, 'A'));
    expect_denied(TYPE ".isa-separator", "the component separator is 0x20", changed(104, ' '));
    expect_denied(TYPE ".isa-separator", "the component separator is 0x0a", changed(104, '\n'));
    expect_denied(TYPE ".isa-separator", "the segment separator is 0x37", changed(105, '7'));
    expect_denied(TYPE ".isa-separator", "separates both components and segments", changed(105, '>'));
    for (const char *c = "09AZaz\x7f\x80\r"; *c; c++)
        expect_denied(TYPE ".isa-separator", "the component separator is 0x", changed(104, *c));
    for (const char *c = "/:@[`{|\x01!"; *c; c++)
        allowed(changed(104, *c));
    struct validator_case the_case = {.type = TYPE};
    assert_string_equal(verdict_of_case(&the_case, changed(104, 0), sizeof WHOLE - 1, NULL).rule,
                        TYPE ".isa-separator");
    /* From 00402 on ISA11 separates repetitions; U says that there are none. */
    allowed(changed(82, '^'));
    expect_denied(TYPE ".isa-separator", "separates both components and repetitions", changed(82, '>'));
    expect_denied(TYPE ".isa-separator", "the repetition separator is 0x20", changed(82, ' '));
}

static void the_isa_has_sixteen_elements_of_fixed_widths(void **state)
{
    (void)state;
    expect_denied(TYPE ".isa-length", "byte 6 of it is no element separator", changed(6, '0'));
    expect_denied(TYPE ".isa-length", "byte 103 of it is no element separator", changed(103, '0'));
    expect_denied(TYPE ".isa-length", "in the middle of element ISA02", changed(9, '*'));
    expect_denied(TYPE ".isa-length", "in the middle of element ISA15", changed(102, 0x2a));
    expect_denied(TYPE ".isa-length", "within the ISA, which has 106", "ISA*00*" PADDED "*00");
    expect_denied(TYPE ".isa-length", "in the middle of element ISA06",
                  ISA_WITH("ACME", "P") GS ST BODY SE GE IEA);
    expect_denied(TYPE ".isa-character", "byte 21 of it is not printable", changed(21, '\n'));
    expect_denied(TYPE ".isa-character", "byte 21 of it is not printable", changed(21, '\x7f'));
}

static void the_isa_says_when_which_and_whether_it_is_a_test(void **state)
{
    (void)state;
#define HEAD "ISA*00*" PADDED "*00*" PADDED "*ZZ*ACME           *ZZ*USCBP          "
    expect_denied(TYPE ".isa-time", "\"261315\"", HEAD "*261315*1200*U*00401*000000007*0*P*>~");
    expect_denied(TYPE ".isa-time", "\"2460\"", HEAD "*260115*2460*U*00401*000000007*0*P*>~");
    static const char *const wrong[] = {"260001*1200", "260100*1200", "260132*1200",
                                        "2601A5*1200", "260115*2400", "260115*1260",
                                        "260115*12A0", "26 115*1200", "260115*120 "};
    static const char *const right[] = {"260101*0000", "261231*2359", "261001*1959"};
    char text[1024];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(text, sizeof text, HEAD "*%s*U*00401*000000007*0*P*>~" GS, wrong[i]);
        expect_denied(TYPE ".isa-time", "expected YYMMDD and HHMM", text);
    }
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        snprintf(text, sizeof text, HEAD "*%s*U*00401*000000007*0*P*>~" GS ST BODY SE GE IEA, right[i]);
        allowed(text);
    }
    expect_denied(TYPE ".isa-version", "\"0040A\"", HEAD "*260115*1200*U*0040A*000000007*0*P*>~");
    expect_denied(TYPE ".isa-reference", "\"00000000A\"", HEAD "*260115*1200*U*00401*00000000A*0*P*>~");
    expect_denied(TYPE ".test-indicator", "marked as a test (ISA15 is T)",
                  ISA_WITH("ACME           ", "T") GS ST BODY SE GE IEA);
    expect_denied(TYPE ".test-indicator", "neither P", ISA_WITH("ACME           ", "I") GS);
    struct validator_options options = verdict_options();
    options.allow_test_indicator = true;
    assert_true(verdict_as(TYPE, ISA_WITH("ACME           ", "T") GS ST BODY SE GE IEA, &options).allowed);
    expect_denied_with(&options, TYPE ".test-indicator", "neither P", ISA_WITH("ACME           ", "I") GS);
}

static void parties_are_the_agreements(void **state)
{
    (void)state;
    static const char *const ours[] = {"ACME:ZZ", "ACMEAPP"}, *const theirs[] = {"USCBP"};
    struct validator_options options = verdict_options();
    options.container_status.senders = (struct accord_list){ours, 2};
    options.container_status.recipients = (struct accord_list){theirs, 1};
    assert_true(verdict_as(TYPE, WHOLE, &options).allowed);
#define GROUP(sender, recipient)                                                                             \
    ISA "GS*QO*" sender "*" recipient "*20260115*1200*1*X*004010~" ST BODY SE GE IEA
    assert_true(verdict_as(TYPE, GROUP("ACMEAPP", "USCBP"), &options).allowed);
    expect_denied_with(&options, TYPE ".sender", "segment 2 (GS) at byte 106: the sender is \"OTHER\"",
                       GROUP("OTHER", "USCBP"));
    expect_denied_with(&options, TYPE ".recipient", "segment 2 (GS)", GROUP("ACME", "OTHER"));
    expect_denied_with(&options, TYPE ".sender",
                       "segment 1 (ISA) at byte 0: the sender is \"ACMF\", qualifier \"ZZ\"",
                       ISA_WITH("ACMF           ", "P") GS);
    expect_denied_with(&options, TYPE ".sender", "qualifier \"01\"",
                       "ISA*00*" PADDED "*00*" PADDED "*01*ACME           *ZZ*USCBP          " TAIL_ISA);
    expect_denied_with(&options, TYPE ".recipient", "segment 1 (ISA)",
                       "ISA*00*" PADDED "*00*" PADDED "*ZZ*ACME           *ZZ*CBSA           " TAIL_ISA);
    expect_denied(TYPE ".sender", "names no sender", ISA_WITH("               ", "P") GS);
    expect_denied(TYPE ".recipient", "names no recipient", GROUP("ACME", ""));
}

static void segments_are_counted(void **state)
{
    (void)state;
    expect_denied(TYPE ".se-count", "segment 6 (SE) at byte 224: says 5 segments, has 4",
                  ISA GS ST BODY "SE*5*0001~" GE IEA);
    expect_denied(TYPE ".se-count", "says \"\"", ISA GS ST BODY "SE**0001~" GE IEA);
    expect_denied(TYPE ".se-count", "up to 10 digits", ISA GS ST BODY "SE*00000000004*0001~" GE IEA);
    expect_denied(TYPE ".ge-count", "says 2 transaction sets, has 1", ISA GS ST BODY SE "GE*2*1~" IEA);
    expect_denied(TYPE ".iea-count", "says 2 groups, has 1", ISA GS ST BODY SE GE "IEA*2*000000007~");
    allowed(ISA GS ST BODY SE GE GS ST BODY SE GE "IEA*2*000000007~");
    expect_denied(TYPE ".ge-count", "says 2 transaction sets, has 1",
                  ISA GS ST BODY SE "ST*315*0002~" BODY "SE*4*0002~GE*2*1~" GS ST BODY SE
                                    "GE*2*1~IEA*2*000000007~");
}

static void control_numbers_match(void **state)
{
    (void)state;
    expect_denied(TYPE ".se-reference", "refers to \"0002\", but the ST that it ends says \"0001\"",
                  ISA GS ST BODY "SE*4*0002~" GE IEA);
    expect_denied(TYPE ".ge-reference", "refers to \"2\", but the GS", ISA GS ST BODY SE "GE*1*2~" IEA);
    expect_denied(TYPE ".iea-reference", "refers to \"7\", but the ISA", ISA GS ST BODY SE GE "IEA*1*7~");
    expect_denied(TYPE ".st-reference", "message 2 has the reference of message 1",
                  ISA GS ST BODY SE ST BODY SE "GE*2*1~" IEA);
    expect_denied(TYPE ".st-reference", "four to nine characters", ISA GS "ST*315*001~");
    expect_denied(TYPE ".st-reference", "four to nine characters", ISA GS "ST*315*0000000001~");
    expect_denied(TYPE ".st-reference", "four to nine characters", ISA GS "ST*315* 001~");
    allowed(ISA GS "ST*315*123456789~" BODY "SE*4*123456789~" GE IEA);
    expect_denied(TYPE ".gs-reference", "\"1A\"", ISA "GS*QO*ACME*USCBP*20260115*1200*1A*X*004010~");
}

static void groups_hold_the_sets_of_their_code(void **state)
{
    (void)state;
    expect_denied(TYPE ".group-code", "a 315 stands in a group \"SO\" (GS01), expected QO",
                  ISA "GS*SO*ACME*USCBP*20260115*1200*1*X*004010~" ST);
    expect_denied(TYPE ".group-code", "expected two characters",
                  ISA "GS*Q*ACME*USCBP*20260115*1200*1*X*004010~");
    static const char *const one[] = {"SO:322"};
    struct validator_options options = verdict_options();
    options.x12_groups = (struct accord_list){one, 1};
    expect_denied_with(&options, TYPE ".group-code",
                       "x12-groups does not say in which group (GS01) a 315 stands", WHOLE);
}

static void sets_and_versions_are_the_agreements(void **state)
{
    (void)state;
    expect_denied(TYPE ".type", "\"214\", expected 315, 322", ISA GS "ST*214*0001~");
    expect_denied(TYPE ".type", "not a set of three digits", ISA GS "ST*TA1*0001~");
    static const char *const one[] = {"005010"};
    struct validator_options options = verdict_options();
    options.container_status.versions = (struct accord_list){one, 1};
    expect_denied_with(&options, TYPE ".version", "315 version \"004010\"", WHOLE);
#define OF(version) ISA "GS*QO*ACME*USCBP*20260115*1200*1*X*" version "~" ST BODY SE GE IEA
    assert_true(verdict_as(TYPE, OF("005010"), &options).allowed);
    assert_true(verdict_as(TYPE, OF("005010X231"), &options).allowed);
    assert_false(verdict_as(TYPE, OF("0050101"), &options).allowed);
}

static void segments_nest(void **state)
{
    (void)state;
    expect_denied(TYPE ".nested-isa", "second interchange inside", ISA GS ISA);
    expect_denied(TYPE ".nested-gs", "before the group before it has ended", ISA GS GS);
    expect_denied(TYPE ".nested-gs", "before the transaction set has ended", ISA GS ST GS);
    expect_denied(TYPE ".nested-st", "the one of segment 3 has not ended", ISA GS ST BODY ST);
    expect_denied(TYPE ".outside", "outside of any group", ISA ST);
    expect_denied(TYPE ".outside", "outside of a transaction set", ISA GS B4);
    expect_denied(TYPE ".outside", "outside of a transaction set", ISA GS ST BODY SE GE B4);
    expect_denied(TYPE ".se", "not begun", ISA GS SE);
    expect_denied(TYPE ".ge", "not begun", ISA GE);
    expect_denied(TYPE ".ge", "no SE", ISA GS ST BODY GE);
    expect_denied(TYPE ".ge", "no GE", ISA GS ST BODY SE IEA);
    expect_denied(TYPE ".se", "no SE", ISA GS ST BODY IEA);
    expect_denied(TYPE ".no-iea", "segment 7 (GE) at byte 234: the file ends here, at byte 241",
                  ISA GS ST BODY SE GE);
    expect_denied(TYPE ".no-iea", "segment 1 (ISA)", ISA);
    expect_denied(TYPE ".segment-end", "in the middle of the segment",
                  ISA GS ST BODY SE GE "IEA*1*000000007");
    expect_denied(TYPE ".no-message", "without a group", ISA "IEA*0*000000007~");
    expect_denied(TYPE ".trailing", "one file holds one interchange", WHOLE WHOLE);
    expect_denied(TYPE ".trailing", "one file holds one interchange", WHOLE "\n" WHOLE);
    expect_denied(TYPE ".binary", "binary data", ISA GS ST "BIN*4*ABCD~");
    expect_denied(TYPE ".binary", "binary data", ISA GS ST "BDS*ASB*4*ABCD~");
}

static void tags_are_two_or_three_letters_or_digits(void **state)
{
    (void)state;
    expect_denied(TYPE ".tag", "is \"b4\"", ISA GS ST "b4***VA~");
    expect_denied(TYPE ".tag", "is \"B\"", ISA GS ST "B***VA~");
    expect_denied(TYPE ".tag", "is \"B400\"", ISA GS ST "B400***VA~");
    expect_denied(TYPE ".tag", "is \"4B\"", ISA GS ST "4B***VA~");
    expect_denied(TYPE ".tag", "is \"\"", ISA GS ST "~");
    expect_denied(TYPE ".tag", "is \"B4\"", ISA GS ST "B4>1***VA~");
}

static void line_ends_stand_between_segments_only_behind_a_printable_terminator(void **state)
{
    (void)state;
    expect_denied(TYPE ".control-character", "0x0a", ISA GS ST "B4***V\nA~");
    expect_denied(TYPE ".control-character", "0x0d", ISA GS ST "B4***VA\r~");
    char text[1024];
    assert_true(snprintf(text, sizeof text, "%s", separated('*', '>', "\x1c")) < (int)sizeof text - 1);
    memmove(text + 107, text + 106, strlen(text + 106) + 1);
    text[106] = '\n';
    expect_denied(TYPE ".line-end", "segments, which end with 0x1c", text);
    text[106] = '\r';
    expect_denied(TYPE ".line-end", "segments, which end with 0x1c", text);
    expect_denied(TYPE ".line-end", "end with 0x0a", separated('*', '>', "\n\r"));
    expect_denied(TYPE ".line-end", "end with 0x0d", separated('*', '>', "\r\n\n"));
}

static void the_last_line_may_end_with_the_file(void **state)
{
    (void)state;
    char *text = separated('*', '>', "\r\n");
    text[strlen(text) - 2] = 0;
    allowed(text);
    text[strlen(text) - 1] = 'X';
    expect_denied(TYPE ".iea-reference", "refers to \"00000000X\"", text);
    text[strlen(text) - strlen("\r\nIEA*1*000000007")] = 0;
    expect_denied(TYPE ".no-iea", "segment 7 (GE)", text);
    text = separated('*', '>', "~");
    text[strlen(text) - 1] = 0;
    expect_denied(TYPE ".segment-end", "in the middle of the segment", text);
}

static void segments_may_be_indented_unless_the_agreement_says_no(void **state)
{
    (void)state;
    const char *indented = ISA "\n  " GS "\n    " ST "\n      " BODY SE GE IEA;
    allowed(indented);
    allowed(separated('*', '>', "\r\n  "));
    struct validator_options options = verdict_options();
    options.allow_indent = false;
    expect_denied_with(&options, TYPE ".indent", "byte 107: a space", indented);
    assert_true(verdict_as(TYPE, WHOLE "\n \n", &options).allowed);
}

static char *repeat(const char *head, const char *text, size_t times, const char *tail)
{
    char *made = malloc(strlen(head) + times * strlen(text) + strlen(tail) + 1), *end = stpcpy(made, head);
    for (size_t i = 0; i < times; i++)
        end = stpcpy(end, text);
    strcpy(end, tail);
    return made;
}

static void segments_and_sets_have_limits(void **state)
{
    (void)state;
    char *text = repeat(ISA GS ST BODY "K1*", "X", EDI_SEGMENT_MAX - 4, "~SE*5*0001~" GE IEA);
    allowed(text);
    free(text);
    text = repeat(ISA GS ST BODY "K1*", "X", EDI_SEGMENT_MAX - 3, "~SE*5*0001~" GE IEA);
    expect_denied(TYPE ".segment-length", "segment 6 (K1)", text);
    free(text);
    text = repeat(ISA GS ST BODY "K1", "*", EDI_ELEMENTS_MAX, "~SE*5*0001~" GE IEA);
    expect_denied(TYPE ".element-limit", "more than 64 elements", text);
    free(text);
    struct validator_options options = verdict_options();
    options.max_segments = 10;
    text = repeat(ISA GS ST BODY, "K1*A~", 5, "");
    expect_denied_with(&options, TYPE ".no-iea", "", text);
    free(text);
    text = repeat(ISA GS ST BODY, "K1*A~", 6, "");
    expect_denied_with(&options, TYPE ".segment-limit", "more than 10 segments", text);
    free(text);
    text = malloc((EDI_MESSAGES_MAX + 1) * 100 + 500);
    char *end = stpcpy(text, ISA GS);
    for (int i = 1; i <= EDI_MESSAGES_MAX + 1; i++)
        end += sprintf(end, "ST*315*%05d~" BODY "SE*4*%05d~", i, i);
    expect_denied(TYPE ".message-limit", "more than 10000 messages", text);
    free(text);
}

static void a_byte_order_mark_passes_by_option(void **state)
{
    (void)state;
    expect_denied(TYPE ".bom", "allow-bom", "\xef\xbb\xbf" WHOLE);
    struct validator_options options = verdict_options();
    options.allow_bom = true;
    assert_true(verdict_as(TYPE, "\xef\xbb\xbf" WHOLE, &options).allowed);
    expect_denied_with(&options, TYPE ".start", "begins with byte 0xef", "\xef\x01\x02" WHOLE);
    expect_denied_with(&options, TYPE ".outside", "segment 2 (B4) at byte 109", "\xef\xbb\xbf" ISA B4);
    expect_denied_with(&options, TYPE ".start", "expected UNA or UNB (EDIFACT), or ISA (X12)",
                       "\xef\xbb\xbf"
                       "ABC");
}

static void what_is_no_interchange_is_refused_at_its_first_bytes(void **state)
{
    (void)state;
    expect_denied(TYPE ".start", "begins with \"PK?\", expected UNA or UNB (EDIFACT), or ISA (X12)",
                  "PK\x03\x04");
    expect_denied(TYPE ".start", "empty", "");
    expect_denied(TYPE ".start", "ends after 2 bytes", "IS");
    expect_denied("stow-plan.start", "begins with \"ISA\"", WHOLE);
}

/* ISA02 and ISA04 are an authorisation and a password; ISA04 with every fault that the ISA can have. */
static void no_reason_shows_the_security_information(void **state)
{
    (void)state;
#define SECRET "ISA*03*AUTHSECRET*01*PASSSECRET*ZZ*ACME           *ZZ*USCBP          " TAIL_ISA
    static const char bytes[] = "*~A \n\x01";
    for (size_t at = 3; at < 106; at++)
        for (size_t i = 0; i < sizeof bytes - 1; i++) {
            char text[] = SECRET GS ST;
            text[at] = bytes[i];
            struct verdict verdict = verdict_as(TYPE, text, NULL);
            assert_null(strstr(verdict.reason, "SECRET"));
            assert_null(strstr(verdict.key, "SECRET"));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_interchange_passes_and_gives_its_control_number),
        cmocka_unit_test(the_isa_gives_the_separators),
        cmocka_unit_test(separators_are_distinct_and_no_letters_or_digits),
        cmocka_unit_test(the_isa_has_sixteen_elements_of_fixed_widths),
        cmocka_unit_test(the_isa_says_when_which_and_whether_it_is_a_test),
        cmocka_unit_test(parties_are_the_agreements),
        cmocka_unit_test(segments_are_counted),
        cmocka_unit_test(control_numbers_match),
        cmocka_unit_test(groups_hold_the_sets_of_their_code),
        cmocka_unit_test(sets_and_versions_are_the_agreements),
        cmocka_unit_test(segments_nest),
        cmocka_unit_test(tags_are_two_or_three_letters_or_digits),
        cmocka_unit_test(line_ends_stand_between_segments_only_behind_a_printable_terminator),
        cmocka_unit_test(the_last_line_may_end_with_the_file),
        cmocka_unit_test(segments_may_be_indented_unless_the_agreement_says_no),
        cmocka_unit_test(segments_and_sets_have_limits),
        cmocka_unit_test(a_byte_order_mark_passes_by_option),
        cmocka_unit_test(what_is_no_interchange_is_refused_at_its_first_bytes),
        cmocka_unit_test(no_reason_shows_the_security_information),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
