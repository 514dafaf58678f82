/* The EDIFACT reader and the envelope rules. Every text is fed whole and cut in several ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exchange_verdict.h"
#include "policies/content/edi_references.h"

#define UNB   "UNB+UNOA:2+ACME+USCBP+260115:1200+C1'"
#define UNH   "UNH+1+BAPLIE:D:95B:UN:SMDG20'"
#define TDT   "TDT+20+601W+++XAR:172:20+++9999993:146::MV X'"
#define SLOT  "LOC+147+0010102::5'"
#define BODY  TDT SLOT /* four segments with UNH and UNT */
#define UNT   "UNT+4+1'"
#define UNZ   "UNZ+1+C1'"
#define WHOLE UNB UNH BODY UNT UNZ

static void a_whole_interchange_passes_and_gives_its_control_reference(void **state)
{
    (void)state;
    struct verdict verdict = verdict_of_text(WHOLE, NULL);
    assert_true(verdict.allowed);
    assert_string_equal(verdict.key, "edifact:ACME:C1");
    expect_allowed(UNB "\r\n" UNH "\n\n" BODY "\r\n" UNT "\n" UNZ "\r\n \n");
    expect_allowed(UNB UNH BODY "UNT+000004+1'" UNZ);
}

static void una_gives_the_separators(void **state)
{
    (void)state;
    expect_allowed("UNA:+.? '" WHOLE);
    expect_allowed("UNA:+,? '\r\n" WHOLE);
    expect_allowed("UNA|*.\\ ~UNB*UNOA|2*ACME*USCBP*260115|1200*C1~UNH*1*BAPLIE|D|95B|UN~"
                   "TDT*20*6'1+***XAR***9|||A\\~B~LOC*147*0010102||5~UNT*4*1~UNZ*1*C1~");
    expect_denied("stow-plan.una", "used twice", "UNA++.? '" WHOLE);
    expect_denied("stow-plan.una", "not a punctuation mark", "UNAA+.? '" WHOLE);
    expect_denied("stow-plan.una", "decimal mark", "UNA:+x? '" WHOLE);
    expect_denied("stow-plan.start", "ends after 5 bytes", "UNA:+");
    expect_denied("stow-plan.start", "before the first segment", "UNA:+.? '\n");
    expect_denied("stow-plan.start", "expected UNB", "UNA:+.? '" UNH);
}

static void a_released_separator_is_data(void **state)
{
    (void)state;
    expect_allowed(UNB UNH "TDT+20+6?'1??+++XAR+++9?+9:::?:'" SLOT UNT UNZ);
    expect_denied("stow-plan.unt-count", "says 5 segments, has 4",
                  UNB UNH "TDT+20+6?'FTX?+1++++++9'" SLOT "UNT+5+1'" UNZ);
    /* "??'" ends the segment, "???'" does not. */
    expect_allowed(UNB UNH "TDT+20+601W++++++9?\?'" SLOT UNT UNZ);
    expect_denied("stow-plan.unt-count", "has 3", UNB UNH "TDT+20+601W++++++9?\?\?'" SLOT UNT UNZ);
    /* UNA may say that there is no release character: then a space is no such thing, and ? is data. */
    expect_allowed("UNA:+.  '" UNB UNH "TDT+20+601 ++++++9?'" SLOT UNT UNZ);
    expect_allowed("UNA:+.  '" UNB UNH "TDT+20+601W++++++9 '" SLOT UNT UNZ);
}

static void tags_are_three_capital_letters(void **state)
{
    (void)state;
    expect_denied("stow-plan.tag", "is \"bgm\"", UNB UNH "bgm+1'" BODY UNT UNZ);
    expect_denied("stow-plan.tag", "is \"BG\"", UNB UNH "BG+1'" BODY UNT UNZ);
    expect_denied("stow-plan.tag", "is \"\"", UNB UNH "'" BODY UNT UNZ);
    expect_denied("stow-plan.tag", "is \"BGMM\"", UNB UNH "BGMM'" BODY UNT UNZ);
    expect_denied("stow-plan.tag", "nesting", UNB UNH "BGM:1+1'" BODY UNT UNZ);
    expect_denied("stow-plan.tag", "release", UNB UNH "B?GM+1'" BODY UNT UNZ);
    expect_denied("stow-plan.tag", "is \" BGM\"", UNB UNH " BGM+1'" BODY UNT UNZ);
}

static void line_ends_and_control_characters_may_not_stand_in_segments(void **state)
{
    (void)state;
    expect_denied("stow-plan.control-character", "0x0a at byte 75", UNB UNH "BGM+12345\n67'" BODY UNT UNZ);
    expect_denied("stow-plan.control-character", "0x1b", UNB UNH "BGM+\x1b[2J'" BODY UNT UNZ);
    struct verdict verdict = verdict_of(WHOLE "\0", sizeof WHOLE, NULL);
    assert_string_equal(verdict.rule, "stow-plan.trailing");
    expect_denied("stow-plan.character-set", "0x7f", UNB UNH "FTX+\xc3\x89'" BODY UNT UNZ);
    expect_allowed("UNB+UNOC:3+ACME+USCBP+260115:1200+C1'" UNH "FTX+\xc9'" TDT SLOT "UNT+5+1'" UNZ);
}

static char *repeat(const char *head, const char *text, size_t times, const char *tail)
{
    char *made = malloc(strlen(head) + times * strlen(text) + strlen(tail) + 1), *end = stpcpy(made, head);
    for (size_t i = 0; i < times; i++)
        end = stpcpy(end, text);
    strcpy(end, tail);
    return made;
}

static void segments_have_limits(void **state)
{
    (void)state;
    char *text = repeat(UNB UNH "FTX+", "X", EDI_SEGMENT_MAX - 5, "'" BODY "UNT+5+1'" UNZ);
    expect_allowed(text);
    free(text);
    text = repeat(UNB UNH "FTX+", "X", EDI_SEGMENT_MAX - 4, "'" BODY "UNT+5+1'" UNZ);
    expect_denied("stow-plan.segment-length", "segment 3 (FTX) at byte 66: longer than 4096", text);
    free(text);
    text = repeat(UNB UNH "FTX", "+", EDI_ELEMENTS_MAX - 1, "'" BODY "UNT+5+1'" UNZ);
    expect_allowed(text);
    free(text);
    text = repeat(UNB UNH "FTX", "+", EDI_ELEMENTS_MAX, "'" BODY "UNT+5+1'" UNZ);
    expect_denied("stow-plan.element-limit", "more than 64 elements", text);
    free(text);
    text = repeat(UNB UNH "FTX+", ":", EDI_PARTS_MAX - 1, "'" BODY "UNT+5+1'" UNZ);
    expect_denied("stow-plan.element-limit", "more than 256 components", text);
    free(text);
}

static void endless_segments_end_at_the_limit(void **state)
{
    (void)state;
    struct validator_options options = verdict_options();
    options.max_segments = 100;
    char *text = repeat(UNB UNH BODY, "FTX+A'", 96, "");
    assert_string_equal(verdict_of_text(text, &options).rule, "stow-plan.no-unz");
    free(text);
    text = repeat(UNB UNH BODY, "FTX+A'", 97, "");
    assert_string_equal(verdict_of_text(text, &options).rule, "stow-plan.segment-limit");
    free(text);
}

static void what_is_not_edifact_is_refused_at_its_first_bytes(void **state)
{
    (void)state;
    expect_denied("stow-plan.start", "empty", "");
    expect_denied("stow-plan.start", "begins with \"PK?\"", "PK\x03\x04");
    expect_denied("stow-plan.start", "begins with \"<?x\"", "<?xml version='1.0'?>");
    expect_denied("stow-plan.start", "begins with \" UN\"", " " WHOLE);
    expect_denied("stow-plan.start", "before the first segment", "UN");
    expect_denied("stow-plan.bom", "allow-bom", "\xef\xbb\xbf" WHOLE);
    struct validator_options options = verdict_options();
    options.allow_bom = true;
    assert_true(verdict_of_text("\xef\xbb\xbf" WHOLE, &options).allowed);
    assert_string_equal(verdict_of_text("\xef\xbb\xbf\xef\xbb\xbf" WHOLE, &options).rule, "stow-plan.start");
    assert_string_equal(verdict_of_text("\xef\xbb" WHOLE, &options).rule, "stow-plan.start");
}

static void counts_must_be_right(void **state)
{
    (void)state;
    expect_denied("stow-plan.unt-count", "segment 5 (UNT) at byte 130: says 1200 segments, has 4",
                  UNB UNH BODY "UNT+1200+1'" UNZ);
    expect_denied("stow-plan.unt-count", "says \"\"", UNB UNH BODY "UNT++1'" UNZ);
    expect_denied("stow-plan.unt-count", "says \"0000004\"", UNB UNH BODY "UNT+0000004+1'" UNZ);
    expect_denied("stow-plan.unt-count", "says \"-4\"", UNB UNH BODY "UNT+-4+1'" UNZ);
    expect_denied("stow-plan.unz-count", "says 2 messages, has 1", UNB UNH BODY UNT "UNZ+2+C1'");
    expect_denied("stow-plan.no-message", "without a message", UNB "UNZ+0+C1'");
}

static void references_must_match(void **state)
{
    (void)state;
    expect_denied("stow-plan.unt-reference", "refers to \"2\", but the UNH that it ends says \"1\"",
                  UNB UNH BODY "UNT+4+2'" UNZ);
    expect_denied("stow-plan.unz-reference", "refers to \"C2\"", UNB UNH BODY UNT "UNZ+1+C2'");
    expect_denied("stow-plan.unz-reference", "refers to \"\"", UNB UNH BODY UNT "UNZ+1'");
    expect_denied("stow-plan.unh-reference", "message 2 has the reference of message 1",
                  UNB UNH BODY UNT UNH BODY UNT "UNZ+2+C1'");
    expect_denied("stow-plan.unh-reference", "1 to 14", UNB "UNH+123456789012345+BAPLIE:D:95B'");
    expect_allowed(UNB UNH BODY UNT "UNH+2+BAPLIE:D:95B:UN'" BODY "UNT+4+2'"
                                    "UNZ+2+C1'");
}

static void segments_must_nest(void **state)
{
    (void)state;
    expect_denied("stow-plan.nested-unh", "the one of segment 2 has not ended", UNB UNH BODY UNH);
    expect_denied("stow-plan.nested-unb", "second interchange", UNB UNH BODY UNB);
    expect_denied("stow-plan.unt", "not begun", UNB UNT);
    expect_denied("stow-plan.unt", "no UNT", UNB UNH BODY UNZ);
    expect_denied("stow-plan.outside", "outside of a message", UNB "BGM+1'");
    expect_denied("stow-plan.outside", "outside of a message", UNB UNH BODY UNT "BGM+1'" UNZ);
    expect_denied("stow-plan.no-unz", "segment 5 (UNT) at byte 130: the file ends here, at byte 138",
                  UNB UNH BODY UNT);
    expect_denied("stow-plan.segment-end", "in the middle of the segment", UNB UNH BODY UNT "UNZ+1+C1");
    expect_denied("stow-plan.trailing", "one file holds one interchange", WHOLE "\n" WHOLE);
    expect_denied("stow-plan.service-segment", "may not stand", UNB UNH "UNO+1'");
}

#define UNG "UNG+BAPLIE+A+B+260115:1200+G1+UN+D:95B'"
#define UNE "UNE+1+G1'"

static void groups_are_counted_and_referred_to_as_well(void **state)
{
    (void)state;
    expect_allowed(UNB UNG UNH BODY UNT UNE UNZ);
    expect_allowed(UNB "UNG+BAPLIE+A+B+260115:1200+G1'" UNH BODY UNT UNE UNZ);
    expect_denied("stow-plan.une-count", "says 2 messages, has 1", UNB UNG UNH BODY UNT "UNE+2+G1'" UNZ);
    expect_denied("stow-plan.une-reference", "refers to \"G2\"", UNB UNG UNH BODY UNT "UNE+1+G2'" UNZ);
    expect_denied("stow-plan.unz-count", "says 2 groups, has 1", UNB UNG UNH BODY UNT UNE "UNZ+2+C1'");
    expect_denied("stow-plan.une", "no UNE", UNB UNG UNH BODY UNT UNZ);
    expect_denied("stow-plan.une", "no UNT", UNB UNG UNH BODY UNE UNZ);
    expect_denied("stow-plan.une", "no UNG", UNB UNH BODY UNT UNE UNZ);
    expect_denied("stow-plan.nested-ung", "group before it", UNB UNG UNG);
    expect_denied("stow-plan.ung", "outside of any group", UNB UNG UNH BODY UNT UNE UNH);
    expect_denied("stow-plan.ung", "after messages outside", UNB UNH BODY UNT UNG);
    expect_denied("stow-plan.ung-version", "its group", UNB "UNG+BAPLIE+A+B+260115:1200+G1+UN+1:911'" UNH);
    expect_denied("stow-plan.ung-reference", "1 to 14", UNB "UNG+BAPLIE+A+B+260115:1200'" UNH);
}

static void the_interchange_header_is_checked(void **state)
{
    (void)state;
#define HEAD(syntax, sender, recipient, time, more)                                                          \
    "UNB+" syntax "+" sender "+" recipient "+" time "+C1" more "'" UNH BODY UNT UNZ
    expect_denied("stow-plan.unb-syntax", "\"UNOX\"", HEAD("UNOX:3", "ACME", "USCBP", "260115:1200", ""));
    expect_denied("stow-plan.unb-syntax", "version \"5\"",
                  HEAD("UNOA:5", "ACME", "USCBP", "260115:1200", ""));
    expect_denied("stow-plan.sender", "names no sender", HEAD("UNOA:2", "", "USCBP", "260115:1200", ""));
    expect_denied("stow-plan.sender", "plain", HEAD("UNOA:2", "A?:B", "USCBP", "260115:1200", ""));
    expect_denied("stow-plan.recipient", "names no recipient", HEAD("UNOA:2", "ACME", "", "260115:1200", ""));
    expect_denied("stow-plan.unb-time", "YYMMDD", HEAD("UNOA:2", "ACME", "USCBP", "261315:1200", ""));
    expect_denied("stow-plan.unb-time", "YYMMDD", HEAD("UNOA:2", "ACME", "USCBP", "260115:2460", ""));
    expect_denied("stow-plan.unb-time", "CCYYMMDD", HEAD("UNOA:4", "ACME", "USCBP", "260115:1200", ""));
    expect_allowed(HEAD("UNOA:4", "ACME", "USCBP", "20260115:1200", ""));
    expect_denied("stow-plan.test-indicator", "0035",
                  HEAD("UNOA:2", "ACME", "USCBP", "260115:1200", "++++++1"));
    expect_denied("stow-plan.unb-reference", "1 to 14", "UNB+UNOA:2+ACME+USCBP+260115:1200+'");
    static const char *const odd[] = {" C1", "C1 ", "C?:1", "123456789012345", "C\xc9"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        char text[200];
        snprintf(text, sizeof text, "UNB+UNOC:2+ACME+USCBP+260115:1200+%s'", odd[i]);
        expect_denied("stow-plan.unb-reference", "1 to 14", text);
    }
    expect_allowed("UNB+UNOA:2+ACME+USCBP+260115:1200+ABCD~ 89012345'" UNH BODY UNT "UNZ+1+ABCD~ 89012345'");
    struct validator_options options = verdict_options();
    options.allow_test_indicator = true;
    const char *test = HEAD("UNOA:2", "ACME", "USCBP", "260115:1200", "++++++1");
    assert_true(verdict_of_text(test, &options).allowed);
}

static void parties_may_be_listed_with_or_without_qualifier(void **state)
{
    (void)state;
    static const char *const ours[] = {"OTHER", "ACME:ZZ"}, *const theirs[] = {"USCBP"};
    struct validator_options options = verdict_options();
    options.stow_plan.senders = (struct accord_list){ours, 2};
    options.stow_plan.recipients = (struct accord_list){theirs, 1};
#define PARTIES(sender, recipient)                                                                           \
    verdict_of_text(HEAD("UNOA:2", sender, recipient, "260115:1200", ""), &options)
    assert_true(PARTIES("ACME:ZZ", "USCBP").allowed);
    assert_true(PARTIES("OTHER:01", "USCBP:ZZ").allowed);
    assert_string_equal(PARTIES("ACME:01", "USCBP").rule, "stow-plan.sender");
    assert_string_equal(PARTIES("ACME", "USCBP").rule, "stow-plan.sender");
    assert_string_equal(PARTIES("OTHE", "USCBP").rule, "stow-plan.sender");
    assert_string_equal(PARTIES("OTHER", "USCBPX").rule, "stow-plan.recipient");
}

static void type_and_version_are_the_agreements(void **state)
{
    (void)state;
    expect_denied("stow-plan.type", "\"IFTSTA\", expected BAPLIE", UNB "UNH+1+IFTSTA:D:95B:UN'");
    expect_denied("stow-plan.version", "D:13B:UN:SMDG31", UNB "UNH+1+BAPLIE:D:13B:UN:SMDG31'");
    expect_denied("stow-plan.version", "D:95BX", UNB "UNH+1+BAPLIE:D:95BX:UN'");
    static const char *const one[] = {"D:95B:UN:SMDG22"};
    struct validator_options options = verdict_options();
    options.stow_plan.versions = (struct accord_list){one, 1};
    assert_string_equal(verdict_of_text(WHOLE, &options).rule, "stow-plan.version");
    assert_true(verdict_of_text(UNB "UNH+1+BAPLIE:D:95B:UN:SMDG22'" BODY UNT UNZ, &options).allowed);
}

static void messages_have_a_limit(void **state)
{
    (void)state;
    char *text = malloc((EDI_MESSAGES_MAX + 1) * 120), *end = stpcpy(text, UNB);
    for (int i = 1; i <= EDI_MESSAGES_MAX + 1; i++)
        end += sprintf(end, "UNH+%d+BAPLIE:D:95B:UN'" BODY "UNT+4+%d'", i, i);
    expect_denied("stow-plan.message-limit", "more than 10000 messages", text);
    free(text);
}

static void reasons_show_values_without_their_control_of_the_terminal(void **state)
{
    (void)state;
    expect_denied("stow-plan.type", "\"AB?\"", "UNB+UNOC:2+ACME+USCBP+260115:1200+C1'UNH+1+AB\xff:D:95B'");
    char *text = repeat(UNB "UNH+1+", "Y", 300, ":D:95B'");
    struct verdict verdict = verdict_of_text(text, NULL);
    assert_non_null(strstr(verdict.reason, "YYY...\", expected BAPLIE"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_interchange_passes_and_gives_its_control_reference),
        cmocka_unit_test(una_gives_the_separators),
        cmocka_unit_test(a_released_separator_is_data),
        cmocka_unit_test(tags_are_three_capital_letters),
        cmocka_unit_test(line_ends_and_control_characters_may_not_stand_in_segments),
        cmocka_unit_test(segments_have_limits),
        cmocka_unit_test(endless_segments_end_at_the_limit),
        cmocka_unit_test(what_is_not_edifact_is_refused_at_its_first_bytes),
        cmocka_unit_test(counts_must_be_right),
        cmocka_unit_test(references_must_match),
        cmocka_unit_test(segments_must_nest),
        cmocka_unit_test(groups_are_counted_and_referred_to_as_well),
        cmocka_unit_test(the_interchange_header_is_checked),
        cmocka_unit_test(parties_may_be_listed_with_or_without_qualifier),
        cmocka_unit_test(type_and_version_are_the_agreements),
        cmocka_unit_test(messages_have_a_limit),
        cmocka_unit_test(reasons_show_values_without_their_control_of_the_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
