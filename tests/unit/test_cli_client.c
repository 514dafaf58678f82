/* The command's end of the control socket, against an agent that is scripted here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/exit.h"

#include <cmocka.h>

/* Accepts one connection and runs a script on it, on a thread of its own. */
struct agent {
    char folder[32], path[64];
    int listener;
    pthread_t thread;
    bool joined;
    void (*script)(struct agent *, int fd);
    struct buf heard; /* payload that was offered */
    size_t pieces;
    char verb[64], argument[64], name[64];
};

static void *agent_run(void *arg)
{
    struct agent *agent = arg;
    int fd = accept(agent->listener, NULL, NULL);
    if (fd >= 0) {
        agent->script(agent, fd);
        close(fd);
    }
    return NULL;
}

static void agent_start(struct agent *agent, void (*script)(struct agent *, int))
{
    *agent = (struct agent){.script = script, .folder = "/tmp/accord-client-XXXXXX"};
    assert_non_null(mkdtemp(agent->folder));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(agent->path, sizeof agent->path, "%s/" CLIENT_SOCKET, agent->folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", agent->path);
    agent->listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    assert_int_equal(bind(agent->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(agent->listener, 1), 0);
    assert_int_equal(pthread_create(&agent->thread, NULL, agent_run, agent), 0);
}

/* Waits for the script's end, so that what it heard may be read. */
static void agent_join(struct agent *agent)
{
    if (agent->joined)
        return;
    shutdown(agent->listener, SHUT_RDWR); /* in case nobody came */
    pthread_join(agent->thread, NULL);
    agent->joined = true;
}

static void agent_stop(struct agent *agent)
{
    agent_join(agent);
    close(agent->listener);
    unlink(agent->path);
    rmdir(agent->folder);
    buf_fini(&agent->heard);
}

/* The message stays until the next one is heard. */
static bool hear(int fd, struct wire_message *message)
{
    static uint8_t datagram[WIRE_DATAGRAM_MAX];
    struct reason why;
    ssize_t n = recv(fd, datagram, sizeof datagram, 0);
    struct wire_bytes bytes = {datagram, n > 0 ? (size_t)n : 0};
    return n > 0 && wire_decode(&bytes, WIRE_C, message, &why) == 0;
}

static void say(int fd, struct buf *frames)
{
    send(fd, frames->data, frames->size, MSG_NOSIGNAL);
    buf_fini(frames);
}

static void say_row(struct buf *to, const char *table, const char *name, const char *value)
{
    struct accord_pair cell = {name, value};
    wire_put_ROW(to, &(struct wire_ROW){table, WIRE_PAIRS(&cell, 1)});
}

static void hear_command(struct agent *agent, int fd)
{
    struct wire_message message;
    if (!hear(fd, &message) || message.type != WIRE_COMMAND)
        return;
    const char *id = wire_pairs_get(&message.COMMAND.arguments, "id");
    snprintf(agent->verb, sizeof agent->verb, "%s", message.COMMAND.verb);
    snprintf(agent->argument, sizeof agent->argument, "%s", id ? id : "");
}

/* A client's whole conversation with an agent that follows a script. */
struct talk {
    struct agent agent;
    int result;
    struct reason why;
    char rows[256]; /* "table.name=value " */
    struct client_end end;
    struct client_verdict verdict;
    char file[32]; /* that submit_file() made; without its folder */
};

static void see(void *arg, const char *table, const struct wire_pairs *cells)
{
    struct talk *talk = arg;
    size_t used = strlen(talk->rows), at = 0;
    struct accord_pair pair;
    while (wire_pairs_next(cells, &at, &pair))
        used += (size_t)snprintf(talk->rows + used, sizeof talk->rows - used, "%s.%s=%s ", table, pair.name,
                                 pair.value);
}

static struct client *talk_begin(struct talk *talk, void (*script)(struct agent *, int))
{
    struct client *client = NULL;
    *talk = (struct talk){0};
    agent_start(&talk->agent, script);
    assert_int_equal(client_open(&client, talk->agent.folder, &talk->why), 0);
    return client;
}

static void ask(struct talk *talk, void (*script)(struct agent *, int))
{
    struct accord_pair id = {"id", "abc"};
    struct client *client = talk_begin(talk, script);
    talk->result = client_command(client, "show", &id, 1, see, talk, &talk->end, &talk->why);
    client_close(client);
}

static void submit(struct talk *talk, void (*script)(struct agent *, int), const char *path)
{
    struct client *client = talk_begin(talk, script);
    talk->result = client_submit(client, "site/stow-plans", path, &talk->verdict, &talk->why);
    client_close(client);
}

/* ---- commands ---- */

static void answer_in_two_datagrams(struct agent *agent, int fd)
{
    struct buf out = {0};
    hear_command(agent, fd);
    say_row(&out, "message", "id", "abc");
    say_row(&out, "deliveries", "state", "waiting");
    say(fd, &out);
    say_row(&out, "deliveries", "state", "dead");
    wire_put_END(&out, &(struct wire_END){EXIT_OK, "2 deliveries"});
    say(fd, &out);
}

static void rows_arrive_in_order_and_the_end_is_kept(void **state)
{
    (void)state;
    struct talk talk;
    ask(&talk, answer_in_two_datagrams);
    assert_int_equal(talk.result, 0);
    assert_string_equal(talk.rows, "message.id=abc deliveries.state=waiting deliveries.state=dead ");
    assert_int_equal(talk.end.exit, EXIT_OK);
    assert_string_equal(talk.end.line, "2 deliveries");
    agent_join(&talk.agent);
    assert_string_equal(talk.agent.verb, "show");
    assert_string_equal(talk.agent.argument, "abc");
    agent_stop(&talk.agent);
}

static void end_with_unknown_code(struct agent *agent, int fd)
{
    struct buf out = {0};
    hear_command(agent, fd);
    wire_put_END(&out, &(struct wire_END){200, "?"});
    say(fd, &out);
}

static void an_exit_code_that_is_not_ours_counts_as_refused(void **state)
{
    (void)state;
    struct talk talk;
    ask(&talk, end_with_unknown_code);
    assert_int_equal(talk.result, 0);
    assert_int_equal(talk.end.exit, EXIT_REFUSED);
    agent_stop(&talk.agent);
}

static void hang_up_after_one_row(struct agent *agent, int fd)
{
    struct buf out = {0};
    hear_command(agent, fd);
    say_row(&out, "message", "id", "abc");
    say(fd, &out);
}

static void an_answer_without_end_is_an_error(void **state)
{
    (void)state;
    struct talk talk;
    ask(&talk, hang_up_after_one_row);
    assert_int_equal(talk.result, ACCORD_ENET);
    assert_non_null(strstr(talk.why.text, "hung up"));
    agent_stop(&talk.agent);
}

/* LOG is a child's word, PING the hub's but not for us: both end the conversation. */
static void say_log(struct agent *agent, int fd)
{
    struct buf out = {0};
    hear_command(agent, fd);
    wire_put_LOG(&out, &(struct wire_LOG){0, "i", "e", "l"});
    say(fd, &out);
}

static void say_ping(struct agent *agent, int fd)
{
    struct buf out = {0};
    hear_command(agent, fd);
    wire_put_PING(&out, &(struct wire_PING){7});
    say(fd, &out);
}

static void say_garbage(struct agent *agent, int fd)
{
    hear_command(agent, fd);
    send(fd, "\xff\xff\xff\xff\x01\x02", 6, MSG_NOSIGNAL);
}

static void what_a_hub_may_not_say_is_a_protocol_error(void **state)
{
    (void)state;
    void (*const scripts[])(struct agent *, int) = {say_log, say_ping, say_garbage};
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        struct talk talk;
        ask(&talk, scripts[i]);
        assert_int_equal(talk.result, ACCORD_EPROTO);
        agent_stop(&talk.agent);
    }
}

static void without_an_agent_the_reason_says_so(void **state)
{
    (void)state;
    struct client *client = NULL;
    struct reason why;
    assert_int_equal(client_open(&client, "/tmp/accord-nobody-here", &why), ACCORD_ENOENT);
    assert_non_null(strstr(why.text, "no agent is running"));
    assert_null(client);
}

static void a_state_folder_too_deep_for_a_socket_is_refused(void **state)
{
    (void)state;
    char deep[200];
    memset(deep, 'a', sizeof deep);
    deep[0] = '/';
    deep[sizeof deep - 1] = 0;
    struct client *client = NULL;
    struct reason why;
    assert_int_equal(client_open(&client, deep, &why), ACCORD_EINVAL);
}

/* ---- submit ---- */

#define PAYLOAD_SIZE (3 * ACCORD_PIECE_MAX + 17)

static void pull(int fd, int64_t bytes)
{
    struct buf out = {0};
    wire_put_OFFER_PULL(&out, &(struct wire_OFFER_PULL){1, bytes});
    say(fd, &out);
}

static void settle(int fd, enum accord_admission admission, const char *id, const char *rule,
                   const char *reason)
{
    struct buf out = {0};
    wire_put_OFFER_DONE(&out, &(struct wire_OFFER_DONE){1, (uint8_t)admission, id, rule, reason, 0});
    say(fd, &out);
}

/* Takes an offer in unequal portions and checks that nothing comes unasked. */
static void take_offer(struct agent *agent, int fd)
{
    struct wire_message m;
    int64_t credit = 0;
    if (!hear(fd, &m) || m.type != WIRE_OFFER)
        return;
    snprintf(agent->name, sizeof agent->name, "%s %s %lld", m.OFFER.route, m.OFFER.name,
             (long long)m.OFFER.size);
    for (bool last = false; !last; last = m.OFFER_DATA.last) {
        if (credit <= 0) {
            credit += ACCORD_PIECE_MAX + 1000;
            pull(fd, ACCORD_PIECE_MAX + 1000);
        }
        if (!hear(fd, &m) || m.type != WIRE_OFFER_DATA || (int64_t)m.OFFER_DATA.data.size > credit)
            return;
        credit -= (int64_t)m.OFFER_DATA.data.size;
        buf_put(&agent->heard, m.OFFER_DATA.data.data, m.OFFER_DATA.data.size);
        agent->pieces++;
    }
    settle(fd, ACCORD_ACCEPTED, "01j0000000000000000000aa", "", "");
}

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

/* A file of so many bytes, which is gone again afterwards. */
static void submit_file(struct talk *talk, void (*script)(struct agent *, int), size_t size)
{
    char path[] = "/tmp/accord-submit-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    uint8_t *bytes = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(i);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
    free(bytes);
    submit(talk, script, path);
    snprintf(talk->file, sizeof talk->file, "%s", strrchr(path, '/') + 1);
    unlink(path);
}

static void a_file_goes_out_as_it_is_asked_for(void **state)
{
    (void)state;
    const size_t sizes[] = {PAYLOAD_SIZE, 1, 0};
    for (size_t i = 0; i < 3; i++) {
        struct talk talk;
        char expected[128];
        submit_file(&talk, take_offer, sizes[i]);
        assert_int_equal(talk.result, 0);
        assert_int_equal(talk.verdict.admission, ACCORD_ACCEPTED);
        assert_string_equal(talk.verdict.id, "01j0000000000000000000aa");
        agent_join(&talk.agent);
        snprintf(expected, sizeof expected, "site/stow-plans %s %zu", talk.file, sizes[i]);
        assert_string_equal(talk.agent.name, expected);
        assert_int_equal(talk.agent.heard.size, sizes[i]);
        for (size_t at = 0; at < sizes[i]; at++)
            assert_int_equal(talk.agent.heard.data[at], byte_at(at));
        agent_stop(&talk.agent);
    }
}

static void refuse_early(struct agent *agent, int fd)
{
    struct wire_message m;
    (void)agent;
    hear(fd, &m);
    pull(fd, INT64_MAX);
    hear(fd, &m);
    settle(fd, ACCORD_QUARANTINED, "01j0000000000000000000ab", "hub.size", "larger than 1 KiB");
}

static void an_early_verdict_is_heard(void **state)
{
    (void)state;
    struct talk talk;
    submit_file(&talk, refuse_early, PAYLOAD_SIZE);
    assert_int_equal(talk.result, 0);
    assert_int_equal(talk.verdict.admission, ACCORD_QUARANTINED);
    assert_string_equal(talk.verdict.rule, "hub.size");
    assert_string_equal(talk.verdict.reason, "larger than 1 KiB");
    agent_stop(&talk.agent);
}

static void refuse_the_offer(struct agent *agent, int fd)
{
    struct wire_message m;
    struct buf out = {0};
    (void)agent;
    hear(fd, &m);
    wire_put_END(&out, &(struct wire_END){EXIT_REFUSED, "no service site/stow-plans"});
    say(fd, &out);
}

static void a_refused_offer_says_why(void **state)
{
    (void)state;
    struct talk talk;
    submit_file(&talk, refuse_the_offer, 10);
    assert_int_equal(talk.result, ACCORD_EDENIED);
    assert_string_equal(talk.why.text, "no service site/stow-plans");
    agent_stop(&talk.agent);
}

static void ask_for_less_than_nothing(struct agent *agent, int fd)
{
    struct wire_message m;
    (void)agent;
    hear(fd, &m);
    pull(fd, -1);
    hear(fd, &m);
}

static void impossible_credit_is_a_protocol_error(void **state)
{
    (void)state;
    struct talk talk;
    submit_file(&talk, ask_for_less_than_nothing, 10);
    assert_int_equal(talk.result, ACCORD_EPROTO);
    agent_stop(&talk.agent);
}

static void wait_for_hang_up(struct agent *agent, int fd)
{
    struct wire_message m;
    (void)agent;
    agent->pieces = hear(fd, &m);
}

static void only_regular_files_are_offered(void **state)
{
    (void)state;
    const char *const paths[] = {"/tmp", "/dev/null", "/tmp/accord-no-such-file"};
    for (size_t i = 0; i < 3; i++) {
        struct talk talk;
        submit(&talk, wait_for_hang_up, paths[i]);
        assert_int_not_equal(talk.result, 0);
        assert_non_null(strstr(talk.why.text, paths[i]));
        agent_stop(&talk.agent);
        assert_int_equal(talk.agent.pieces, 0); /* nothing was offered */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_arrive_in_order_and_the_end_is_kept),
        cmocka_unit_test(an_exit_code_that_is_not_ours_counts_as_refused),
        cmocka_unit_test(an_answer_without_end_is_an_error),
        cmocka_unit_test(what_a_hub_may_not_say_is_a_protocol_error),
        cmocka_unit_test(without_an_agent_the_reason_says_so),
        cmocka_unit_test(a_state_folder_too_deep_for_a_socket_is_refused),
        cmocka_unit_test(a_file_goes_out_as_it_is_asked_for),
        cmocka_unit_test(an_early_verdict_is_heard),
        cmocka_unit_test(a_refused_offer_says_why),
        cmocka_unit_test(impossible_credit_is_a_protocol_error),
        cmocka_unit_test(only_regular_files_are_offered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
