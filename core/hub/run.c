/* The hub's life: privileges, configuration, store, bus, units; the loop; an orderly end. */
#include "hub/hub.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hub/control.h"
#include "hub/link_side.h"
#include "hub/policy_side.h"
#include "hub/reload.h"
#include "hub/trail.h"
#include "hub/unit.h"
#include "sandbox/sandbox.h"
#include "util/clock.h"
#include "util/fault.h"
#include "util/file.h"
#include "util/log.h"

/* ---- privileges: never root once started ---- */

static int become(const char *name, struct reason *why)
{
    if (geteuid() != 0)
        return 0;
    if (!*name)
        return fail(why, ACCORD_EDENIED,
                    "started as root: set 'user = NAME' under [agent] in agent.conf, or start as that user");
    const struct passwd *user = getpwnam(name);
    if (!user || user->pw_uid == 0)
        return fail(why, ACCORD_EDENIED, "user '%s' of agent.conf %s", name,
                    user ? "is root" : "does not exist; make it with: useradd --system NAME");
    if (setgroups(0, NULL) < 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
        return fail(why, error_from_errno(errno), "cannot become user '%s': %s", name, strerror(errno));
    return 0;
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
    if (st.st_mode & 077)
        return fail(why, ACCORD_EDENIED, "the state folder %s is open to other users; run: chmod 700 %s",
                    state, state);
    return 0;
}

/* ---- ending ---- */

static void closed_down(struct hub *hub)
{
    control_close(hub);
    for (size_t i = 0; i < 3; i++)
        uv_close((uv_handle_t *)&hub->signals[i], NULL);
    uv_close((uv_handle_t *)&hub->tick, NULL);
    bus_free(hub->bus);
    uv_stop(&hub->loop);
}

static void stop_if_down(struct hub *hub)
{
    static bool finishing;
    if (finishing || !units_down(hub) || !bus_idle(hub->bus))
        return;
    finishing = true;
    struct audit_event event = {.action = AUDIT_AGENT_STOP};
    trail_event(hub, &event);
    trail_finish(hub, closed_down);
}

static void stop(struct hub *hub)
{
    if (hub->stopping)
        return;
    hub->stopping = true;
    log_event(ACCORD_NOTICE, "hub.stopping", NULL, "stopping: what is in flight may finish");
    units_stop(hub);
}

/* ---- the loop ---- */

static void signalled(uv_signal_t *handle, int number)
{
    struct hub *hub = handle->data;
    if (number == SIGHUP)
        hub_reload(hub, "SIGHUP");
    else
        stop(hub);
}

static void ticked(uv_timer_t *timer)
{
    struct hub *hub = timer->data;
    units_tick(hub, clock_ticks());
    trail_tick(hub, clock_ticks());
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
    signal(SIGPIPE, SIG_IGN);
    uv_timer_init(&hub->loop, &hub->tick);
    hub->tick.data = hub;
    uv_timer_start(&hub->tick, ticked, 100, 100);
}

/* ---- ports of the bus ---- */

static struct unit *unit_of(struct hub *hub, const struct bus_party *party)
{
    return unit_find(hub, bus_party_conf(party)->name);
}

static void ask(void *arg, enum bus_judge judge, struct bus_case *bus_case)
{
    struct unit *unit = unit_of(arg, bus_case_view(bus_case)->party);
    policy_side_ask(unit_child(unit, judge == BUS_GUARD ? CHILD_GUARD : CHILD_INSPECT, NULL), bus_case);
}

static void send_out(void *arg, struct bus_dispatch *dispatch)
{
    const struct bus_dispatch_view *view = bus_dispatch_view(dispatch);
    struct unit *unit = unit_of(arg, view->party);
    fault_point("dispatch");
    link_side_send(unit_child(unit, CHILD_LINK, view->service->link), dispatch);
}

static void record(void *arg, const struct audit_event *event)
{
    trail_event(arg, event);
}

static const struct bus_ports ports = {.ask = ask, .send = send_out, .record = record};

/* ---- starting ---- */

/* `exported`: audit records that only the trail's files have. */
static void tell_damage(struct hub *hub, const char *folder, const struct store_recovery *recovery,
                        uint64_t exported)
{
    uint64_t audit = recovery->lost_audit > exported ? recovery->lost_audit : exported;
    char reason[ACCORD_REASON_MAX];
    int n = 0;
    if (recovery->damaged_records)
        n = snprintf(reason, sizeof reason,
                     "%" PRIu64 " damaged records (%" PRIu64 " bytes) were set aside in %.200s/damaged",
                     recovery->damaged_records, recovery->damaged_bytes, folder);
    if (recovery->lost_messages || audit)
        n += snprintf(reason + n, sizeof reason - (size_t)n,
                      "%sthe end of the journal in %.200s is missing: %" PRIu64 " messages and %" PRIu64
                      " audit records that were known are not in it",
                      n ? "; " : "", folder, recovery->lost_messages, audit);
    if (!n)
        return;
    struct audit_event event = {.action = AUDIT_STORE_DAMAGED, .outcome = AUDIT_FAILURE, .reason = reason};
    trail_event(hub, &event);
    trail_incident(hub, NULL, NULL, "store.damaged", reason);
}

static int open_store(struct hub *hub, struct reason *why)
{
    const struct conf_agent *agent = &hub->conf->conf->agent;
    char folder[600];
    snprintf(folder, sizeof folder, "%s/store", agent->state);
    struct store_config config = {.folder = folder,
                                  .backend = agent->store_backend,
                                  .epoch = 1,
                                  .segment_size = agent->segment_size,
                                  .reserve = agent->reserve,
                                  .fault = fault_point};
    struct store_recovery recovery = {0};
    int result = store_open(&hub->store, &hub->loop, &config, &recovery, why);
    if (result)
        return result;
    log_event(ACCORD_INFO, "store.open", NULL, "store open: %llu messages, %llu open deliveries",
              (unsigned long long)recovery.messages, (unsigned long long)recovery.open_deliveries);
    result = trail_open(hub, recovery.end, why);
    if (!result)
        tell_damage(hub, folder, &recovery, trail_resume(hub));
    return result;
}

static int start(struct hub *hub, struct reason *why)
{
    hub->conf = hub_conf_load(hub, why);
    if (!hub->conf)
        return ACCORD_EINVAL;
    const struct conf_agent *agent = &hub->conf->conf->agent;
    log_setup("hub", agent->log_level, strcmp(agent->log_format, "json") == 0);
    int result = prepare_state(agent->state, why);
    if (!result)
        result = open_store(hub, why);
    if (result)
        return result;
    hub->bus = bus_new(&hub->loop, hub->store, &ports, hub);
    if (!hub->bus)
        return fail(why, ACCORD_ENOMEM, "out of memory");
    bus_duplicate_horizon_set(hub->bus, agent->duplicate_horizon * 1000);
    struct audit_event event = {.action = AUDIT_AGENT_START};
    trail_event(hub, &event);
    hub_conf_record(hub, NULL);
    result = control_open(hub, why);
    if (result)
        return result;
    watch(hub);
    units_apply(hub, hub->conf);
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

static void finish(struct hub *hub)
{
    uv_run(&hub->loop, UV_RUN_NOWAIT);
    trail_close(hub);
    if (hub->store)
        store_close(hub->store);
    units_free(hub);
    if (hub->conf)
        hub_conf_unref(hub->conf);
    conf_report_fini(&hub->problems);
    uv_run(&hub->loop, UV_RUN_DEFAULT);
    uv_loop_close(&hub->loop);
}

int hub_main(const struct hub_options *options)
{
    static struct hub hub;
    struct reason why = {""};
    hub.options = *options;
    hub.started = clock_wall();
    log_setup("hub", ACCORD_INFO, false);
    int result = drop_privileges(&hub, &why);
    if (!result)
        result = sandbox_protect_hub(&why);
    if (!result) {
        uv_loop_init(&hub.loop);
        result = start(&hub, &why);
    }
    hub_problems_log(&hub);
    if (result) {
        fprintf(stderr, "accordd: %s\n", why.text);
        conf_report_fini(&hub.problems);
        return 1;
    }
    log_event(ACCORD_NOTICE, "hub.started", NULL, "accord is running; ask it with: accord status");
    uv_run(&hub.loop, UV_RUN_DEFAULT);
    finish(&hub);
    return 0;
}
