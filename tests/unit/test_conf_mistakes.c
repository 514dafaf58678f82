/* Every kind of mistake in a conf.d, and in the secrets that it names: listed, with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_place.h"

#include <cmocka.h> /* last: its `fail` would hide ours */

static void mistakes_of_agent_conf_are_all_listed(void **state)
{
    struct conf_place *p = *state;
    put_file(p, "conf.d/agent.conf",
             "[agent]\nstate = var/lib\n[log]\nlevel = loud\n[audit]\narchive-retention = 30 days\n"
             "[plugins]\nsftp.so = " HASH
             "\npolicy-content.so = abc\n[type x]\n[type y]\nmedia = xml\n[agreement]\n"
             "[lgo]\n",
             0600);
    assert_int_equal(conf_load_agent(p->folder, NULL, &p->agent, &p->report), ACCORD_EINVAL);
    expect_error(p, "agent.conf", 2, "state: `var/lib` is not an absolute path");
    expect_error(p, "agent.conf", 4, "level: `loud` is not one of debug, info");
    expect_error(p, "agent.conf", 6, "archive-retention is shorter than online-retention");
    expect_error(p, "agent.conf", 8, "`sftp.so` is not the name of a plugin file");
    expect_error(p, "agent.conf", 9, "`abc` is not a SHA-256");
    expect_error(p, "agent.conf", 10, "[type x] lacks the key `media`");
    expect_error(p, "agent.conf", 12, "`xml` is not a media type");
    expect_error(p, "agent.conf", 13, "[agreement] does not belong into agent.conf");
    expect_error(p, "agent.conf", 14, "[lgo] is no section of agent.conf; did you mean `log`?");
    expect_errors(p, 9);
}

static void a_missing_folder_is_said(void **state)
{
    struct conf_place *p = *state;
    assert_int_equal(conf_load_agent("/nonexistent/conf.d", NULL, &p->agent, &p->report), ACCORD_EINVAL);
    expect_error(p, "agent.conf", 0, "there is no folder /nonexistent/conf.d");
}

static void ten_planted_mistakes_are_listed_with_their_lines(void **state)
{
    struct conf_place *p = *state;
    put_good(p);
    put_file(p, "conf.d/cbp.conf",
             "[agreement]\n"
             "title = CBP ISA\n"
             "partnr = CBP\n" /* 3: unknown key; 1: and so `partner` is missing */
             "enabled = yes\n"
             "acknowledged = 2025-02-30\n" /* 5: no such day */
             "[endpont sftp]\n"            /* 6: unknown section */
             "host = sftp.cbp.example\n"
             "[endpoint e]\n"
             "host = sftp.cbp.example\n"
             "port = 70000\n" /* 10: out of range */
             "[link sftp]\n"
             "connector = sfpt\n" /* 12: unknown connector */
             "endpoint = e\n"
             "[link sftp2]\n" /* 14: missing key host-key */
             "connector = sftp\n"
             "endpoint = f\n" /* 16: unknown endpoint */
             "user = acme\n"
             "key = id\n"
             "[service stow-plan]\n"
             "type = stowplan\n"     /* 20: unknown type */
             "direction = receive\n" /* 21: sftp cannot receive */
             "link = sftp2\n"
             "directory = /in\n",
             0600);
    load_place(p);
    expect_error(p, "cbp.conf", 1, "[agreement] lacks the key `partner`");
    expect_error(p, "cbp.conf", 3, "unknown key `partnr` in [agreement]; did you mean `partner`?");
    expect_error(p, "cbp.conf", 5, "acknowledged: `2025-02-30` is not a day of the calendar");
    expect_error(p, "cbp.conf", 6,
                 "[endpont sftp] is no section of an agreement's file; did you mean `endpoint`?");
    expect_error(p, "cbp.conf", 10, "port: `70000` is out of range; write a port, 1 to 65535");
    expect_error(p, "cbp.conf", 12,
                 "there is no connector `sfpt` in the plugin folder; did you mean `sftp`?");
    expect_error(p, "cbp.conf", 14, "[link sftp2] lacks the key `host-key`");
    expect_error(p, "cbp.conf", 16, "there is no [endpoint f]; did you mean `e`?");
    expect_error(p, "cbp.conf", 20, "there is no message type `stowplan`; did you mean `stow-plan`?");
    expect_error(p, "cbp.conf", 21, "the connector `sftp` of [link sftp2] cannot receive");
    expect_errors(p, 10);
    assert_null(conf_agreement_find(p->conf, "cbp"));
    assert_non_null(conf_agreement_find(p->conf, "site"));
}

/* Replaces one line of the good agreement and expects one error there. */
static void check_line(struct conf_place *p, int line, const char *text, int at, const char *part)
{
    char whole[4096] = "";
    const char *rest = HEAD SERVICE;
    for (int i = 1; *rest; i++) {
        size_t size = strcspn(rest, "\n") + 1;
        if (i == line)
            strcat(whole, text);
        else
            strncat(whole, rest, size);
        rest += size;
    }
    if (line == 0)
        strcat(whole, text);
    put_file(p, "conf.d/cbp.conf", whole, 0600);
    load_place(p);
    expect_error(p, "cbp.conf", at, part);
    expect_errors(p, 1);
    assert_null(conf_agreement_find(p->conf, "cbp"));
    conf_free(p->conf);
    p->conf = NULL;
    conf_report_fini(&p->report);
}

static void each_rule_has_its_error(void **state)
{
    struct conf_place *p = *state;
    put_good(p);
    check_line(p, 5, "", 1, "lacks the key `acknowledged`");
    check_line(p, 5, "acknowledged = 2025-03-14\nincident-to = csric\n[contact csirc]\nname = C\n", 6,
               "there is no [contact csric]; did you mean `csirc`?");
    check_line(p, 5, "acknowledged = 2025-03-14\nonline-retention = 30 days\n", 6,
               "`30 days` is shorter than what agent.conf [audit] keeps for all agreements (90 days)");
    check_line(p, 5, "acknowledged = 2025-03-14\ncategory = hihg\n", 6, "did you mean `high`?");
    check_line(p, 8, "port = 22\nsource-address = here\n", 9, "`here` is not an IP address");
    check_line(p, 8, "port = 22\ntunnel = wireguard\n", 9, "`wireguard` is not one of none, ipsec");
    check_line(p, 11, "", 9, "[link sftp] lacks the key `endpoint`");
    check_line(p, 13, "key = ../id\n", 13, "not shown");
    check_line(p, 13, "key = other\n", 13, "credentials/cbp/other; put the secret there");
    check_line(p, 14, "host-key = SHA256:x\npasword = hunter2\n", 15, "unknown key `pasword` in [link sftp]");
    check_line(p, 17, "direction = out\n", 17, "`out` is not one of send, receive");
    check_line(p, 18, "link = stfp\n", 18, "there is no [link stfp]; did you mean `sftp`?");
    check_line(p, 19, "directory = /in\nif-exists = fale\n", 20, "did you mean `fail`?");
    check_line(p, 19, "directory = /in\nto = site/stow-plans\n", 20, "`to` belongs to receiving services");
    check_line(p, 19, "directory = /in\npoll = 5 min\n", 20,
               "`poll` belongs to receiving services, and this one sends");
    check_line(p, 19, "directory = /in\nretry-first = 1 h\nretry-longest = 1 min\n", 21,
               "shorter than retry-first");
    check_line(p, 19, "directory = /in\nnames = a/b\n", 20, "has a slash");
    check_line(p, 20, "from = stow-plans\n", 20, "`stow-plans` is not AGREEMENT/SERVICE");
    check_line(p, 20, "from = sit/stow-plans\n", 20, "there is no file sit.conf; did you mean `site`?");
    check_line(p, 20, "from = site/stowplans\n", 20,
               "there is no [service stowplans] in site.conf; did you mean `stow-plans`?");
    check_line(p, 20, "from = cbp/stow-plan\n", 20, "`from` names receiving services");
    check_line(p, 16, "type = container-status\n", 20, "both ends of a route carry the same type");
    check_line(p, 0, "[link box]\nconnector = dir\npath = /x\nendpoint = e\n", 24,
               "does not connect to anything");
    check_line(p, 0, "[policy contnt]\n", 21, "did you mean `content`?");
    check_line(p, 0, "[policy content]\nmax-segments = 5\n", 22, "10 to 1000000");
    check_line(p, 0, "[release stow-plans]\nto = cbp\n", 21,
               "[release stow-plans]: there is no such message type");
    check_line(p, 0, "[release stow-plan]\nto = cpb\n", 22, "there is no file cpb.conf; did you mean `cbp`?");
    check_line(p, 0, "[contact x]\nname = X\nemail = nobody\n", 23, "`nobody` is not a mail address");
    check_line(p, 0, "[link]\n", 21, "[link] lacks the link's name");
    check_line(p, 0, "[agreement two]\n", 21, "this section has no name");
    check_line(p, 0, "[service stow-plan]\n", 21, "is here a second time; the first is on line 15");
    check_line(p, 0, "[site]\n", 21, "[site] does not belong into an agreement's file");
}

static void a_receiving_service_has_no_sending_keys(void **state)
{
    struct conf_place *p = *state;
    put_file(p, "conf.d/site.conf", SITE "from = site/x\nretry-for = 1 h\nmode = 0600\n", 0600);
    load_place(p);
    expect_error(p, "site.conf", 10, "where its messages go is written as `to`");
    expect_error(p, "site.conf", 11, "`retry-for` belongs to sending services");
    expect_error(p, "site.conf", 12, "`mode` belongs to sending services, and this one receives");
    expect_errors(p, 3);
}

static void an_agreement_file_needs_its_section(void **state)
{
    struct conf_place *p = *state;
    put_file(p, "conf.d/empty.conf", "", 0600);
    load_place(p);
    expect_error(p, "empty.conf", 0, "there is no [agreement] section");
    expect_errors(p, 1);
    assert_int_equal(p->conf->agreement_count, 0);
}

static void an_unreadable_file_is_one_error(void **state)
{
    struct conf_place *p = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/loop.conf", p->folder);
    assert_int_equal(symlink("loop.conf", path), 0);
    load_place(p);
    expect_error(p, "loop.conf", 0, "cannot open");
    expect_errors(p, 1);
}

static void secrets_are_checked_without_being_read(void **state)
{
    struct conf_place *p = *state;
    put_good(p);
    put_file(p, "credentials/cbp/id", "secret", 0644);
    check_line(p, 1, "[agreement]\n", 13, "open to other users (mode 0644); run: chmod 600");
    put_file(p, "credentials/cbp/id", "", 0600);
    check_line(p, 1, "[agreement]\n", 13, "is empty");
    char path[128];
    snprintf(path, sizeof path, "%s/credentials/cbp/id", p->root);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    check_line(p, 1, "[agreement]\n", 13, "symbolic links are refused");
}

static void secrets_of_a_disabled_agreement_may_be_missing(void **state)
{
    struct conf_place *p = *state;
    put_file(p, "conf.d/cbp.conf",
             "[agreement]\ntitle = T\npartner = P\n[endpoint e]\nhost = h.example\nport = 22\n"
             "[link sftp]\nconnector = sftp\nendpoint = e\nuser = acme\nkey = later\nhost-key = SHA256:x\n",
             0600);
    load_place(p);
    expect_errors(p, 0);
    expect_report(p, CONF_NOTE, "cbp.conf", 11, "needed before the agreement is enabled");
    assert_false(conf_agreement_find(p->conf, "cbp")->enabled);
}

static void what_this_user_may_not_see_is_not_checked(void **state)
{
    struct conf_place *p = *state;
    char path[128];
    put_good(p);
    snprintf(path, sizeof path, "%s/credentials", p->root);
    bool root = geteuid() == 0;
    if (root) { /* become somebody for whom a closed folder is closed */
        assert_int_equal(chmod(p->root, 0755) | chmod(p->folder, 0755), 0);
        snprintf(path, sizeof path, "%s/conf.d/cbp.conf", p->root);
        assert_int_equal(chmod(path, 0644), 0);
        snprintf(path, sizeof path, "%s/conf.d/site.conf", p->root);
        assert_int_equal(chmod(path, 0644) | seteuid(65534), 0);
    } else {
        assert_int_equal(chmod(path, 0), 0);
    }
    load_place(p);
    if (root)
        assert_int_equal(seteuid(0), 0);
    else
        assert_int_equal(chmod(path, 0700), 0);
    expect_errors(p, 0);
    expect_report(p, CONF_UNCHECKED, "cbp.conf", 13, "this user may not look for");
    assert_non_null(conf_agreement_find(p->conf, "cbp"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        place_test(mistakes_of_agent_conf_are_all_listed),
        place_test(a_missing_folder_is_said),
        place_test(ten_planted_mistakes_are_listed_with_their_lines),
        place_test(each_rule_has_its_error),
        place_test(a_receiving_service_has_no_sending_keys),
        place_test(an_agreement_file_needs_its_section),
        place_test(an_unreadable_file_is_one_error),
        place_test(secrets_are_checked_without_being_read),
        place_test(secrets_of_a_disabled_agreement_may_be_missing),
        place_test(what_this_user_may_not_see_is_not_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
