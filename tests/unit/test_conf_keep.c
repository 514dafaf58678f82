/* What a reload takes on and what keeps its running version, when files change together and some have mistakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/folder.h"
#include "conf_place.h"

#include <cmocka.h> /* last: it has a macro `fail` */

/* The site with a second folder, a second agreement that takes from the first one's partner. */
#define SITE_TWO                                                                                             \
    "[site]\nname = Acme\n[link in]\nconnector = dir\npath = /srv/in\n"                                      \
    "[service plans]\ntype = stow-plan\ndirection = receive\nlink = in\n"
#define TYPE_TWO                                                                                             \
    "[site]\nname = Acme\n[link in]\nconnector = dir\npath = /srv/in\n"                                      \
    "[service stow-plans]\ntype = opaque\ndirection = receive\nlink = in\n"
#define MISTAKE "[service x]\n"
#define SERVICE_OF(type, from)                                                                               \
    "[service stow-plan]\ntype = " type "\ndirection = send\nlink = sftp\ndirectory = /in\nfrom = " from "\n"
/* Another agreement that receives, so that there is something to release. */
#define SOURCE(release)                                                                                      \
    "[agreement]\ntitle = A\npartner = B\nenabled = no\n[link in]\nconnector = dir\npath = /srv/a\n"         \
    "[service plans]\ntype = stow-plan\ndirection = receive\nlink = in\n" release

struct running {
    struct conf *conf;
    const struct conf_agreement *versions[16];
    size_t count;
};

/* What was loaded runs; then the files are loaded again, held against it. */
static struct running run_and_reload(struct conf_place *p)
{
    struct running running = {.conf = p->conf};
    for (size_t i = 0; i < p->conf->agreement_count; i++)
        running.versions[running.count++] = p->conf->agreements[i];
    const struct conf_setting setting = {.running = running.versions, .running_count = running.count};
    p->conf = NULL;
    conf_report_fini(&p->report);
    conf_agent_fini(&p->agent);
    int result = conf_reload_agent(p->folder, NULL, &running.conf->agent, &p->agent, &p->report);
    if (result) {
        conf_agent_fini(&p->agent);
        assert_int_equal(conf_agent_copy(&running.conf->agent, &p->agent), 0);
    }
    assert_int_equal(conf_load_with(p->folder, &p->agent, place_plugins, &setting, &p->conf, &p->report), 0);
    conf_report_sort(&p->report);
    return running;
}

static bool taken(const struct conf_place *p, const char *name)
{
    return conf_agreement_find(p->conf, name) != NULL;
}

static void load_good(struct conf_place *p)
{
    put_good(p);
    load_place(p);
    expect_errors(p, 0);
}

static void what_did_not_change_runs_alike(void **state)
{
    struct conf_place *p = *state;
    load_good(p);
    struct running running = run_and_reload(p);
    expect_errors(p, 0);
    assert_true(taken(p, "cbp") && taken(p, "site"));
    for (size_t i = 0; i < running.count; i++)
        assert_true(conf_same(running.versions[i], conf_agreement_find(p->conf, running.versions[i]->name)));
    conf_free(running.conf);
}

static void a_file_with_a_mistake_is_kept_and_the_others_are_taken(void **state)
{
    struct conf_place *p = *state;
    load_good(p);
    put_file(p, "conf.d/cbp.conf", HEAD SERVICE MISTAKE, 0600);
    put_file(p, "conf.d/site.conf", SITE "[link more]\nconnector = dir\npath = /srv/more\n", 0600);
    struct running running = run_and_reload(p);
    assert_false(taken(p, "cbp"));
    assert_true(taken(p, "site") && conf_has_file(p->conf, "cbp"));
    assert_true(conf_report_count(&p->report, CONF_ERROR, "cbp.conf") > 0);
    assert_int_equal(conf_report_count(&p->report, CONF_ERROR, "site.conf"), 0);
    conf_free(running.conf);
}

/* The route is there in what runs: it stays in use. */
static void a_route_into_a_kept_version_stays(void **state)
{
    struct conf_place *p = *state;
    load_good(p);
    put_file(p, "conf.d/site.conf", SITE MISTAKE, 0600);
    put_file(p, "conf.d/cbp.conf", HEAD SERVICE "; changed\n", 0600);
    struct running running = run_and_reload(p);
    assert_false(taken(p, "site"));
    assert_int_equal(conf_agreement_find(p->conf, "cbp")->services[0].from_count, 1);
    assert_int_equal(conf_report_count(&p->report, CONF_NOTE, "cbp.conf"), 0);
    conf_free(running.conf);
}

static void what_needs_the_new_version_of_a_kept_file_is_kept(void **state)
{
    struct conf_place *p = *state;
    load_good(p);
    put_file(p, "conf.d/site.conf", SITE_TWO MISTAKE, 0600);
    put_file(p, "conf.d/cbp.conf", HEAD SERVICE_OF("stow-plan", "site/plans"), 0600);
    struct running running = run_and_reload(p);
    assert_false(taken(p, "site"));
    assert_false(taken(p, "cbp"));
    expect_error(p, "cbp.conf", 20, "there is no [service plans] in site.conf as it runs");
    conf_free(running.conf);
}

/* The other way round: the file with the mistake is the one that has the route. */
static void what_would_not_fit_a_kept_version_is_kept(void **state)
{
    struct conf_place *p = *state;
    load_good(p);
    put_file(p, "conf.d/site.conf", SITE_TWO, 0600);
    put_file(p, "conf.d/cbp.conf", HEAD SERVICE_OF("stow-plan", "site/plans") MISTAKE, 0600);
    struct running running = run_and_reload(p);
    assert_false(taken(p, "cbp"));
    assert_false(taken(p, "site"));
    assert_int_equal(conf_report_count(&p->report, CONF_ERROR, "site.conf"), 1);
    expect_error(p, "site.conf", 0, "cbp/stow-plan goes on as it runs, because cbp.conf has mistakes");
    conf_free(running.conf);
}

static void a_type_that_changes_at_both_ends_changes_at_both_or_at_none(void **state)
{
    struct conf_place *p = *state;
    load_good(p);
    put_file(p, "conf.d/site.conf", TYPE_TWO, 0600);
    put_file(p, "conf.d/cbp.conf", HEAD SERVICE_OF("opaque", "site/stow-plans") MISTAKE, 0600);
    struct running running = run_and_reload(p);
    assert_false(taken(p, "site") || taken(p, "cbp"));
    expect_error(p, "site.conf", 7, "this file waits until cbp.conf is corrected");
    conf_free(running.conf);
    conf_report_fini(&p->report);
}

static void a_type_that_changes_at_both_ends_is_taken_on(void **state)
{
    struct conf_place *p = *state;
    load_good(p);
    put_file(p, "conf.d/site.conf", TYPE_TWO, 0600);
    put_file(p, "conf.d/cbp.conf", HEAD SERVICE_OF("opaque", "site/stow-plans"), 0600);
    struct running running = run_and_reload(p);
    expect_errors(p, 0);
    assert_true(taken(p, "site") && taken(p, "cbp"));
    assert_false(conf_same(running.versions[0], conf_agreement_find(p->conf, "site")));
    conf_free(running.conf);
}

/* Whoever edits one end meant it: the file that was not touched says what is missing, and goes on. */
static void a_file_that_others_have_broken_is_kept_and_they_are_taken(void **state)
{
    struct conf_place *p = *state;
    load_good(p);
    put_file(p, "conf.d/site.conf", SITE_TWO, 0600);
    struct running running = run_and_reload(p);
    assert_true(taken(p, "site"));
    assert_false(taken(p, "cbp"));
    expect_error(p, "cbp.conf", 20, "there is no [service stow-plans] in site.conf");
    conf_free(running.conf);
}

static void a_release_that_only_the_new_version_has_does_not_count(void **state)
{
    struct conf_place *p = *state;
    put_good(p);
    put_file(p, "conf.d/from.conf", SOURCE(""), 0600);
    load_place(p);
    expect_errors(p, 0);
    put_file(p, "conf.d/from.conf", SOURCE("[release stow-plan]\nto = cbp\n[link]\n"), 0600);
    put_file(p, "conf.d/cbp.conf", HEAD SERVICE_OF("stow-plan", "site/stow-plans, from/plans"), 0600);
    struct running running = run_and_reload(p);
    assert_false(taken(p, "from") || taken(p, "cbp"));
    expect_error(p, "cbp.conf", 20, "from.conf does not release it");
    conf_free(running.conf);
}

static void a_new_type_of_a_broken_agent_conf_does_not_count(void **state)
{
    struct conf_place *p = *state;
    load_good(p);
    put_file(p, "conf.d/agent.conf", "[type manifest]\nmedia = text/plain\n[lgo]\n", 0600);
    put_file(p, "conf.d/site.conf",
             SITE "[service m]\ntype = manifest\ndirection = receive\nlink = in\nfolder = m\n", 0600);
    struct running running = run_and_reload(p);
    assert_false(taken(p, "site"));
    assert_true(taken(p, "cbp"));
    expect_error(p, "agent.conf", 3, "[lgo]");
    expect_error(p, "site.conf", 11, "there is no message type `manifest`");
    conf_free(running.conf);
}

static void a_limit_of_agent_conf_makes_a_difference_to_who_has_it(void **state)
{
    struct conf_place *p = *state;
    load_good(p);
    put_file(p, "conf.d/agent.conf", "[type stow-plan]\nmax-size = 5 MB\n", 0600);
    struct running running = run_and_reload(p);
    expect_errors(p, 0);
    assert_false(conf_same(conf_agreement_find(running.conf, "cbp"), conf_agreement_find(p->conf, "cbp")));
    conf_free(running.conf);
}

static void what_needs_a_restart_is_said_and_keeps_its_value(void **state)
{
    struct conf_place *p = *state;
    put_good(p);
    put_file(p, "conf.d/agent.conf", "[store]\nsegment-size = 8 MiB\n[limits]\ndrain-timeout = 3 s\n", 0600);
    load_place(p);
    put_file(p, "conf.d/agent.conf",
             "[agent]\nstate = /srv/other\n[store]\nsegment-size = 16 MiB\n[limits]\ndrain-timeout = 4 s\n",
             0600);
    struct running running = run_and_reload(p);
    expect_errors(p, 0);
    expect_report(p, CONF_RESTART, "agent.conf", 2, "state of [agent]");
    expect_report(p, CONF_RESTART, "agent.conf", 4, "segment-size of [store]");
    assert_int_equal(conf_report_count(&p->report, CONF_RESTART, NULL), 2);
    assert_int_equal(p->conf->agent.segment_size, 8 << 20);
    assert_int_equal(p->conf->agent.drain_timeout, 4000);
    assert_string_equal(p->conf->agent.state, "/var/lib/accord");
    conf_free(running.conf);
}

static void a_former_name_is_taken_over_by_one_and_when_it_is_gone(void **state)
{
    struct conf_place *p = *state;
    put_file(p, "conf.d/site.conf", SITE, 0600);
    put_file(p, "conf.d/old.conf", SOURCE(""), 0600);
    put_file(p, "conf.d/new.conf", "[agreement]\ntitle = A\npartner = B\nenabled = no\nformerly = old\n",
             0600);
    load_place(p);
    expect_error(p, "new.conf", 5, "old.conf is still there");
    assert_false(taken(p, "new"));
    put_file(p, "conf.d/more.conf", "[agreement]\ntitle = A\npartner = B\nenabled = no\nformerly = gone\n",
             0600);
    put_file(p, "conf.d/new.conf", "[agreement]\ntitle = A\npartner = B\nenabled = no\nformerly = gone\n",
             0600);
    struct running running = run_and_reload(p);
    expect_error(p, "new.conf", 5, "more than one file");
    expect_error(p, "more.conf", 5, "more than one file");
    conf_free(running.conf);
}

static void a_file_counts_with_other_bytes(void **state)
{
    struct conf_place *p = *state;
    put_good(p);
    assert_int_equal(conf_load_agent(p->folder, NULL, &p->agent, &p->report), 0);
    const char *text = HEAD SERVICE MISTAKE;
    const struct conf_setting setting = {.instead = "cbp.conf", .bytes = text, .size = strlen(text)};
    assert_int_equal(conf_load_with(p->folder, &p->agent, place_plugins, &setting, &p->conf, &p->report), 0);
    assert_true(conf_report_count(&p->report, CONF_ERROR, "cbp.conf") > 0);
}

static void elsewhere_what_is_not_there_is_not_checked(void **state)
{
    struct conf_place *p = *state;
    put_file(p, "conf.d/agent.conf", "[agent]\nuser = nobody-here\ncredentials = /nonexistent\n", 0600);
    put_file(p, "conf.d/site.conf", SITE, 0600);
    put_file(p, "conf.d/cbp.conf", HEAD SERVICE, 0600);
    assert_int_equal(conf_load_agent(p->folder, NULL, &p->agent, &p->report), 0);
    const struct conf_setting setting = {.elsewhere = true};
    assert_int_equal(conf_load_with(p->folder, &p->agent, place_plugins, &setting, &p->conf, &p->report), 0);
    expect_errors(p, 0);
    expect_report(p, CONF_UNCHECKED, "agent.conf", 2, "nobody-here");
    expect_report(p, CONF_UNCHECKED, "cbp.conf", 13, "/nonexistent");
    expect_report(p, CONF_UNCHECKED, "site.conf", 5, "/srv/in");
}

/* ---- the folder ---- */

static bool changed(const struct conf_place *p, struct conf_signature *signature)
{
    struct conf_signature before = *signature;
    assert_true(conf_folder_sign(p->folder, signature));
    return memcmp(&before, signature, sizeof before) != 0;
}

static void the_signature_tells_of_every_change_that_counts(void **state)
{
    struct conf_place *p = *state;
    struct conf_signature signature;
    char from[128], to[128];
    put_good(p);
    assert_true(conf_folder_sign(p->folder, &signature));
    assert_false(changed(p, &signature));
    put_file(p, "conf.d/cbp.conf", HEAD SERVICE, 0600); /* the same bytes in another file */
    assert_true(changed(p, &signature));
    put_file(p, "conf.d/.cbp.conf.swp", "x", 0600);
    put_file(p, "conf.d/cbp.conf~", "x", 0600);
    put_file(p, "conf.d/4913", "x", 0600);
    put_file(p, "conf.d/CBP.conf", "x", 0600);
    assert_false(changed(p, &signature));
    snprintf(from, sizeof from, "%s/cbp.conf", p->folder);
    snprintf(to, sizeof to, "%s/cbp.conf.off", p->folder);
    assert_int_equal(rename(from, to), 0);
    assert_true(changed(p, &signature));
    assert_int_equal(rename(to, from), 0);
    assert_true(changed(p, &signature));
    assert_false(conf_folder_sign("/nonexistent", &signature));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        place_test(what_did_not_change_runs_alike),
        place_test(a_file_with_a_mistake_is_kept_and_the_others_are_taken),
        place_test(a_route_into_a_kept_version_stays),
        place_test(what_needs_the_new_version_of_a_kept_file_is_kept),
        place_test(what_would_not_fit_a_kept_version_is_kept),
        place_test(a_type_that_changes_at_both_ends_changes_at_both_or_at_none),
        place_test(a_type_that_changes_at_both_ends_is_taken_on),
        place_test(a_file_that_others_have_broken_is_kept_and_they_are_taken),
        place_test(a_release_that_only_the_new_version_has_does_not_count),
        place_test(a_new_type_of_a_broken_agent_conf_does_not_count),
        place_test(a_limit_of_agent_conf_makes_a_difference_to_who_has_it),
        place_test(what_needs_a_restart_is_said_and_keeps_its_value),
        place_test(a_former_name_is_taken_over_by_one_and_when_it_is_gone),
        place_test(a_file_counts_with_other_bytes),
        place_test(elsewhere_what_is_not_there_is_not_checked),
        place_test(the_signature_tells_of_every_change_that_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
