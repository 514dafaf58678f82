/* The hub's life: privileges, configuration, store, bus, units; the loop; an orderly end. */
#include "hub/hub.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hub/again.h"
#include "hub/adopt.h"
#include "hub/control.h"
#include "hub/keeping.h"
#include "hub/link_side.h"
#include "hub/policy_side.h"
#include "hub/reload.h"
#include "hub/restored.h"
#include "hub/store_key.h"
#include "hub/suspend.h"
#include "hub/trail.h"
#include "hub/unit.h"
#include "sandbox/sandbox.h"
#include "util/clock.h"
#include "util/fault.h"
#include "util/file.h"
#include "util/log.h"

#define TICK         100   /* ms */
#define LATE_TICK    1000  /* ms since the last one: the hub was held up */
#define PATIENCE     1000  /* ms */
#define UNITS_TIME   5000  /* ms for the processes to end, beyond what may finish */
#define LAST_TIME    10000 /* ms for the last commits and the export of the trail */
#define RUN_OUT_TIME 2000  /* ms for what is left on the loop */

/* ---- privileges: never root once started ---- */

static int become_user(const struct passwd *user, struct reason *why)
{
    const char *name = user->pw_name;
    if (user->pw_uid == 0 || user->pw_gid == 0)
        return fail(why, ACCORD_EDENIED, "user '%s' of agent.conf is root or has root's group", name);
    if (initgroups(name, user->pw_gid) < 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
        return fail(why, error_from_errno(errno), "cannot become user '%s': %s", name, strerror(errno));
    if (setuid(0) == 0)
        return fail(why, ACCORD_EDENIED, "could become root again after becoming user '%s'", name);
    if (setenv("HOME", user->pw_dir, 1) < 0 || setenv("USER", name, 1) < 0 || setenv("LOGNAME", name, 1) < 0)
        return fail(why, ACCORD_ENOMEM, "out of memory");
    return 0;
}

static int become(const char *name, struct reason *why)
{
    if (!*name)
        return fail(why, ACCORD_EDENIED,
                    "started as root: set 'user = NAME' under [agent] in agent.conf, or start as that user");
    const struct passwd *user = getpwnam(name);
    if (!user)
        return fail(why, ACCORD_EDENIED,
                    "user '%s' of agent.conf does not exist; make it with: useradd --system NAME", name);
    return become_user(user, why);
}

static int prepare_state(const char *state, struct reason *why)
{
    struct stat st;
    int result = file_make_folder(state, why);
    if (result)
        return result;
    if (stat(state, &st) < 0 || access(state, R_OK | W_OK | X_OK) < 0)
        return fail(why, ACCORD_EDENIED,
                    "uid %u may not write the state folder %s; give it to the agent's user",
                    (unsigned)geteuid(), state);
    if (st.st_uid != geteuid())
        return fail(why, ACCORD_EDENIED,
                    "the state folder %s belongs to uid %u; it must belong to the agent's user", state,
                    (unsigned)st.st_uid);
    if (st.st_mode & 077)
        return fail(why, ACCORD_EDENIED, "the state folder %s is open to other users; run: chmod 700 %s",
                    state, state);
    return 0;
}

/* ---- ending ---- */

static void closed_down(struct hub *hub)
{
    control_close(hub);
    reload_close(hub);
    for (size_t i = 0; i < 3; i++)
        uv_close((uv_handle_t *)&hub->signals[i], NULL);
    uv_close((uv_handle_t *)&hub->tick, NULL);
    bus_free(hub->bus);
    uv_stop(&hub->loop);
}

/* Stopping must end. What is given up here is as after a crash: nothing that was committed is lost. */
static void press_on(struct hub *hub, int64_t ticks)
{
    if (ticks >= hub->stop_by - LAST_TIME)
        bus_give_up(hub->bus);
    if (ticks < hub->stop_by)
        return;
    log_event(ACCORD_ERROR, "hub.stop-forced", NULL,
              "stopping took too long: a disk or a process does not answer; ending all the same");
    _exit(1);
}

static void stop_if_down(struct hub *hub)
{
    if (hub->finishing || !units_down(hub) || !bus_idle(hub->bus) || !reload_idle(hub) || hub->backup)
        return;
    hub->finishing = true;
    struct audit_event event = {.action = AUDIT_AGENT_STOP};
    trail_event(hub, &event);
    trail_finish(hub, closed_down);
}

static void stop(struct hub *hub)
{
    if (hub->stopping) {
        hub->hurried = true;
        return;
    }
    hub->stopping = true;
    hub->stop_by = clock_ticks() + hub->conf->conf->agent.drain_timeout + UNITS_TIME + LAST_TIME;
    log_event(ACCORD_NOTICE, "hub.stopping", NULL, "stopping: what is in flight may finish");
    reload_stop(hub);
    keeping_stop(hub);
    notify_stopping(&hub->notify);
    units_stop(hub);
}

/* ---- the loop ---- */

static void signalled(uv_signal_t *handle, int number)
{
    struct hub *hub = handle->data;
    if (number != SIGHUP)
        stop(hub);
    else if (!hub->stopping)
        hub_reload(hub, "SIGHUP", NULL, NULL);
}

/* When the hub was stopped or busy for long, answers that came meanwhile must be read before anybody is
 * blamed. */
static bool be_patient(struct hub *hub, int64_t ticks)
{
    int64_t lag = hub->ticked ? ticks - hub->ticked - TICK : 0;
    hub->lag = lag > 0 ? lag : 0;
    hub->late += hub->lag;
    if (hub->ticked && ticks - hub->ticked > LATE_TICK)
        hub->patient_to = ticks + PATIENCE;
    hub->ticked = ticks;
    return ticks < hub->patient_to;
}

static void tell_status(struct hub *hub)
{
    char line[200];
    units_summary(hub, line, sizeof line);
    notify_status(&hub->notify, line);
}

static void ticked(uv_timer_t *timer)
{
    struct hub *hub = timer->data;
    int64_t ticks = clock_ticks();
    log_flush();
    again_tick(hub);
    notify_tick(&hub->notify, hub->store, ticks);
    if (hub->stopping)
        press_on(hub, ticks);
    if (be_patient(hub, ticks))
        return;
    suspensions_tick(hub, ticks);
    units_tick(hub);
    control_tick(hub, ticks);
    reload_tick(hub, ticks);
    adopt_tick(hub, ticks);
    trail_tick(hub, ticks);
    keeping_tick(hub, ticks);
    tell_status(hub);
    if (hub->stopping)
        stop_if_down(hub);
}

static void watch(struct hub *hub)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < 3; i++) {
        uv_signal_init(&hub->loop, &hub->signals[i]);
        hub->signals[i].data = hub;
        uv_signal_start(&hub->signals[i], signalled, numbers[i]);
    }
    uv_timer_init(&hub->loop, &hub->tick);
    hub->tick.data = hub;
    uv_timer_start(&hub->tick, ticked, TICK, TICK);
}

/* ---- ports of the bus ---- */

static void ask(void *arg, enum bus_judge judge, struct bus_case *bus_case)
{
    struct unit *unit = bus_party_owner(bus_case_view(bus_case)->party);
    (void)arg;
    policy_side_ask(unit_child(unit, judge == BUS_GUARD ? CHILD_GUARD : CHILD_INSPECT, NULL), bus_case);
}

static void send_out(void *arg, struct bus_dispatch *dispatch)
{
    const struct bus_dispatch_view *view = bus_dispatch_view(dispatch);
    struct unit *unit = bus_party_owner(view->party);
    (void)arg;
    fault_point("dispatch");
    link_side_send(unit_child(unit, CHILD_LINK, view->service->link), dispatch);
}

static void record(void *arg, const struct audit_event *event)
{
    trail_event(arg, event);
}

static void incident(void *arg, const char *agreement, const char *link, const char *rule, const char *reason,
                     bool recorded)
{
    if (recorded)
        trail_incident_told(arg, agreement, link, rule, reason);
    else
        trail_incident(arg, agreement, link, rule, reason);
}

static const struct bus_ports ports = {.ask = ask, .send = send_out, .record = record, .incident = incident};

/* ---- starting ---- */

__attribute__((format(printf, 2, 3))) static void add_damage(char reason[ACCORD_REASON_MAX],
                                                             const char *format, ...)
{
    size_t at = strlen(reason);
    va_list arguments;
    if (at)
        at += (size_t)snprintf(reason + at, ACCORD_REASON_MAX - at, "; ");
    if (at >= ACCORD_REASON_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(reason + at, ACCORD_REASON_MAX - at, format, arguments);
    va_end(arguments);
}

/* `exported`: audit records that only the trail's files have. */
static void tell_damage(struct hub *hub, const char *folder, const struct store_recovery *recovery,
                        uint64_t exported)
{
    uint64_t audit = recovery->lost_audit > exported ? recovery->lost_audit : exported;
    char reason[ACCORD_REASON_MAX] = "";
    if (recovery->damaged_records)
        add_damage(reason, "%" PRIu64 " damaged records (%" PRIu64 " bytes) were set aside in %.200s/damaged",
                   recovery->damaged_records, recovery->damaged_bytes, folder);
    if (recovery->missing_segments)
        add_damage(reason,
                   "files of the journal in %.200s are missing, %" PRIu64 " from journal-%010" PRIu32
                   ".seg on: %" PRIu64 " messages that were known were in them",
                   folder, recovery->missing_segments, recovery->missing_first, recovery->missing_messages);
    if (recovery->lost_messages || audit)
        add_damage(reason,
                   "the end of the journal in %.200s is missing: %" PRIu64 " messages and %" PRIu64
                   " audit records that were known are not in it",
                   folder, recovery->lost_messages, audit);
    if (!reason[0])
        return;
    struct audit_event event = {.action = AUDIT_STORE_DAMAGED, .outcome = AUDIT_FAILURE, .reason = reason};
    trail_event(hub, &event);
    trail_incident(hub, NULL, NULL, "store.damaged", reason);
}

static int open_store(struct hub *hub, struct reason *why)
{
    const struct conf_agent *agent = &hub->conf->conf->agent;
    char folder[600], key[1200];
    snprintf(folder, sizeof folder, "%s/store", agent->state);
    int result = store_key_path(agent, key, sizeof key, why);
    if (result)
        return result;
    struct store_config config = {.folder = folder,
                                  .backend = agent->store_backend,
                                  .epoch = 1,
                                  .segment_size = agent->segment_size,
                                  .reserve = agent->reserve,
                                  .key_file = key,
                                  .fault = fault_point};
    struct store_recovery recovery = {0};
    result = store_open(&hub->store, &hub->loop, &config, &recovery, why);
    if (result)
        return result;
    log_event(ACCORD_INFO, "store.open", NULL, "store open: %llu messages, %llu open deliveries",
              (unsigned long long)recovery.messages, (unsigned long long)recovery.open_deliveries);
    result = trail_open(hub, recovery.end, why);
    if (!result)
        tell_damage(hub, folder, &recovery, trail_resume(hub));
    if (!result && recovery.restored)
        restored_tell(hub, recovery.restored);
    if (!result)
        again_tell(hub);
    return result;
}

static int start(struct hub *hub, struct reason *why)
{
    again_reap();
    int result = reload_open(hub, why);
    if (result)
        return result;
    const struct conf_agent *agent = &hub->conf->conf->agent;
    result = prepare_state(agent->state, why);
    if (!result)
        result = open_store(hub, why);
    if (result)
        return result;
    hub->bus = bus_new(&hub->loop, hub->store, &ports, hub);
    if (!hub->bus)
        return fail(why, ACCORD_ENOMEM, "out of memory");
    struct audit_event event = {.action = AUDIT_AGENT_START};
    trail_event(hub, &event);
    reload_begin(hub);
    result = control_open(hub, why);
    if (result)
        return result;
    if (keeping_open(hub))
        return fail(why, ACCORD_ENOMEM, "out of memory");
    watch(hub);
    units_apply(hub, hub->conf);
    tell_status(hub);
    notify_ready(&hub->notify);
    return 0;
}

/* The user to become stands in agent.conf, which is therefore read once as root. */
static int drop_privileges(struct hub *hub, struct reason *why)
{
    const struct hub_options *options = &hub->options;
    struct conf_agent agent = {0};
    if (geteuid() != 0)
        return 0;
    int result = conf_load_agent(options->folder, options->state, &agent, &hub->problems);
    result = result ? fail(why, result, "agent.conf has mistakes") : become(agent.user, why);
    conf_agent_fini(&agent);
    return result;
}

/* Handles close, and name look-ups that nobody waits for end: those may take their time, and are left. */
static bool run_out(uv_loop_t *loop)
{
    int64_t until = clock_ticks() + RUN_OUT_TIME;
    bool alive;
    while ((alive = uv_run(loop, UV_RUN_NOWAIT)) && clock_ticks() < until)
        uv_sleep(1);
    return !alive;
}

static void finish(struct hub *hub)
{
    uv_run(&hub->loop, UV_RUN_NOWAIT);
    store_close(hub->store); /* what is outstanding finishes here, and needs the trail */
    trail_close(hub);
    keeping_free(hub);
    notify_close(&hub->notify);
    adopt_free(hub);
    units_free(hub);
    suspensions_free(hub);
    hub_conf_unref(hub->conf);
    conf_report_fini(&hub->problems);
    if (!run_out(&hub->loop))
        _exit(0);
    uv_loop_close(&hub->loop);
}

static int give_up_start(struct hub *hub, const struct reason *why)
{
    fprintf(stderr, "accordd: %s\n", why->text);
    if (hub->store)
        store_close(hub->store);
    return 1;
}

/* Large buffers come and go with the load, on many threads: they are given back, and not kept by each thread's heap. */
static void bound_memory(void)
{
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_MMAP_THRESHOLD, 128 << 10);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

int hub_main(const struct hub_options *options)
{
    static struct hub hub;
    struct reason why = {""};
    /* libuv lets name look-ups have half of its threads, so that those that no server answers leave the other half to
     * the export of the trail. */
    setenv("UV_THREADPOOL_SIZE", "16", 0);
    bound_memory();
    notify_open(&hub.notify);
    hub.options = *options;
    hub.started = clock_wall();
    hub.started_ticks = clock_ticks();
    log_open();
    log_setup("hub", ACCORD_INFO, false);
    signal(SIGPIPE, SIG_IGN);
    int result = drop_privileges(&hub, &why);
    if (!result)
        result = sandbox_protect_hub(&why);
    if (!result) {
        uv_loop_init(&hub.loop);
        result = start(&hub, &why);
    }
    hub_problems_log(&hub);
    if (result)
        return give_up_start(&hub, &why);
    log_event(ACCORD_NOTICE, "hub.started", NULL, "accord is running; ask it with: accord status");
    uv_run(&hub.loop, UV_RUN_DEFAULT);
    finish(&hub);
    return 0;
}
