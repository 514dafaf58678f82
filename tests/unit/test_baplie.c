/* The BAPLIE minimum, and the fixtures: good-*.edi pass, broken-RULE.edi are refused by that rule. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exchange_verdict.h"

#define UNB     "UNB+UNOA:2+ACME+USCBP+260115:1200+C1'"
#define UNH     "UNH+1+BAPLIE:D:95B:UN:SMDG20'"
#define TDT     "TDT+20+601W+++XAR:172:20+++9999993:146::MV X'"
#define LOC     "LOC+147+0010102::5'"
#define PORTS   "LOC+9+NLRTM'LOC+11+USNYC'"
#define EQD     "EQD+CN+XARU1234567+22G1+++5'"
#define NAD     "NAD+CA+XAR:172:20'"
#define END(n)  "UNT+" #n "+1'UNZ+1+C1'"
#define BOX     LOC PORTS EQD NAD /* five segments */
#define OLD_UNH "UNH+1+BAPLIE:1:911:UN:SMDG15'"

static void fixtures_get_the_verdict_in_their_name(void **state)
{
    (void)state;
    char folder[512], path[1024];
    snprintf(folder, sizeof folder, "%s/tests/fixtures/stow-plan", getenv("ACCORD_SOURCE"));
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    int good = 0, broken = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char rule[300];
        bool is_broken = sscanf(entry->d_name, "broken-%255[a-z-].edi", rule) == 1;
        if (!is_broken && strncmp(entry->d_name, "good-", 5))
            continue;
        size_t size;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        char *bytes = verdict_read(path, &size);
        struct verdict verdict = verdict_of(bytes, size, NULL);
        free(bytes);
        good += !is_broken;
        broken += is_broken;
        if (verdict.allowed == is_broken || (is_broken && strcmp(verdict.rule + strlen("stow-plan."), rule)))
            fail_msg("%s: %s: %s", entry->d_name, verdict.allowed ? "allowed" : verdict.rule, verdict.reason);
    }
    closedir(dir);
    assert_true(good >= 2 && broken >= 30);
}

static void a_box_needs_number_type_ports_and_operator(void **state)
{
    (void)state;
    expect_allowed(UNB UNH TDT BOX END(8));
    expect_denied("stow-plan.port-of-lading",
                  "segment 4 (LOC) at byte 111: stow position \"0010102\" has no port of lading",
                  UNB UNH TDT LOC "LOC+11+USNYC'" EQD NAD END(7));
    expect_denied("stow-plan.port-of-discharge", "(LOC+11)", UNB UNH TDT LOC "LOC+9+NLRTM'" EQD NAD END(7));
    expect_denied("stow-plan.port-of-lading", "no port in stow position",
                  UNB UNH TDT LOC "LOC+9'LOC+11+USNYC'" EQD NAD END(8));
    expect_denied("stow-plan.operator", "NAD+CA", UNB UNH TDT LOC PORTS EQD END(7));
    expect_denied("stow-plan.operator", "no operator", UNB UNH TDT LOC PORTS EQD "NAD+CA'" END(8));
    expect_denied("stow-plan.operator", "NAD+CA", UNB UNH TDT LOC PORTS EQD "NAD+CF+XAR'" END(8));
    expect_denied("stow-plan.container-type", "C224", UNB UNH TDT LOC PORTS "EQD+CN+XARU1234567'" NAD END(8));
    expect_denied("stow-plan.equipment", "names a port but no container", UNB UNH TDT LOC PORTS END(6));
}

static void each_position_is_judged_when_the_next_begins(void **state)
{
    (void)state;
    expect_allowed(UNB UNH TDT BOX BOX LOC BOX END(19));
    expect_denied("stow-plan.operator", "segment 9 (LOC)", UNB UNH TDT BOX LOC PORTS EQD BOX END(17));
}

static void empty_slots_and_cargo_that_is_no_container_pass(void **state)
{
    (void)state;
    expect_allowed(UNB UNH TDT LOC LOC END(5));
    expect_allowed(UNB UNH TDT LOC "GID+1'" PORTS END(7));
    expect_allowed(UNB UNH TDT LOC PORTS "EQD+BB+ANY'" NAD END(8));
    expect_denied("stow-plan.equipment", "kind \"XX\"", UNB UNH TDT LOC PORTS "EQD+XX+ANY'" NAD END(8));
    expect_denied("stow-plan.equipment", "outside of a stow position", UNB UNH TDT EQD LOC END(5));
}

static void container_numbers_are_iso_6346(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",           "XARU123456",  "XARU12345678",  "XARX1234567", "xaru1234567",
        "XAR1234567", "XARU 123456", "XARU  1234567", "XARU123456A", "XARU12 34567"};
    char text[512];
    expect_allowed(UNB UNH TDT LOC PORTS "EQD+CN+XARU 1234567+22G1'" NAD END(8));
    expect_allowed(UNB UNH TDT LOC PORTS "EQD+CN+XARJ1234567+22G1'" NAD END(8));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, UNB UNH TDT LOC PORTS "EQD+CN+%s+22G1'" NAD END(8), bad[i]);
        expect_denied("stow-plan.container-number", "stow position \"0010102\"", text);
    }
}

static void editions_name_their_ports_their_own_way(void **state)
{
    (void)state;
#define OLD_PORTS "LOC+6+NLRTM'LOC+12+USNYC'"
    expect_allowed(UNB OLD_UNH TDT LOC OLD_PORTS EQD NAD END(8));
    expect_denied("stow-plan.port-of-lading", "(LOC+6); LOC+11 is not how BAPLIE names it in version 1:911",
                  UNB OLD_UNH TDT BOX END(8));
    expect_denied("stow-plan.port-of-lading", "(LOC+9); LOC+12 is not how BAPLIE names it in version D:95B",
                  UNB UNH TDT LOC OLD_PORTS EQD NAD END(8));
}

static void voyage_vessel_and_positions_are_required(void **state)
{
    (void)state;
    expect_denied("stow-plan.voyage", "8028", UNB UNH "TDT+20++++XAR+++9999993'" BOX END(8));
    expect_denied("stow-plan.vessel", "C222", UNB UNH "TDT+20+601W+++XAR+++:146'" BOX END(8));
    expect_allowed(UNB UNH "TDT+20+601W+++XAR+++:::MV X'" BOX END(8));
    expect_denied("stow-plan.voyage", "without voyage and vessel", UNB UNH BOX END(7));
    expect_denied("stow-plan.voyage", "without voyage and vessel", UNB UNH "TDT+30'" BOX END(8));
    expect_denied("stow-plan.stow-position", "without a stow position", UNB UNH TDT END(3));
}

static void stow_positions_are_bay_row_and_tier(void **state)
{
    (void)state;
    expect_allowed(UNB UNH TDT "LOC+147+010102::5'" END(4));
    expect_allowed(UNB UNH TDT "LOC+147+DECK A'" END(4));
    expect_denied("stow-plan.stow-position", "is \"\"", UNB UNH TDT "LOC+147'" END(4));
    expect_denied("stow-plan.stow-position", "\"00101\"", UNB UNH TDT "LOC+147+00101::5'" END(4));
    expect_denied("stow-plan.stow-position", "\"001010A\"", UNB UNH TDT "LOC+147+001010A::5'" END(4));
}

static void messages_of_one_interchange_are_judged_apart(void **state)
{
    (void)state;
    expect_denied("stow-plan.voyage", "segment 16 (UNT)",
                  UNB UNH TDT BOX "UNT+8+1'UNH+2+BAPLIE:D:95B:UN'" BOX "UNT+7+2'UNZ+2+C1'");
}

static char *plan(size_t boxes, size_t *size)
{
    char *text = malloc(boxes * 160 + 400), *end = stpcpy(text, UNB UNH TDT);
    for (size_t i = 0; i < boxes; i++)
        end += sprintf(end, "LOC+147+%07zu::5'\r\n" PORTS "EQD+CN+XARU%07zu+22G1+++5'" NAD, i % 9999999, i);
    end += sprintf(end, "UNT+%zu+1'UNZ+1+C1'", boxes * 5 + 3);
    *size = (size_t)(end - text);
    return text;
}

static void plans_of_all_sizes_pass(void **state)
{
    (void)state;
    static const size_t boxes[] = {1, 19, 800, 24000};
    for (size_t i = 0; i < sizeof boxes / sizeof *boxes; i++) {
        size_t size;
        char *text = plan(boxes[i], &size);
        struct verdict verdict = verdict_of(text, size, NULL);
        assert_string_equal(verdict.reason, "");
        assert_true(verdict.allowed);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixtures_get_the_verdict_in_their_name),
        cmocka_unit_test(a_box_needs_number_type_ports_and_operator),
        cmocka_unit_test(each_position_is_judged_when_the_next_begins),
        cmocka_unit_test(empty_slots_and_cargo_that_is_no_container_pass),
        cmocka_unit_test(container_numbers_are_iso_6346),
        cmocka_unit_test(editions_name_their_ports_their_own_way),
        cmocka_unit_test(voyage_vessel_and_positions_are_required),
        cmocka_unit_test(stow_positions_are_bay_row_and_tier),
        cmocka_unit_test(messages_of_one_interchange_are_judged_apart),
        cmocka_unit_test(plans_of_all_sizes_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
