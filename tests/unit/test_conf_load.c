/* A whole conf.d: what is compiled from it, and every kind of mistake, listed with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/calendar.h"
#include "conf/conf.h"
#include "util/clock.h"
#include "util/file.h"

#include <cmocka.h> /* last: its `fail` would hide ours */

/* ---- plugins as they describe themselves ---- */

static const char *const exists[] = {"fail", "same-content-is-delivered", NULL};
static const char *const ciphers[] = {"aes256-gcm@openssh.com", "aes256-ctr", "aes128-ctr", NULL};

static struct accord_option dir_link[] = {
    {.name = "path", .kind = ACCORD_PATH, .flags = ACCORD_REQUIRED | ACCORD_FOLDER_WRITE},
    {.name = NULL},
};
static struct accord_option dir_service[] = {
    {.name = "folder", .kind = ACCORD_TEXT},
    {.name = "pattern", .kind = ACCORD_TEXT, .fallback = "*"},
    {.name = NULL},
};
static struct accord_option sftp_link[] = {
    {.name = "user", .kind = ACCORD_TEXT, .flags = ACCORD_REQUIRED},
    {.name = "key", .kind = ACCORD_SECRET, .flags = ACCORD_REQUIRED},
    {.name = "host-key", .kind = ACCORD_TEXT, .flags = ACCORD_REQUIRED},
    {.name = NULL},
};
static struct accord_option sftp_service[] = {
    {.name = "directory", .kind = ACCORD_TEXT, .flags = ACCORD_REQUIRED},
    {.name = "if-exists", .kind = ACCORD_CHOICE, .fallback = "fail", .choices = exists},
    {.name = NULL},
};
static struct accord_option encryption[] = {
    {.name = "ssh-ciphers", .kind = ACCORD_LIST, .fallback = "aes256-ctr", .choices = ciphers},
    {.name = "fips", .kind = ACCORD_TEXT},
    {.name = NULL},
};
static struct accord_option content[] = {
    {.name = "unvalidated", .kind = ACCORD_TEXT, .fallback = "deny"},
    {.name = "max-segments", .kind = ACCORD_INTEGER, .fallback = "500000", .min = 10, .max = 1000000},
    {.name = NULL},
};
static struct conf_plugin plugin_items[] = {
    {.kind = ACCORD_CONNECTOR,
     .name = "dir",
     .flags = ACCORD_CAN_SEND | ACCORD_CAN_RECEIVE,
     .options = dir_link,
     .service_options = dir_service},
    {.kind = ACCORD_CONNECTOR,
     .name = "sftp",
     .flags = ACCORD_CAN_SEND | ACCORD_DIALS,
     .options = sftp_link,
     .service_options = sftp_service},
    {.kind = ACCORD_POLICY, .name = "content", .flags = ACCORD_READS_PAYLOAD, .options = content},
    {.kind = ACCORD_POLICY, .name = "encryption", .options = encryption},
    {.kind = ACCORD_POLICY, .name = "logging"},
    {.kind = ACCORD_POLICY, .name = "services"},
};
static const struct conf_plugins plugins = {plugin_items, sizeof plugin_items / sizeof *plugin_items};

/* ---- a conf.d of one's own ---- */

struct place {
    char root[64], folder[80];
    struct conf_agent agent;
    struct conf *conf;
    struct conf_report report;
};

static int setup(void **state)
{
    static const struct clock_source now = {.wall = INT64_C(1760000000) * 1000000}; /* October 2025 */
    struct place *p = calloc(1, sizeof *p);
    char path[128];
    strcpy(p->root, "/tmp/accord-conf-XXXXXX");
    assert_non_null(mkdtemp(p->root));
    snprintf(p->folder, sizeof p->folder, "%s/conf.d", p->root);
    snprintf(path, sizeof path, "%s/credentials/cbp", p->root);
    assert_int_equal(file_make_folder(p->folder, NULL) | file_make_folder(path, NULL), 0);
    clock_use(&now);
    *state = p;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st, (void)kind, (void)walk;
    return remove(path);
}

static int teardown(void **state)
{
    struct place *p = *state;
    conf_free(p->conf);
    conf_agent_fini(&p->agent);
    conf_report_fini(&p->report);
    nftw(p->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(p);
    clock_use(NULL);
    return 0;
}

static void put(const struct place *p, const char *name, const char *text, unsigned mode)
{
    char path[256];
    struct reason why;
    snprintf(path, sizeof path, "%s/%s", p->root, name);
    if (file_replace(path, text, strlen(text), 0600, &why) || chmod(path, mode))
        fail_msg("%s", why.text);
}

static void load(struct place *p)
{
    int result = conf_load_agent(p->folder, NULL, &p->agent, &p->report);
    assert_true(result == 0 || result == ACCORD_EINVAL);
    assert_int_equal(conf_load(p->folder, &p->agent, &plugins, &p->conf, &p->report), 0);
    conf_report_sort(&p->report);
}

static void show(const struct conf_report *report)
{
    static const char *const words[] = {"error", "unchecked", "note"};
    for (size_t i = 0; i < report->count; i++)
        print_error("%s:%d: %s: %s\n", report->items[i].file, report->items[i].line,
                    words[report->items[i].severity], report->items[i].text);
}

static void expect(const struct place *p, enum conf_severity severity, const char *file, int line,
                   const char *part)
{
    for (size_t i = 0; i < p->report.count; i++) {
        const struct conf_problem *problem = &p->report.items[i];
        if (problem->severity == severity && problem->line == line && !strcmp(problem->file, file) &&
            strstr(problem->text, part))
            return;
    }
    show(&p->report);
    fail_msg("not in the report: %s:%d: %s", file, line, part);
}

static void expect_error(const struct place *p, const char *file, int line, const char *part)
{
    expect(p, CONF_ERROR, file, line, part);
}

static void expect_errors(const struct place *p, size_t count)
{
    if (conf_report_count(&p->report, CONF_ERROR, NULL) == count)
        return;
    show(&p->report);
    fail_msg("%zu errors, not %zu", conf_report_count(&p->report, CONF_ERROR, NULL), count);
}

#define SITE                                                                                                 \
    "[site]\nname = Acme\n[link in]\nconnector = dir\npath = /srv/in\n"                                      \
    "[service stow-plans]\ntype = stow-plan\ndirection = receive\nlink = in\n"
#define HEAD                                                                                                     \
    "[agreement]\ntitle = CBP ISA\npartner = CBP\nenabled = yes\nacknowledged = 2025-03-14\n" /* lines 1 to 5 */ \
    "[endpoint e]\nhost = sftp.cbp.example\nport = 22\n"                                      /* 6 to 8 */       \
    "[link sftp]\nconnector = sftp\nendpoint = e\nuser = acme\nkey = id\nhost-key = SHA256:x\n" /* 9 to 14 */
#define SERVICE                                                                                              \
    "[service stow-plan]\ntype = stow-plan\ndirection = send\nlink = sftp\ndirectory = /in\n" /* 15 to 19 */ \
    "from = site/stow-plans\n"                                                                /* 20 */

static void put_good(const struct place *p)
{
    put(p, "conf.d/site.conf", SITE, 0600);
    put(p, "conf.d/cbp.conf", HEAD SERVICE, 0600);
    put(p, "credentials/cbp/id", "secret", 0600);
}

/* ---- what is compiled ---- */

static const char *pair(const struct accord_pair *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(pairs[i].name, name))
            return pairs[i].value;
    return NULL;
}

static void a_good_folder_is_compiled_whole(void **state)
{
    struct place *p = *state;
    put_good(p);
    load(p);
    expect_errors(p, 0);
    assert_int_equal(p->report.count, 0);
    assert_int_equal(p->conf->agreement_count, 2);
    assert_string_equal(p->conf->agreements[0]->name, "site");
    assert_true(p->conf->agreements[0]->is_site);
    assert_int_equal(p->conf->agreements[0]->in_force_until, INT64_MAX);
    const struct conf_agreement *cbp = conf_agreement_find(p->conf, "cbp");
    assert_non_null(cbp);
    assert_int_equal(cbp->in_force_from, INT64_C(1741910400) * 1000000);
    assert_int_equal(cbp->in_force_until,
                     INT64_C(1836604800) * 1000000); /* 2028-03-14, not three times 365 days */
    assert_int_equal(strlen(cbp->sha256), 64);
    assert_int_equal(cbp->archive_retention, 2557 * CALENDAR_DAY_MS);
    const struct conf_service *service = conf_service_find(cbp, "stow-plan");
    assert_string_equal(service->type->name, "stow-plan");
    assert_int_equal(service->direction, ACCORD_SEND);
    assert_int_equal(service->max_size, 10000000);
    assert_int_equal(service->retry_first, 10000);
    assert_true(service->resend_uncertain);
    assert_string_equal(service->link->connector->name, "sftp");
    assert_string_equal(service->link->endpoint->host, "sftp.cbp.example");
    assert_int_equal(service->link->endpoint->port, 22);
    assert_int_equal(service->link->endpoint->connect_timeout, 30000);
    assert_string_equal(pair(service->options, service->option_count, "directory"), "/in");
    assert_string_equal(pair(service->options, service->option_count, "if-exists"), "fail");
    assert_null(pair(service->options, service->option_count, "from"));
    assert_string_equal(pair(service->link->options, service->link->option_count, "key"), "id");
}

static void the_three_policies_are_always_there_and_first(void **state)
{
    struct place *p = *state;
    put_good(p);
    put(p, "conf.d/cbp.conf", HEAD SERVICE "[policy content]\n[policy encryption]\nfips = preferred\n", 0600);
    load(p);
    expect_errors(p, 0);
    const struct conf_agreement *cbp = conf_agreement_find(p->conf, "cbp");
    assert_int_equal(cbp->policy_count, 4);
    assert_string_equal(cbp->policies[0].module->name, "services");
    assert_string_equal(cbp->policies[1].module->name, "encryption");
    assert_string_equal(cbp->policies[2].module->name, "logging");
    assert_string_equal(cbp->policies[3].module->name, "content");
    assert_string_equal(pair(cbp->policies[1].options, cbp->policies[1].option_count, "fips"), "preferred");
    assert_string_equal(pair(cbp->policies[1].options, cbp->policies[1].option_count, "ssh-ciphers"),
                        "aes256-ctr");
}

static void agent_conf_may_be_absent(void **state)
{
    struct place *p = *state;
    char credentials[128];
    assert_int_equal(conf_load_agent(p->folder, NULL, &p->agent, &p->report), 0);
    assert_string_equal(p->agent.state, "/var/lib/accord");
    snprintf(credentials, sizeof credentials, "%s/credentials", p->root);
    assert_string_equal(p->agent.credentials, credentials);
    assert_string_equal(p->agent.log_format, "text");
    assert_int_equal(p->agent.log_level, ACCORD_INFO);
    assert_int_equal(p->agent.online_retention, 90 * CALENDAR_DAY_MS);
    assert_int_equal(p->agent.archive_retention, 2557 * CALENDAR_DAY_MS);
    assert_int_equal(p->agent.anchor_every, 60000);
    assert_int_equal(conf_type_find(&p->agent, "stow-plan")->max_size, 10000000);
}

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void agent_conf_sets_everything(void **state)
{
    struct place *p = *state;
    put(p, "conf.d/agent.conf",
        "[agent]\nstate = /srv/state\nplugins = /srv/plugins\ncredentials = /srv/secrets\n"
        "[log]\nformat = json\nlevel = warning\n[store]\nbackend = memory\nsegment-size = 2 MiB\n"
        "[limits]\ndrain-timeout = 3 s\n[plugins]\nconnector-sftp.so = " HASH "\n"
        "[type stow-plan]\nmax-size = 1 MB\n[type invoice]\nmedia = text/xml\n",
        0600);
    assert_int_equal(conf_load_agent(p->folder, NULL, &p->agent, &p->report), 0);
    assert_string_equal(p->agent.state, "/srv/state");
    assert_string_equal(p->agent.credentials, "/srv/secrets");
    assert_string_equal(p->agent.log_format, "json");
    assert_int_equal(p->agent.log_level, ACCORD_WARNING);
    assert_string_equal(p->agent.store_backend, "memory");
    assert_int_equal(p->agent.segment_size, 2 << 20);
    assert_int_equal(p->agent.drain_timeout, 3000);
    assert_int_equal(p->agent.pin_count, 1);
    assert_string_equal(p->agent.pins[0].name, "connector-sftp.so");
    assert_string_equal(p->agent.pins[0].value, HASH);
    assert_int_equal(conf_type_find(&p->agent, "stow-plan")->max_size, 1000000);
    assert_string_equal(conf_type_find(&p->agent, "stow-plan")->media, "application/edifact");
    assert_string_equal(conf_type_find(&p->agent, "invoice")->media, "text/xml");
    conf_agent_fini(&p->agent);
    assert_int_equal(conf_load_agent(p->folder, "/elsewhere", &p->agent, &p->report), 0);
    assert_string_equal(p->agent.state, "/elsewhere");
}

static void mistakes_of_agent_conf_are_all_listed(void **state)
{
    struct place *p = *state;
    put(p, "conf.d/agent.conf",
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
    struct place *p = *state;
    assert_int_equal(conf_load_agent("/nonexistent/conf.d", NULL, &p->agent, &p->report), ACCORD_EINVAL);
    expect_error(p, "agent.conf", 0, "there is no folder /nonexistent/conf.d");
}

static void only_names_of_agreements_are_read(void **state)
{
    struct place *p = *state;
    put_good(p);
    put(p, "conf.d/cbp.conf.bak", "rubbish", 0600);
    put(p, "conf.d/Big.conf", "rubbish", 0600);
    put(p, "conf.d/.hidden.conf", "rubbish", 0600);
    put(p, "conf.d/cbp-isa.conf~", "rubbish", 0600);
    load(p);
    expect_errors(p, 0);
    assert_int_equal(p->report.count, 3);
    expect(p, CONF_NOTE, "cbp.conf.bak", 0, "not read");
    expect(p, CONF_NOTE, "Big.conf", 0, "not read");
    expect(p, CONF_NOTE, "cbp-isa.conf~", 0, "not read");
    assert_int_equal(p->conf->agreement_count, 2);
}

/* ---- mistakes ---- */

static void ten_planted_mistakes_are_listed_with_their_lines(void **state)
{
    struct place *p = *state;
    put_good(p);
    put(p, "conf.d/cbp.conf",
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
    load(p);
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
static void check_line(struct place *p, int line, const char *text, int at, const char *part)
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
    put(p, "conf.d/cbp.conf", whole, 0600);
    load(p);
    expect_error(p, "cbp.conf", at, part);
    expect_errors(p, 1);
    assert_null(conf_agreement_find(p->conf, "cbp"));
    conf_free(p->conf);
    p->conf = NULL;
    conf_report_fini(&p->report);
}

static void each_rule_has_its_error(void **state)
{
    struct place *p = *state;
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
    struct place *p = *state;
    put(p, "conf.d/site.conf", SITE "from = site/x\nretry-for = 1 h\n", 0600);
    load(p);
    expect_error(p, "site.conf", 10, "where its messages go is written as `to`");
    expect_error(p, "site.conf", 11, "`retry-for` belongs to sending services");
    expect_errors(p, 2);
}

static void an_agreement_file_needs_its_section(void **state)
{
    struct place *p = *state;
    put(p, "conf.d/empty.conf", "", 0600);
    load(p);
    expect_error(p, "empty.conf", 0, "there is no [agreement] section");
    expect_errors(p, 1);
    assert_int_equal(p->conf->agreement_count, 0);
}

static void an_unreadable_file_is_one_error(void **state)
{
    struct place *p = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/loop.conf", p->folder);
    assert_int_equal(symlink("loop.conf", path), 0);
    load(p);
    expect_error(p, "loop.conf", 0, "cannot open");
    expect_errors(p, 1);
}

/* ---- secrets ---- */

static void secrets_are_checked_without_being_read(void **state)
{
    struct place *p = *state;
    put_good(p);
    put(p, "credentials/cbp/id", "secret", 0644);
    check_line(p, 1, "[agreement]\n", 13, "open to other users (mode 0644); run: chmod 600");
    put(p, "credentials/cbp/id", "", 0600);
    check_line(p, 1, "[agreement]\n", 13, "is empty");
    char path[128];
    snprintf(path, sizeof path, "%s/credentials/cbp/id", p->root);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    check_line(p, 1, "[agreement]\n", 13, "symbolic links are refused");
}

static void secrets_of_a_disabled_agreement_may_be_missing(void **state)
{
    struct place *p = *state;
    put(p, "conf.d/cbp.conf",
        "[agreement]\ntitle = T\npartner = P\n[endpoint e]\nhost = h.example\nport = 22\n"
        "[link sftp]\nconnector = sftp\nendpoint = e\nuser = acme\nkey = later\nhost-key = SHA256:x\n",
        0600);
    load(p);
    expect_errors(p, 0);
    expect(p, CONF_NOTE, "cbp.conf", 11, "needed before the agreement is enabled");
    assert_false(conf_agreement_find(p->conf, "cbp")->enabled);
}

static void what_this_user_may_not_see_is_not_checked(void **state)
{
    struct place *p = *state;
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
    load(p);
    if (root)
        assert_int_equal(seteuid(0), 0);
    else
        assert_int_equal(chmod(path, 0700), 0);
    expect_errors(p, 0);
    expect(p, CONF_UNCHECKED, "cbp.conf", 13, "this user may not look for");
    assert_non_null(conf_agreement_find(p->conf, "cbp"));
}

/* ---- routes ---- */

static void collect(void *arg, const struct conf_agreement *agreement, const struct conf_service *service)
{
    char *text = arg;
    sprintf(text + strlen(text), "%s/%s ", agreement->name, service->name);
}

static void routes_are_the_union_of_both_ends(void **state)
{
    struct place *p = *state;
    char found[256] = "";
    put_good(p);
    put(p, "conf.d/site.conf",
        SITE "to = cbp/stow-plan, site/copy\n"
             "[service copy]\ntype = stow-plan\ndirection = send\nlink = in\nfolder = copies\n"
             "[service other]\ntype = stow-plan\ndirection = send\nlink = in\n",
        0600);
    load(p);
    expect_errors(p, 0);
    const struct conf_agreement *site = conf_agreement_find(p->conf, "site");
    conf_routes(p->conf, site, conf_service_find(site, "stow-plans"), collect, found);
    assert_string_equal(found, "site/copy cbp/stow-plan ");
    found[0] = 0;
    conf_routes(p->conf, site, conf_service_find(site, "copy"), collect, found);
    assert_string_equal(found, "");
}

#define OTHER                                                                                                \
    "[agreement]\ntitle = T\npartner = P\nenabled = yes\nacknowledged = 2025-01-01\n"                        \
    "[link box]\nconnector = dir\npath = /srv/other\n"                                                       \
    "[service plans]\ntype = stow-plan\ndirection = receive\nlink = box\n"

static void flow_between_agreements_needs_a_release(void **state)
{
    struct place *p = *state;
    put_good(p);
    put(p, "conf.d/cbp.conf", HEAD SERVICE, 0600);
    put(p, "conf.d/other.conf", OTHER "to = cbp/stow-plan\n", 0600);
    load(p);
    expect_error(p, "other.conf", 13, "`stow-plan` received under other may not go to cbp");
    expect_errors(p, 1);
    assert_null(conf_agreement_find(p->conf, "other"));
    conf_free(p->conf);
    conf_report_fini(&p->report);

    put(p, "conf.d/other.conf", OTHER "to = cbp/stow-plan\n[release stow-plan]\nto = cbp\n", 0600);
    load(p);
    expect_errors(p, 0);
    const struct conf_agreement *other = conf_agreement_find(p->conf, "other");
    assert_int_equal(other->release_count, 1);
    assert_string_equal(other->releases[0].agreement, "cbp");
    assert_string_equal(other->releases[0].service, "stow-plan");
}

static void a_release_of_another_type_does_not_count(void **state)
{
    struct place *p = *state;
    put_good(p);
    put(p, "conf.d/cbp.conf",
        HEAD "[service s]\ntype = stow-plan\ndirection = send\nlink = sftp\ndirectory = /in\n"
             "from = other/plans\n",
        0600);
    put(p, "conf.d/other.conf", OTHER "[release container-status]\nto = cbp\n", 0600);
    load(p);
    expect_error(p, "cbp.conf", 20, "other.conf does not release it ([release stow-plan] with to = cbp)");
    expect_errors(p, 1);
}

static void a_route_to_a_broken_agreement_is_a_note(void **state)
{
    struct place *p = *state;
    char found[256] = "";
    put_good(p);
    put(p, "conf.d/site.conf", SITE "to = cbp/stow-plan, cbp/missing\n", 0600);
    put(p, "conf.d/cbp.conf", HEAD SERVICE "[servce missing]\n", 0600);
    load(p);
    expect_error(p, "cbp.conf", 21, "[servce missing] is no section");
    expect_errors(p, 1);
    expect(p, CONF_NOTE, "site.conf", 10, "cbp/stow-plan is out of use until cbp.conf is corrected");
    expect(p, CONF_NOTE, "site.conf", 6, "no service takes what [service stow-plans] receives");
    const struct conf_agreement *site = conf_agreement_find(p->conf, "site");
    assert_non_null(site);
    assert_int_equal(conf_service_find(site, "stow-plans")->to_count, 0);
    conf_routes(p->conf, site, conf_service_find(site, "stow-plans"), collect, found);
    assert_string_equal(found, "");
}

/* ---- dates ---- */

static void dates_near_and_past_are_noted(void **state)
{
    struct place *p = *state;
    static const struct {
        int64_t days; /* after 2025-03-14 */
        const char *text;
    } cases[] = {{-1, "comes into force on 2025-03-14"},
                 {0, NULL},
                 {1096 - 181, NULL},
                 {1096 - 180, "ends on 2028-03-14"},
                 {1096, "ended on 2028-03-14"}};
    put_good(p);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct clock_source now = {.wall = (INT64_C(1741910400) + cases[i].days * 86400) * 1000000};
        clock_use(&now);
        load(p);
        expect_errors(p, 0);
        assert_int_equal(p->report.count, cases[i].text ? 1 : 0);
        if (cases[i].text)
            expect(p, CONF_NOTE, "cbp.conf", 5, cases[i].text);
        conf_free(p->conf);
        p->conf = NULL;
        conf_report_fini(&p->report);
    }
}

/* ---- what the project ships ---- */

static void copy_shipped(const struct place *p, const char *name, const char *from, const char *to)
{
    char path[4096];
    struct buf text = {0};
    struct reason why;
    snprintf(path, sizeof path, "%s/conf.d/%s", getenv("ACCORD_SOURCE"), name);
    if (file_read(path, 1 << 20, &text, &why) || !buf_string(&text))
        fail_msg("%s", why.text);
    char *at = from ? strstr((char *)text.data, from) : NULL;
    assert_true(!from || (at && strlen(from) == strlen(to)));
    if (at)
        memcpy(at, to, strlen(to));
    snprintf(path, sizeof path, "conf.d/%s", name);
    put(p, path, buf_string(&text), 0600);
    buf_fini(&text);
}

static void the_shipped_folder_is_clean(void **state)
{
    struct place *p = *state;
    if (!getenv("ACCORD_SOURCE"))
        skip();
    copy_shipped(p, "agent.conf", NULL, NULL);
    copy_shipped(p, "site.conf", NULL, NULL);
    copy_shipped(p, "cbp-isa.conf", NULL, NULL);
    load(p);
    expect_errors(p, 0);
    assert_int_equal(conf_report_count(&p->report, CONF_NOTE, NULL), 1); /* the key is still to come */
    const struct conf_agreement *cbp = conf_agreement_find(p->conf, "cbp-isa");
    assert_non_null(cbp);
    assert_false(cbp->enabled);
    assert_int_equal(cbp->service_count, 3);
    assert_int_equal(cbp->endpoints[0].tunnel, CONF_TUNNEL_IPSEC);
    assert_string_equal(cbp->incident_to->phone, "+1-703-921-6507");
    const struct conf_agreement *site = conf_agreement_find(p->conf, "site");
    for (size_t i = 0; i < site->service_count; i++) {
        char found[256] = "";
        conf_routes(p->conf, site, &site->services[i], collect, found);
        assert_non_null(strstr(found, "cbp-isa/"));
    }
}

static void the_shipped_agreement_cannot_be_enabled_as_it_is(void **state)
{
    struct place *p = *state;
    if (!getenv("ACCORD_SOURCE"))
        skip();
    copy_shipped(p, "site.conf", NULL, NULL);
    copy_shipped(p, "cbp-isa.conf", "enabled      = no", "enabled      =yes");
    load(p);
    assert_int_equal(conf_report_count(&p->report, CONF_ERROR, "cbp-isa.conf"), 2);
    expect_error(p, "cbp-isa.conf", 7, "lacks the key `acknowledged`");
    assert_null(conf_agreement_find(p->conf, "cbp-isa"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_good_folder_is_compiled_whole),
        TEST(the_three_policies_are_always_there_and_first),
        TEST(agent_conf_may_be_absent),
        TEST(agent_conf_sets_everything),
        TEST(mistakes_of_agent_conf_are_all_listed),
        TEST(a_missing_folder_is_said),
        TEST(only_names_of_agreements_are_read),
        TEST(ten_planted_mistakes_are_listed_with_their_lines),
        TEST(each_rule_has_its_error),
        TEST(a_receiving_service_has_no_sending_keys),
        TEST(an_agreement_file_needs_its_section),
        TEST(an_unreadable_file_is_one_error),
        TEST(secrets_are_checked_without_being_read),
        TEST(secrets_of_a_disabled_agreement_may_be_missing),
        TEST(what_this_user_may_not_see_is_not_checked),
        TEST(routes_are_the_union_of_both_ends),
        TEST(flow_between_agreements_needs_a_release),
        TEST(a_release_of_another_type_does_not_count),
        TEST(a_route_to_a_broken_agreement_is_a_note),
        TEST(dates_near_and_past_are_noted),
        TEST(the_shipped_folder_is_clean),
        TEST(the_shipped_agreement_cannot_be_enabled_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
