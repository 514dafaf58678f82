/* Sessions: dial, profile, report, secret, end. The hub decides; late answers for a session that has ended
 * are dropped, with their descriptor. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link/role.h"

#define SECRETS_MAX 16 /* asked for at a time in one session */
#define FACTS_SIZE  (64 << 10)

enum session_state {
    DIALING,
    CONNECTED,
    KNOWN,         /* handshake allowed: the peer is who it should be, secrets may be read */
    AUTHENTICATED, /* allowed: payload may flow */
    DENIED,
};

struct secret_request {
    uint64_t id; /* 0: free */
    accord_secret_fn call;
    void *arg;
};

struct session {
    uint64_t id;
    struct link *link;
    enum session_state state;
    accord_dial_fn dialed;
    void *dialed_arg;
    accord_verdict_fn verdict; /* NULL: none is awaited */
    void *verdict_arg;
    enum accord_stage stage; /* that the verdict is about */
    struct secret_request secrets[SECRETS_MAX];
    struct wire_pairs profile;
    uint8_t *profile_bytes;
};

static void session_free(struct session *session)
{
    table_take(&link_role->sessions, session->id);
    session->link->sessions--;
    free(session->profile_bytes);
    free(session);
}

/* A dead handle is the plugin's error. */
static struct session *session_of(const struct accord_session *handle)
{
    struct session *session = table_get(&link_role->sessions, HANDLE_ID(handle));
    if (!session || session->state == DIALING)
        process_blame(&link_role->process, "plugin.dead-session", "it used a session that has ended");
    return session;
}

uint64_t session_id(const struct link *link, const struct accord_session *handle)
{
    const struct session *session = session_of(handle);
    if (session->link != link)
        process_blame(&link_role->process, "plugin.wrong-session", "it used a session of link %s",
                      session->link->base.name);
    return session->id;
}

/* ---- dial ---- */

int session_dial(struct accord_instance *instance, accord_dial_fn dialed, void *arg)
{
    struct link *link = link_of(instance);
    if (instance->closing || !link->open || !link->setup.endpoint_host)
        return ACCORD_ESTATE;
    if (link->sessions >= WIRE_SESSIONS_MAX)
        return ACCORD_EBUSY;
    struct session *session = calloc(1, sizeof *session);
    if (!session)
        return ACCORD_ENOMEM;
    *session =
        (struct session){.id = ++link_role->last_id, .link = link, .dialed = dialed, .dialed_arg = arg};
    if (table_put(&link_role->sessions, session->id, session) < 0) {
        free(session);
        return ACCORD_ENOMEM;
    }
    link->sessions++;
    wire_put_DIAL(link_out(), &(struct wire_DIAL){session->id, link->id});
    return 0;
}

static bool keep_profile(struct session *session, const struct wire_pairs *profile)
{
    session->profile_bytes = malloc(profile->raw.size + 1);
    if (!session->profile_bytes)
        return false;
    memcpy(session->profile_bytes, profile->raw.data, profile->raw.size);
    session->profile =
        (struct wire_pairs){.count = profile->count, .raw = {session->profile_bytes, profile->raw.size}};
    return true;
}

/* Tells the plugin that there is no session. */
static void not_dialed(struct session *session, const char *reason)
{
    accord_dial_fn dialed = session->dialed;
    void *arg = session->dialed_arg;
    instance_enter(&session->link->base);
    session_free(session);
    dialed(arg, NULL, -1, reason);
}

void session_dialed(const struct wire_message *m, int fd)
{
    const struct wire_DIALED *answer = &m->DIALED;
    struct session *session = table_get(&link_role->sessions, answer->session);
    if (!session) { /* ended since */
        if (fd >= 0)
            close(fd);
        return;
    }
    if (session->state != DIALING || answer->result > 0 || (answer->result == 0) != (fd >= 0))
        process_refuse(&link_role->process, m,
                       "session %llu: not awaited, or result and descriptor do not agree",
                       (unsigned long long)answer->session);
    if (answer->result < 0) {
        not_dialed(session, answer->reason);
        return;
    }
    if (!keep_profile(session, &answer->profile)) {
        close(fd);
        wire_put_SESSION_END(link_out(), &(struct wire_SESSION_END){session->id, "out of memory"});
        not_dialed(session, "out of memory");
        return;
    }
    session->state = CONNECTED;
    instance_enter(&session->link->base);
    session->dialed(session->dialed_arg, HANDLE(accord_session, session->id), fd, "");
}

const char *session_profile(struct accord_session *handle, const char *name)
{
    return wire_pairs_get(&session_of(handle)->profile, name);
}

/* ---- facts ---- */

static int check_facts(const struct accord_pair *facts, size_t count)
{
    size_t size = 0;
    if (count > WIRE_PAIRS_MAX)
        return ACCORD_ELIMIT;
    for (size_t i = 0; i < count; i++) {
        if (!facts[i].name || !facts[i].value)
            return ACCORD_EINVAL;
        size += strlen(facts[i].name) + strlen(facts[i].value) + 10;
    }
    return size > FACTS_SIZE ? ACCORD_ELIMIT : 0;
}

int session_report(struct accord_session *handle, enum accord_stage stage, const struct accord_pair *facts,
                   size_t count, accord_verdict_fn verdict, void *arg)
{
    struct session *session = session_of(handle);
    enum session_state before = stage == ACCORD_HANDSHAKE ? CONNECTED : KNOWN;
    if ((stage != ACCORD_HANDSHAKE && stage != ACCORD_AUTHENTICATED) || session->state != before ||
        session->verdict)
        return ACCORD_ESTATE;
    int result = verdict ? check_facts(facts, count) : ACCORD_EINVAL;
    if (result)
        return result;
    session->stage = stage;
    session->verdict = verdict;
    session->verdict_arg = arg;
    wire_put_FACTS(link_out(), &(struct wire_FACTS){session->id, (uint8_t)stage, WIRE_PAIRS(facts, count)});
    return 0;
}

void session_verdict(const struct wire_message *m)
{
    const struct wire_FACTS_VERDICT *answer = &m->FACTS_VERDICT;
    struct session *session = table_get(&link_role->sessions, answer->session);
    if (!session)
        return;
    if (!session->verdict || answer->stage != session->stage || answer->answer > ACCORD_DEFER)
        process_refuse(&link_role->process, m, "session %llu awaits no such verdict",
                       (unsigned long long)answer->session);
    accord_verdict_fn verdict = session->verdict;
    session->verdict = NULL;
    if (answer->answer != ACCORD_ALLOW)
        session->state = DENIED;
    else
        session->state = session->stage == ACCORD_HANDSHAKE ? KNOWN : AUTHENTICATED;
    instance_enter(&session->link->base);
    verdict(session->verdict_arg, answer->answer, answer->rule, answer->reason);
}

/* ---- secrets ---- */

static struct secret_request *secret_find(struct session *session, uint64_t id)
{
    for (size_t i = 0; i < SECRETS_MAX; i++)
        if (session->secrets[i].id == id)
            return &session->secrets[i];
    return NULL;
}

/* What is needed to make the handshake may be had before it. */
static bool may_read(const struct session *session, const char *option)
{
    const struct accord_option *at = session->link->connector.link_options.table;
    if (session->state == KNOWN || session->state == AUTHENTICATED)
        return true;
    while (at && at->name && option && strcmp(at->name, option) != 0)
        at++;
    return session->state == CONNECTED && at && at->name && (at->flags & ACCORD_FOR_HANDSHAKE);
}

int session_secret(struct accord_session *handle, const char *option, accord_secret_fn call, void *arg)
{
    struct session *session = session_of(handle);
    if (!may_read(session, option))
        return option ? ACCORD_ESTATE : ACCORD_EINVAL;
    struct secret_request *request = secret_find(session, 0);
    if (!option || !call || !request)
        return request ? ACCORD_EINVAL : ACCORD_EBUSY;
    *request = (struct secret_request){++link_role->last_id, call, arg};
    wire_put_SECRET(link_out(), &(struct wire_SECRET){session->id, request->id, option});
    return 0;
}

/* The channel wipes the value in its datagram once this has returned. */
void session_secret_given(const struct wire_message *m)
{
    const struct wire_SECRET_GIVEN *given = &m->SECRET_GIVEN;
    struct session *session = table_get(&link_role->sessions, given->session);
    if (!session)
        return;
    struct secret_request *request = given->request ? secret_find(session, given->request) : NULL;
    if (!request || given->result > 0 || given->result < INT32_MIN)
        process_refuse(&link_role->process, m, "nobody asked for this secret");
    struct secret_request done = *request;
    *request = (struct secret_request){0};
    instance_enter(&session->link->base);
    size_t size = given->result == 0 ? given->value.size : 0;
    done.call(done.arg, (int)given->result, given->value.data, size, given->reason);
}

/* ---- end ---- */

void session_end(struct accord_session *handle, const char *reason)
{
    if (!handle)
        return;
    struct session *session = session_of(handle);
    wire_put_SESSION_END(link_out(), &(struct wire_SESSION_END){session->id, reason});
    session_free(session);
}

void session_sweep(void)
{
    struct session *session;
    for (size_t at = 0; (session = table_next(&link_role->sessions, &at)); at = 0) {
        if (session->state != DIALING)
            instance_say(&session->link->base, ACCORD_ERROR, "plugin.leaks",
                         "the plugin's close left a session open");
        session_free(session);
    }
}
