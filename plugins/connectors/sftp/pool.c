/* Which work goes into which session, when another one is dialled, and what a lost one means. */
#include "pool.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "session.h"

#define LIGHT_EACH  8                /* uses of a session before a further one is worth its handshake */
#define ALONE_FIRST (30 * 1000)      /* ms without further connections after one failed */
#define ALONE_MOST  (60 * 60 * 1000) /* and after many did */

/* ---- lists ---- */

static void put_first(struct use **head, struct use *use)
{
    use->next = *head;
    use->at = head;
    if (*head)
        (*head)->at = &use->next;
    *head = use;
}

static void put_last(struct pool *pool, struct use *use)
{
    use->next = NULL;
    use->at = pool->end[use->kind];
    *use->at = use;
    pool->end[use->kind] = &use->next;
}

static void take(struct use *use)
{
    struct pool *pool = &use->link->pool;
    *use->at = use->next;
    if (use->next)
        use->next->at = use->at;
    else if (pool->end[use->kind] == &use->next)
        pool->end[use->kind] = use->at;
    use->at = NULL;
    use->next = NULL;
}

static void detach(struct use *use)
{
    struct session *session = use->session;
    take(use);
    if (!session)
        return;
    session->uses[use->kind]--;
    session->heavy -= use->heavy;
    use->session = NULL;
}

void pool_init(struct link *link)
{
    for (int kind = 0; kind < USE_KINDS; kind++)
        link->pool.end[kind] = &link->pool.waiting[kind];
}

static bool anything_waits(const struct pool *pool)
{
    for (int kind = 0; kind < USE_KINDS; kind++)
        if (pool->waiting[kind])
            return true;
    return false;
}

/* ---- joining and leaving ---- */

static void count_use(struct pool *pool, const struct use *use, int by)
{
    pool->uses += (size_t)by;
    if (use->heavy)
        pool->heavy += (size_t)by;
    else if (use->kind != USE_LIST)
        pool->light += (size_t)by;
}

void pool_join(struct link *link, struct use *use)
{
    use->link = link;
    use->session = NULL;
    put_last(&link->pool, use);
    count_use(&link->pool, use, 1);
    pool_soon(link);
}

void pool_leave(struct use *use)
{
    if (!use_joined(use))
        return;
    struct pool *pool = &use->link->pool;
    detach(use);
    count_use(pool, use, -1);
    pool_soon(use->link);
}

static void on_soon(void *arg)
{
    struct link *link = arg;
    struct session *next;
    link->pool.soon = NULL;
    pool_advance(link);
    for (struct session *session = link->pool.sessions; session; session = next) {
        next = session->next;
        session_pump(session); /* breaks it later, never now */
    }
}

void pool_soon(struct link *link)
{
    if (!link->pool.soon && !link->pool.advancing && !link->pool.closed)
        link->pool.soon = link->host->timer(link->instance, 0, on_soon, link);
}

struct client *use_client(const struct use *use)
{
    return &use->session->client;
}

struct accord_session *use_session(const struct use *use)
{
    return use->session->handle;
}

void use_break(const struct use *use, const char *format, ...)
{
    char reason[ACCORD_REASON_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    session_break(use->session, NULL, "%s: %s", use->link->setup->endpoint_host, reason);
}

/* ---- where to ---- */

static size_t session_count(const struct pool *pool)
{
    size_t count = 0;
    for (const struct session *session = pool->sessions; session; session = session->next)
        count += session->stage != SESSION_BROKEN;
    return count;
}

static size_t use_count(const struct session *session)
{
    return session->uses[USE_SEND] + session->uses[USE_FETCH] + session->uses[USE_LIST];
}

static bool has_room(const struct session *session, const struct use *use, size_t heavy_share)
{
    return session_ready(session) && (!use->heavy || session->heavy < heavy_share) &&
           (use->kind == USE_LIST ||
            (session->uses[use->kind] < session_files(session) && client_has_room(&session->client)));
}

/* The one with the least to do; heavy work also waits for sessions that are on their way. */
static struct session *choose(const struct link *link, const struct use *use)
{
    size_t sessions = session_count(&link->pool);
    size_t share = sessions ? (link->pool.heavy + sessions - 1) / sessions : 0;
    struct session *best = NULL;
    for (struct session *session = link->pool.sessions; session; session = session->next)
        if (has_room(session, use, share) && (!best || use_count(session) < use_count(best)))
            best = session;
    return best;
}

static void begin(struct session *session, struct use *use)
{
    take(use);
    session_busy(session);
    session->uses[use->kind]++;
    session->heavy += use->heavy;
    use->session = session;
    put_first(&session->users, use);
    use->begin(use);
}

/* ---- ending uses ---- */

/* Moves a list to `lost`, and keeps its order. */
static void gather(struct use **list, struct use **lost)
{
    while (*lost)
        lost = &(*lost)->next;
    for (struct use *use; (use = *list);) {
        detach(use);
        use->next = NULL;
        use->at = lost;
        *lost = use;
        lost = &use->next;
    }
}

static void gather_waiting(struct pool *pool, struct use **lost)
{
    for (int kind = 0; kind < USE_KINDS; kind++)
        gather(&pool->waiting[kind], lost);
}

/* Only those that are there now: what ends may bring the next. */
static void tell(struct pool *pool, struct use **lost, const char *reason)
{
    for (struct use *use; (use = *lost);) {
        take(use);
        count_use(pool, use, -1);
        use->broken(use, reason);
    }
}

/* Broken first: nobody is given work there while others are told. */
static void doom_sessions(struct pool *pool, struct use **lost, const char *reason)
{
    for (struct session *session = pool->sessions; session; session = session->next) {
        session_break(session, NULL, "%s", reason);
        gather(&session->users, lost);
    }
}

static void close_sessions(struct pool *pool, const char *reason)
{
    while (pool->sessions)
        session_close(pool->sessions, reason);
}

void pool_close(struct link *link, const char *reason)
{
    struct pool *pool = &link->pool;
    struct use *lost = NULL;
    pool->closed = true; /* no timer from now on */
    doom_sessions(pool, &lost, reason);
    do {
        gather_waiting(pool, &lost);
        tell(pool, &lost, reason);
    } while (anything_waits(pool)); /* what stood behind others */
    close_sessions(pool, reason);
    if (pool->soon)
        link->host->timer_stop(pool->soon);
    pool->soon = NULL;
}

static void end_waiting(struct link *link, const char *reason)
{
    struct use *lost = NULL;
    gather_waiting(&link->pool, &lost);
    tell(&link->pool, &lost, reason);
}

void pool_stop(struct link *link, const char *reason)
{
    end_waiting(link, reason);
    pool_soon(link);
}

/* ---- sessions ---- */

static void open_another(struct link *link)
{
    struct pool *pool = &link->pool;
    if (!session_open(link) && !pool->sessions)
        end_waiting(link, "the host does not dial now");
}

/* One for each heavy use, and for so many light ones, as far as the partner goes along. */
static size_t sessions_wanted(const struct link *link)
{
    const struct pool *pool = &link->pool;
    size_t wanted = pool->heavy + (pool->light + LIGHT_EACH - 1) / LIGHT_EACH;
    size_t most = (size_t)link->options->connections;
    if (wanted == 0 && pool->uses > 0)
        wanted = 1;
    return wanted < most ? wanted : most;
}

static void dial_more(struct link *link)
{
    struct pool *pool = &link->pool;
    size_t count = session_count(pool), wanted = sessions_wanted(link);
    if (count > 0 && link->host->ticks(link->instance) < pool->alone_until)
        return;
    for (; count < wanted && pool->uses > 0; count++)
        open_another(link);
}

void pool_advance(struct link *link)
{
    struct pool *pool = &link->pool;
    if (pool->advancing)
        return;
    pool->advancing = true; /* whatever `begin` does is seen here */
    for (int kind = 0; kind < USE_KINDS; kind++)
        for (struct session *session; pool->waiting[kind] && (session = choose(link, pool->waiting[kind]));)
            begin(session, pool->waiting[kind]);
    if (link->started)
        dial_more(link);
    else if (anything_waits(pool))
        end_waiting(link, "the link is stopping");
    for (struct session *session = pool->sessions; session; session = session->next)
        if (use_count(session) == 0)
            session_rest(session);
        else if (session_ready(session))
            flow_fill(session);
    pool->advancing = false;
}

void pool_ready(struct session *session)
{
    session->link->pool.alone = 0;
    pool_advance(session->link);
}

/* Partners that allow so many sessions and no more say so in many ways, some as if the key were wrong. */
static bool is_surplus(const struct pool *pool, const struct session *session, const char *rule)
{
    bool other = false;
    for (const struct session *at = pool->sessions; at; at = at->next)
        other = other || session_ready(at);
    return other && !session->was_ready && (!rule[0] || strcmp(rule, "sftp.auth-refused") == 0);
}

static void go_on_without(struct link *link, const char *reason)
{
    struct pool *pool = &link->pool;
    pool->alone = pool->alone == 0               ? ALONE_FIRST
                  : pool->alone < ALONE_MOST / 2 ? pool->alone * 2
                                                 : ALONE_MOST;
    pool->alone_until = link->host->ticks(link->instance) + pool->alone;
    link_log(link, ACCORD_WARNING, "sftp.fewer-connections",
             "goes on with %zu connection(s) and tries again in %lld s: %s", session_count(pool),
             (long long)(pool->alone / 1000), reason);
}

static void end_all(struct session *session, const char *rule, const char *reason)
{
    struct link *link = session->link;
    struct pool *pool = &link->pool;
    struct use *lost = NULL;
    link->broke_at = session->broke_at;
    if (rule[0] && !link->probes)
        link->host->park(link->instance, rule, reason);
    doom_sessions(pool, &lost, reason);
    gather_waiting(pool, &lost); /* also what waits: trying again at once would not be kind to the partner */
    tell(pool, &lost, reason);
    close_sessions(pool, reason);
}

void pool_lost(struct session *session, const char *rule, const char *reason)
{
    struct link *link = session->link;
    struct pool *pool = &link->pool;
    struct use *lost = NULL;
    bool surplus = is_surplus(pool, session, rule);
    if (session_count(pool) == 0 || (rule[0] && !surplus)) {
        end_all(session, rule, reason);
    } else {
        if (!session->was_ready)
            go_on_without(link, reason);
        gather(&session->users, &lost);
        tell(pool, &lost, reason);
        session_close(session, reason);
    }
    pool_soon(link);
}
