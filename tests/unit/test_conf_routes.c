/* Routes: the union of what both ends say, and what may flow between agreements. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "conf_place.h"

#include <cmocka.h> /* last: its `fail` would hide ours */

static void routes_are_the_union_of_both_ends(void **state)
{
    struct conf_place *p = *state;
    char found[256] = "";
    put_good(p);
    put_file(p, "conf.d/site.conf",
             SITE "to = cbp/stow-plan, site/copy\n"
                  "[service copy]\ntype = stow-plan\ndirection = send\nlink = in\nfolder = copies\n"
                  "[service other]\ntype = stow-plan\ndirection = send\nlink = in\n",
             0600);
    load_place(p);
    expect_errors(p, 0);
    const struct conf_agreement *site = conf_agreement_find(p->conf, "site");
    conf_routes(p->conf, site, conf_service_find(site, "stow-plans"), collect_route, found);
    assert_string_equal(found, "site/copy cbp/stow-plan ");
    found[0] = 0;
    conf_routes(p->conf, site, conf_service_find(site, "copy"), collect_route, found);
    assert_string_equal(found, "");
}

#define OTHER                                                                                                \
    "[agreement]\ntitle = T\npartner = P\nenabled = yes\nacknowledged = 2025-01-01\n"                        \
    "[link box]\nconnector = dir\npath = /srv/other\n"                                                       \
    "[service plans]\ntype = stow-plan\ndirection = receive\nlink = box\n"

static void flow_between_agreements_needs_a_release(void **state)
{
    struct conf_place *p = *state;
    put_good(p);
    put_file(p, "conf.d/cbp.conf", HEAD SERVICE, 0600);
    put_file(p, "conf.d/other.conf", OTHER "to = cbp/stow-plan\n", 0600);
    load_place(p);
    expect_error(p, "other.conf", 13, "`stow-plan` received under other may not go to cbp");
    expect_errors(p, 1);
    assert_null(conf_agreement_find(p->conf, "other"));
    conf_free(p->conf);
    conf_report_fini(&p->report);

    put_file(p, "conf.d/other.conf", OTHER "to = cbp/stow-plan\n[release stow-plan]\nto = cbp\n", 0600);
    load_place(p);
    expect_errors(p, 0);
    const struct conf_agreement *other = conf_agreement_find(p->conf, "other");
    assert_int_equal(other->release_count, 1);
    assert_string_equal(other->releases[0].agreement, "cbp");
    assert_string_equal(other->releases[0].service, "stow-plan");
}

static void a_release_of_another_type_does_not_count(void **state)
{
    struct conf_place *p = *state;
    put_good(p);
    put_file(p, "conf.d/cbp.conf",
             HEAD "[service s]\ntype = stow-plan\ndirection = send\nlink = sftp\ndirectory = /in\n"
                  "from = other/plans\n",
             0600);
    put_file(p, "conf.d/other.conf", OTHER "[release container-status]\nto = cbp\n", 0600);
    load_place(p);
    expect_error(p, "cbp.conf", 20, "other.conf does not release it ([release stow-plan] with to = cbp)");
    expect_errors(p, 1);
}

static void a_route_to_a_broken_agreement_is_a_note(void **state)
{
    struct conf_place *p = *state;
    char found[256] = "";
    put_good(p);
    put_file(p, "conf.d/site.conf", SITE "to = cbp/stow-plan, cbp/missing\n", 0600);
    put_file(p, "conf.d/cbp.conf", HEAD SERVICE "[servce missing]\n", 0600);
    load_place(p);
    expect_error(p, "cbp.conf", 21, "[servce missing] is no section");
    expect_errors(p, 1);
    expect_report(p, CONF_NOTE, "site.conf", 10, "cbp/stow-plan is out of use until cbp.conf is corrected");
    expect_report(p, CONF_NOTE, "site.conf", 6, "no service takes what [service stow-plans] receives");
    const struct conf_agreement *site = conf_agreement_find(p->conf, "site");
    assert_non_null(site);
    assert_int_equal(conf_service_find(site, "stow-plans")->to_count, 0);
    conf_routes(p->conf, site, conf_service_find(site, "stow-plans"), collect_route, found);
    assert_string_equal(found, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        place_test(routes_are_the_union_of_both_ends),
        place_test(flow_between_agreements_needs_a_release),
        place_test(a_release_of_another_type_does_not_count),
        place_test(a_route_to_a_broken_agreement_is_a_note),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
