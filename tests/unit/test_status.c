/* What a container status message, a response and an export declaration must say at least. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exchange_verdict.h"

#define ISA                                                                                                  \
    "ISA*00*          *00*          *ZZ*ACME           *ZZ*USCBP          "                                  \
    "*260115*1200*U*00401*000000007*0*P*>~"
#define X12(code, set, body, count)                                                                          \
    ISA "GS*" code "*ACME*USCBP*20260115*1200*1*X*004010~ST*" set "*0001~" body "SE*" #count "*0001~GE*1*1~" \
        "IEA*1*000000007~"
#define EDIFACT(type, body, count)                                                                           \
    "UNB+UNOA:2+ACME+USCBP+260115:1200+C1'UNH+1+" type ":D:95B:UN'" body "UNT+" #count "+1'UNZ+1+C1'"
#define CSM      "container-status"
#define RESPONSE "cbp-response"

#define B4                "B4***VA*20260115*0807**ABCU*123456*L**NEW YORK*CI~"
#define R4                "R4*L*UN*USNYC~"
#define S315(body, count) X12("QO", "315", body, count)

static void a_315_says_event_date_equipment_and_place(void **state)
{
    (void)state;
    expect_allowed_as(CSM, S315(B4 R4, 4));
    expect_allowed_as(CSM, S315("B4***VA*260115***A*1~"
                                "R4*L***PIER 9~",
                                4));
    expect_allowed_as(CSM, S315("B4***VA*20260115***ABCU*1234567890~" R4, 4));
    expect_denied(CSM ".event", "without status, date and equipment (B4)", S315(R4, 3));
    expect_denied(CSM ".event", "no status code (B403)", S315("B4****20260115***ABCU*123456~" R4, 4));
    expect_denied(CSM ".event-time", "\"\" (B404)", S315("B4***VA****ABCU*123456~" R4, 4));
    expect_denied(CSM ".event-time", "\"20261315\"", S315("B4***VA*20261315***ABCU*123456~" R4, 4));
    expect_denied(CSM ".event-time", "\"20260132\"", S315("B4***VA*20260132***ABCU*123456~" R4, 4));
    expect_denied(CSM ".container", "\"\" \"123456\" (B407 and B408)",
                  S315("B4***VA*20260115****123456~" R4, 4));
    expect_denied(CSM ".container", "\"ABCU\" \"\"", S315("B4***VA*20260115***ABCU~" R4, 4));
    expect_denied(CSM ".container", "\"ABCUX\"", S315("B4***VA*20260115***ABCUX*123456~" R4, 4));
    expect_denied(CSM ".container", "\"12-34\"", S315("B4***VA*20260115***ABCU*12-34~" R4, 4));
    expect_denied(CSM ".container", "\"12345678901\"", S315("B4***VA*20260115***ABCU*12345678901~" R4, 4));
    expect_denied(CSM ".location", "without a port or place (R4)", S315(B4, 3));
    expect_denied(CSM ".location", "without a port or place (R4)", S315(B4 "R4*L*UN~", 4));
}

#define Q5                "Q5*AR*20260115*0051*ET**NEWARK*NJ~"
#define N7                "N7*ABCU*123456~"
#define S322(body, count) X12("SO", "322", body, count)

static void a_322_says_event_date_and_equipment(void **state)
{
    (void)state;
    expect_allowed_as(CSM, S322(Q5 N7, 4));
    expect_denied(CSM ".event", "without status and date (Q5)", S322(N7, 3));
    expect_denied(CSM ".event", "no status code (Q501)", S322("Q5**20260115~" N7, 4));
    expect_denied(CSM ".event-time", "(Q502)", S322("Q5*AR*2026011~" N7, 4));
    expect_denied(CSM ".container", "without equipment (N7)", S322(Q5, 3));
    expect_denied(CSM ".container", "(N701 and N702)", S322(Q5 "N7*ABCU~", 4));
}

#define BGM "BGM+34+R1+9'"
#define BOX "EQD+CN+ABCU1234560+22G1:102:5++2+5'"
#define DTM "DTM+7:202601151159:203'"
#define LOC "LOC+165+USNYC:139:6'"

static void codeco_and_coarri_say_event_container_time_and_place(void **state)
{
    (void)state;
    expect_allowed_as(CSM, EDIFACT("CODECO", BGM BOX DTM LOC, 6));
    expect_allowed_as(CSM, EDIFACT("COARRI", BGM DTM LOC BOX BOX, 7));
    expect_allowed_as(CSM, EDIFACT("COARRI", BGM LOC BOX DTM BOX DTM, 8));
    expect_allowed_as(CSM, EDIFACT("CODECO", BGM BOX DTM LOC "EQD+CH+CHASSIS 1'", 7));
    expect_denied(CSM ".event", "(BGM)", EDIFACT("CODECO", BOX DTM LOC, 5));
    expect_denied(CSM ".event", "(BGM)", EDIFACT("CODECO", "BGM++R1'" BOX DTM LOC, 6));
    expect_denied(CSM ".container", "(EQD+CN)", EDIFACT("CODECO", BGM DTM LOC, 5));
    expect_denied(CSM ".container", "(EQD+CN)", EDIFACT("CODECO", BGM "EQD+CH+CHASSIS 1'" DTM LOC, 6));
    expect_denied(CSM ".container-number", "\"ABCX1234560\"",
                  EDIFACT("CODECO", BGM "EQD+CN+ABCX1234560'" DTM LOC, 6));
    expect_denied(CSM ".event-time", "segment 5 (EQD) at byte 91: the container has no date and time",
                  EDIFACT("CODECO", BGM LOC BOX, 5));
    expect_denied(CSM ".event-time", "segment 4 (EQD)", EDIFACT("COARRI", BGM BOX BOX DTM LOC, 7));
    expect_denied(CSM ".event-time", "segment 4 (EQD)", EDIFACT("COARRI", BGM BOX "DTM+7'" LOC, 6));
    expect_denied(CSM ".location", "(LOC)", EDIFACT("CODECO", BGM BOX DTM, 5));
    expect_denied(CSM ".location", "(LOC)", EDIFACT("CODECO", BGM BOX DTM "LOC+165'", 6));
}

static void iftsta_says_status_container_time_and_place(void **state)
{
    (void)state;
#define STS "STS+1+P'"
    expect_allowed_as(CSM, EDIFACT("IFTSTA", STS BOX DTM LOC, 6));
    expect_allowed_as(CSM, EDIFACT("IFTSTA",
                                   "STS++24'"
                                   "RFF+EQ:ABCU1234560'" DTM LOC,
                                   6));
    expect_denied(CSM ".event", "(STS)", EDIFACT("IFTSTA", BOX DTM LOC, 5));
    expect_denied(CSM ".event", "(STS)", EDIFACT("IFTSTA", "STS'" BOX DTM LOC, 6));
    expect_denied(CSM ".container", "(EQD+CN)", EDIFACT("IFTSTA", STS "RFF+BM:1'" DTM LOC, 6));
    expect_denied(CSM ".container", "(EQD+CN)", EDIFACT("IFTSTA", STS "RFF+EQ'" DTM LOC, 6));
    expect_denied(CSM ".event-time", "without a date and time (DTM)",
                  EDIFACT("IFTSTA", STS "RFF+EQ:ABCU1234560'" LOC, 5));
}

static void orders_and_other_sets_pass_only_by_option(void **state)
{
    (void)state;
    expect_denied(CSM ".type", "\"COPARN\", expected CODECO, COARRI, IFTSTA", EDIFACT("COPARN", BGM, 3));
    expect_denied(CSM ".type", "\"315\", expected CODECO", EDIFACT("315", BGM, 3));
    expect_denied(CSM ".type", "\"214\", expected 315, 322", X12("QM", "214", "B10*1~", 3));
    expect_denied(CSM ".type", "\"304\"", X12("SO", "304", "B2~", 3));
    expect_denied(CSM ".type", "\"301\"", X12("RO", "301", "B1~", 3));
    static const struct accord_pair more[] = {{"container-status-messages", "214, 301, 304, COPARN"}};
    const struct validator_options *options = verdict_written(more, 1);
    assert_true(verdict_as(CSM, X12("QM", "214", "B10*1~", 3), options).allowed);
    assert_true(verdict_as(CSM, X12("RO", "301", "B1*1~", 3), options).allowed);
    assert_true(verdict_as(CSM, X12("SO", "304", "B2*1~", 3), options).allowed);
    assert_true(verdict_as(CSM, EDIFACT("COPARN", BGM, 3), options).allowed);
    expect_denied_with(options, CSM ".empty", "nothing between header and trailer", X12("QM", "214", "", 2));
    expect_denied_with(options, CSM ".type", "expected 214, 301, 304", S315(B4 R4, 4));
}

static void edifact_alone_takes_no_x12(void **state)
{
    (void)state;
    static const struct accord_pair less[] = {{"container-status-messages", "CODECO"}};
    const struct validator_options *options = verdict_written(less, 1);
    expect_denied_with(options, CSM ".start", "\"ISA\", expected UNA or UNB (EDIFACT)", S315(B4 R4, 4));
    assert_true(verdict_as(CSM, EDIFACT("CODECO", BGM BOX DTM LOC, 6), options).allowed);
}

static void versions_and_senders_of_edifact_are_the_agreements(void **state)
{
    (void)state;
    static const struct accord_pair own[] = {{"container-status-versions", "D:00B"},
                                             {"container-status-senders", "ACME"},
                                             {"container-status-recipients", "USCBP"}};
    const char *text = EDIFACT("CODECO", BGM BOX DTM LOC, 6);
    expect_denied_with(verdict_written(own, 1), CSM ".version", "CODECO version \"D:95B:UN:\"", text);
    assert_true(verdict_as(CSM, text, verdict_written(own + 1, 2)).allowed);
    static const struct accord_pair other[] = {{"container-status-senders", "OTHER"},
                                               {"container-status-recipients", "OTHER"}};
    expect_denied_with(verdict_written(other, 1), CSM ".sender", "\"ACME\"", text);
    expect_denied_with(verdict_written(other + 1, 1), CSM ".recipient", "\"USCBP\"", text);
}

#define AK1 "AK1*QO*1~"
#define AK9 "AK9*A*1*1*1~"

static void an_acknowledgement_names_a_group_and_says_how(void **state)
{
    (void)state;
    expect_allowed_as(RESPONSE, X12("FA", "997", AK1 AK9, 4));
    expect_allowed_as(RESPONSE, X12("FA", "999",
                                    AK1 "AK2*315*0001~IK5*R*5~"
                                        "AK9*R*1*1*0~",
                                    6));
    expect_denied(RESPONSE ".answer", "without the group that it answers (AK1)", X12("FA", "997", AK9, 3));
    expect_denied(RESPONSE ".answer", "without a verdict (AK9)", X12("FA", "999", AK1, 3));
    expect_denied(RESPONSE ".answer", "(AK101, AK102)", X12("FA", "997", "AK1**1~" AK9, 4));
    expect_denied(RESPONSE ".answer", "(AK101, AK102)", X12("FA", "997", "AK1*QO*X~" AK9, 4));
    expect_denied(RESPONSE ".answer", "\"Q\" (AK901)", X12("FA", "997", AK1 "AK9*Q~", 4));
    expect_denied(RESPONSE ".type", "\"350\", expected 997, 999, TA1", X12("SO", "350", "B1~", 3));
    expect_denied(RESPONSE ".group-code", "expected FA", X12("SO", "997", AK1 AK9, 4));
}

static void ta1_answers_an_interchange(void **state)
{
    (void)state;
#define TA1 "TA1*000000007*260115*1200*A*000~"
    struct verdict verdict = verdict_as(RESPONSE, ISA TA1 TA1 "IEA*0*000000007~", NULL);
    assert_true(verdict.allowed);
    assert_string_equal(verdict.key, "x12:ACME:000000007");
    expect_denied(RESPONSE ".iea-count", "says 1 groups, has 0", ISA TA1 "IEA*1*000000007~");
    expect_denied(RESPONSE ".ta1", "\"X\" (TA101)", ISA "TA1*X*260115*1200*A~");
    expect_denied(RESPONSE ".ta1", "\"Q\" (TA104)", ISA "TA1*1*260115*1200*Q~");
    expect_denied(RESPONSE ".ta1", "\"\" (TA104)", ISA "TA1*1*260115*1200~");
    expect_denied(RESPONSE ".ta1", "behind a group", ISA "GS*FA*ACME*USCBP*20260115*1200*1*X*004010~" TA1);
    expect_denied(CSM ".type", "\"TA1\"", ISA TA1 "IEA*0*000000007~");
}

static void cusres_and_contrl_name_what_they_answer(void **state)
{
    (void)state;
    expect_allowed_as(RESPONSE, EDIFACT("CUSRES", "BGM+963+R1+11'", 3));
    expect_denied(RESPONSE ".answer", "(BGM)", EDIFACT("CUSRES", "FTX+AAO'", 3));
    expect_allowed_as(RESPONSE, EDIFACT("CONTRL", "UCI+C1+ACME+USCBP+7'", 3));
    expect_denied(RESPONSE ".answer", "(UCI)", EDIFACT("CONTRL", "UCM+1'", 3));
    expect_denied(RESPONSE ".answer", "(0020)", EDIFACT("CONTRL", "UCI++ACME+USCBP+7'", 3));
    expect_denied(RESPONSE ".answer", "(0083)", EDIFACT("CONTRL", "UCI+C1+ACME+USCBP'", 3));
    expect_denied(RESPONSE ".type", "\"CODECO\", expected CUSRES, CONTRL",
                  EDIFACT("CODECO", BGM BOX DTM LOC, 6));
}

static void a_601_declares_one_shipment(void **state)
{
    (void)state;
#define AES "aes-commodity"
    expect_allowed_as(AES, X12("SE", "601", "BA1*N*2*10~YNQ~", 4));
    expect_denied(AES ".shipment", "without a shipment (BA1)", X12("SE", "601", "YNQ~", 3));
    expect_denied(AES ".shipment", "segment 5 (BA1)", X12("SE", "601", "BA1*N~BA1*N~", 4));
    expect_denied(AES ".type", "\"315\", expected 601", S315(B4 R4, 4));
    expect_denied(AES ".start", "expected ISA (X12), or A (80-column records)", EDIFACT("CUSRES", BGM, 3));
}

static void references_count_once_unless_the_agreement_says_otherwise(void **state)
{
    (void)state;
    static const struct accord_pair none[] = {{"unique-references", "none"}},
                                    one[] = {{"unique-references", CSM}};
    const char *text = EDIFACT("CODECO", BGM BOX DTM LOC, 6);
    assert_string_equal(verdict_as(CSM, text, NULL).key, "edifact:ACME:C1");
    assert_string_equal(verdict_as(CSM, text, verdict_written(one, 1)).key, "edifact:ACME:C1");
    assert_string_equal(verdict_as(CSM, text, verdict_written(none, 1)).key, "");
    assert_string_equal(verdict_as(RESPONSE, EDIFACT("CUSRES", BGM, 3), verdict_written(one, 1)).key, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_315_says_event_date_equipment_and_place),
        cmocka_unit_test(a_322_says_event_date_and_equipment),
        cmocka_unit_test(codeco_and_coarri_say_event_container_time_and_place),
        cmocka_unit_test(iftsta_says_status_container_time_and_place),
        cmocka_unit_test(orders_and_other_sets_pass_only_by_option),
        cmocka_unit_test(edifact_alone_takes_no_x12),
        cmocka_unit_test(versions_and_senders_of_edifact_are_the_agreements),
        cmocka_unit_test(an_acknowledgement_names_a_group_and_says_how),
        cmocka_unit_test(ta1_answers_an_interchange),
        cmocka_unit_test(cusres_and_contrl_name_what_they_answer),
        cmocka_unit_test(a_601_declares_one_shipment),
        cmocka_unit_test(references_count_once_unless_the_agreement_says_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
