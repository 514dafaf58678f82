/* A whole conf.d: what is read, what is compiled from it, its dates; and the one that is shipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/calendar.h"
#include "conf_place.h"
#include "util/clock.h"
#include "util/file.h"

#include <cmocka.h> /* last: its `fail` would hide ours */

static const char *pair(const struct accord_pair *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(pairs[i].name, name))
            return pairs[i].value;
    return NULL;
}

static void a_good_folder_is_compiled_whole(void **state)
{
    struct conf_place *p = *state;
    put_good(p);
    load_place(p);
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
    struct conf_place *p = *state;
    put_good(p);
    put_file(p, "conf.d/cbp.conf", HEAD SERVICE "[policy content]\n[policy encryption]\nfips = preferred\n",
             0600);
    load_place(p);
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
    struct conf_place *p = *state;
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

static void agent_conf_sets_everything(void **state)
{
    struct conf_place *p = *state;
    put_file(p, "conf.d/agent.conf",
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

static void only_names_of_agreements_are_read(void **state)
{
    struct conf_place *p = *state;
    put_good(p);
    put_file(p, "conf.d/cbp.conf.bak", "rubbish", 0600);
    put_file(p, "conf.d/Big.conf", "rubbish", 0600);
    put_file(p, "conf.d/.hidden.conf", "rubbish", 0600);
    put_file(p, "conf.d/cbp-isa.conf~", "rubbish", 0600);
    load_place(p);
    expect_errors(p, 0);
    assert_int_equal(p->report.count, 3);
    expect_report(p, CONF_NOTE, "cbp.conf.bak", 0, "not read");
    expect_report(p, CONF_NOTE, "Big.conf", 0, "not read");
    expect_report(p, CONF_NOTE, "cbp-isa.conf~", 0, "not read");
    assert_int_equal(p->conf->agreement_count, 2);
}

static void dates_near_and_past_are_noted(void **state)
{
    struct conf_place *p = *state;
    static const struct {
        int64_t days; /* after 2025-03-14 */
        const char *text;
    } cases[] = {{-1, "comes into force on 2025-03-14"},
                 {0, NULL},
                 {1096 - 181, NULL},
                 {1096 - 180, "ends on 2028-03-13"},
                 {1096, "ended on 2028-03-13"}};
    put_good(p);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct clock_source now = {.wall = (INT64_C(1741910400) + cases[i].days * 86400) * 1000000};
        clock_use(&now);
        load_place(p);
        expect_errors(p, 0);
        assert_int_equal(p->report.count, cases[i].text ? 1 : 0);
        if (cases[i].text)
            expect_report(p, CONF_NOTE, "cbp.conf", 5, cases[i].text);
        conf_free(p->conf);
        p->conf = NULL;
        conf_report_fini(&p->report);
    }
}

/* ---- what the project ships ---- */

static void copy_shipped(const struct conf_place *p, const char *name, const char *from, const char *to)
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
    put_file(p, path, buf_string(&text), 0600);
    buf_fini(&text);
}

static void the_shipped_folder_is_clean(void **state)
{
    struct conf_place *p = *state;
    if (!getenv("ACCORD_SOURCE"))
        skip();
    copy_shipped(p, "agent.conf", NULL, NULL);
    copy_shipped(p, "site.conf", NULL, NULL);
    copy_shipped(p, "cbp-isa.conf", NULL, NULL);
    load_place(p);
    expect_errors(p, 0);
    assert_int_equal(conf_report_count(&p->report, CONF_NOTE, "cbp-isa.conf"), 1); /* the key is still to come */
    const struct conf_agreement *cbp = conf_agreement_find(p->conf, "cbp-isa");
    assert_non_null(cbp);
    assert_false(cbp->enabled);
    assert_int_equal(cbp->service_count, 6);
    assert_int_equal(cbp->endpoints[0].tunnel, CONF_TUNNEL_IPSEC);
    assert_string_equal(cbp->incident_to->phone, "+1-703-921-6507");
    const struct conf_agreement *site = conf_agreement_find(p->conf, "site");
    for (size_t i = 0; i < site->service_count; i++) {
        char found[256] = "";
        if (site->services[i].direction == ACCORD_SEND) /* the end of a route */
            continue;
        conf_routes(p->conf, site, &site->services[i], collect_route, found);
        bool indicators = strcmp(site->services[i].type->name, "stix-1") == 0; /* cisa-ais.conf's */
        assert_int_equal(strstr(found, "cbp-isa/") != NULL, !indicators);
    }
}

static void the_shipped_agreement_cannot_be_enabled_as_it_is(void **state)
{
    struct conf_place *p = *state;
    if (!getenv("ACCORD_SOURCE"))
        skip();
    copy_shipped(p, "site.conf", NULL, NULL);
    copy_shipped(p, "cbp-isa.conf", "enabled      = no", "enabled      =yes");
    load_place(p);
    assert_int_equal(conf_report_count(&p->report, CONF_ERROR, "cbp-isa.conf"), 2);
    expect_error(p, "cbp-isa.conf", 8, "lacks the key `acknowledged`");
    assert_null(conf_agreement_find(p->conf, "cbp-isa"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        place_test(a_good_folder_is_compiled_whole),
        place_test(the_three_policies_are_always_there_and_first),
        place_test(agent_conf_may_be_absent),
        place_test(agent_conf_sets_everything),
        place_test(only_names_of_agreements_are_read),
        place_test(dates_near_and_past_are_noted),
        place_test(the_shipped_folder_is_clean),
        place_test(the_shipped_agreement_cannot_be_enabled_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
