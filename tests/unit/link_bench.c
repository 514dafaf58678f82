#include "link_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "link/link.h"
#include "link_puppet.h"

#include <cmocka.h> /* last: it defines fail() */

static uint64_t last_delivery;

static void put_link(struct fake_hub *hub, const char *link, const char *host, const char *messy)
{
    struct accord_pair options[] = {{"size", "2 KiB"}, {"messy", messy}};
    wire_put_LOAD(&hub->out, &(struct wire_LOAD){"connector-puppet.so", ""});
    wire_put_LINK(&hub->out,
                  &(struct wire_LINK){0, link, "puppet", host, 22, "none", WIRE_PAIRS(options, 2)});
    wire_put_SERVICE(&hub->out, &(struct wire_SERVICE){0, 0, "out", "opaque", ACCORD_SEND, 1000, "", 0, {0}});
    wire_put_SERVICE(&hub->out,
                     &(struct wire_SERVICE){1, 0, "in", "opaque", ACCORD_RECEIVE, 1000, "", 0, {0}});
    wire_put_CURSOR(&hub->out, &(struct wire_CURSOR){1, "@c0"});
    wire_put_START(&hub->out, &(struct wire_START){0});
    hub_send(hub, -1);
}

void put_configuration(struct fake_hub *hub, const char *link, const char *messy)
{
    put_link(hub, link, "peer.example", messy);
}

void hub_begin_without_endpoint(struct fake_hub *hub)
{
    hub_open(hub, WIRE_L, link_run, puppet_load, GRACE_MS);
    put_link(hub, "folder", "", "no");
    hub_expect(hub, WIRE_LOG); /* open */
    hub_expect(hub, WIRE_READY);
    hub_expect_log(hub, "start", "go");
}

void hub_begin(struct fake_hub *hub, const char *messy)
{
    hub_open(hub, WIRE_L, link_run, puppet_load, GRACE_MS);
    put_configuration(hub, "sftp", messy);
    hub_expect_log(hub, "open", "sftp peer.example:22 2048 2 in@c0");
    hub_expect(hub, WIRE_READY);
    hub_expect_log(hub, "start", "go");
}

uint64_t put_delivery(struct fake_hub *hub, const char *verb, int64_t size)
{
    static const struct accord_pair header = {"a", "b"};
    wire_put_DELIVER(&hub->out, &(struct wire_DELIVER){.delivery = ++last_delivery,
                                                       .service = 0,
                                                       .attempt = 3,
                                                       .envelope = {.id = "id1",
                                                                    .type = "opaque",
                                                                    .name = verb,
                                                                    .origin = "site/x",
                                                                    .size = size,
                                                                    .headers = WIRE_PAIRS(&header, 1)}});
    hub_send(hub, -1);
    return last_delivery;
}

void puppet_does(struct fake_hub *hub, const char *verb)
{
    uint64_t id = put_delivery(hub, verb, 0);
    const struct wire_FINISH *finished = &hub_expect(hub, WIRE_FINISH)->FINISH;
    assert_int_equal(finished->delivery, id);
    assert_string_equal(finished->receipt, verb);
}

uint64_t puppet_holds(struct fake_hub *hub, const char *verb)
{
    uint64_t id = put_delivery(hub, verb, 25);
    hub_expect_log(hub, verb, "0 id1 opaque site/x a=b attempt 3");
    return id;
}

void expect_finished(struct fake_hub *hub, uint64_t id, enum accord_outcome outcome, const char *reason)
{
    const struct wire_FINISH *finished = &hub_expect(hub, WIRE_FINISH)->FINISH;
    assert_int_equal(finished->delivery, id);
    assert_int_equal(finished->outcome, outcome);
    assert_string_equal(finished->reason, reason);
}

void hub_end(struct fake_hub *hub)
{
    hub_expect_nothing(hub);
    assert_int_equal(hub_close(hub), 0);
    assert_null(strstr(hub->text, "called-after-close"));
    assert_null(strstr(hub->text, "plugin.leaks"));
}

uint64_t puppet_dials(struct fake_hub *hub)
{
    puppet_does(hub, "dial");
    const struct wire_DIAL *asked = &hub_expect(hub, WIRE_DIAL)->DIAL;
    assert_int_equal(asked->link, 0);
    return asked->session;
}

void put_dialed(struct fake_hub *hub, uint64_t session, int64_t result, const char *reason, int fd)
{
    struct accord_pair profile[] = {{"ssh.ciphers", "aes256-gcm"}};
    wire_put_DIALED(&hub->out,
                    &(struct wire_DIALED){session, result, reason, WIRE_PAIRS(profile, result ? 0 : 1)});
    hub_send(hub, fd);
}

uint64_t connect_session(struct fake_hub *hub)
{
    uint64_t session = puppet_dials(hub);
    int fd = dup(0);
    put_dialed(hub, session, 0, "", fd);
    close(fd);
    hub_expect_log(hub, "dialed", "session fd ");
    return session;
}

void judge_session(struct fake_hub *hub, uint64_t session, enum accord_stage stage, enum accord_answer answer)
{
    puppet_does(hub, stage == ACCORD_HANDSHAKE ? "handshake" : "authenticated");
    const struct wire_FACTS *facts = &hub_expect(hub, WIRE_FACTS)->FACTS;
    assert_int_equal(facts->session, session);
    assert_int_equal(facts->stage, stage);
    assert_string_equal(wire_pairs_get(&facts->facts, "ssh.kex"), "curve25519-sha256");
    wire_put_FACTS_VERDICT(&hub->out,
                           &(struct wire_FACTS_VERDICT){session, (uint8_t)stage, (uint8_t)answer,
                                                        answer ? "encryption.ssh-cipher" : "", "because"});
    hub_send(hub, -1);
    hub_expect_log(hub, "verdict", answer ? "1 encryption.ssh-cipher because" : "0  because");
}

uint64_t puppet_offers(struct fake_hub *hub)
{
    puppet_does(hub, "offer");
    const struct wire_OFFER *made = &hub_expect(hub, WIRE_OFFER)->OFFER;
    assert_int_equal(made->service, 1);
    assert_int_equal(made->size, -1);
    assert_string_equal(made->name, "in.txt");
    assert_string_equal(made->source_id, "42");
    assert_int_equal(made->has_cursor, 1);
    assert_string_equal(made->cursor, "c1");
    assert_string_equal(wire_pairs_get(&made->headers, "subject"), "hello");
    return made->offer;
}
