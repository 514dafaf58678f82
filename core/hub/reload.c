#include "hub/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/loading.h"
#include "hub/quiet.h"
#include "hub/trail.h"
#include "hub/unit.h"
#include "hub/watch.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#define RECORD_PROBLEMS   16 /* that one audit record names */
#define RECORD_AGREEMENTS 64
#define RUNNING_MAX       512

struct request {
    struct request *next;
    char user[64];
    reload_done done;
    void *arg;
};

/* A load that is under way, with what it must not lose. */
struct job {
    struct reload *reload;
    uv_work_t work;
    struct loading loading;
    struct request *requests; /* that it answers */
    struct hub_conf *held[RUNNING_MAX + 1];
    size_t held_count;
    const struct conf_agreement *running[RUNNING_MAX];
};

struct reload {
    struct hub *hub;
    struct job *job;
    struct request *waiting;
    struct check_memory *memory;
    struct watch *watch;
    struct refusals refusals;
    struct conf_signature signature; /* of what was loaded at start */
    bool is_signed;
};

struct hub_conf *hub_conf_ref(struct hub_conf *conf)
{
    conf->refs++;
    return conf;
}

void hub_conf_unref(struct hub_conf *conf)
{
    if (--conf->refs)
        return;
    conf_free(conf->conf);
    conf_plugins_free(&conf->plugins);
    free(conf);
}

void hub_problems_log(const struct hub *hub)
{
    static const enum accord_level levels[] = {ACCORD_ERROR, ACCORD_WARNING, ACCORD_NOTICE, ACCORD_WARNING};
    for (size_t i = 0; i < hub->problems.count; i++) {
        const struct conf_problem *p = &hub->problems.items[i];
        log_event(levels[p->severity], "conf.problem", NULL, "%s:%d: %s", p->file, p->line, p->text);
    }
}

/* ---- what runs ---- */

/* The version that runs, or that is about to; NULL: its file was gone. */
static const struct conf_agreement *version_of(const struct unit *unit, struct hub_conf **conf)
{
    if (unit->absent || (!unit->agreement && !unit->next_conf))
        return NULL;
    *conf = unit->next_conf ? unit->next_conf : unit->conf;
    return unit->next_conf ? conf_agreement_find(unit->next_conf->conf, unit->name) : unit->agreement;
}

static bool changes(const struct hub *hub, const struct conf *conf)
{
    struct hub_conf *of;
    if (strcmp(hub->conf->conf->agent.sha256, conf->agent.sha256) != 0)
        return true;
    for (size_t i = 0; i < conf->agreement_count; i++) {
        const struct unit *unit = unit_find(hub, conf->agreements[i]->name);
        const struct conf_agreement *version = unit ? version_of(unit, &of) : NULL;
        if (!version || !conf_same(version, conf->agreements[i]))
            return true;
    }
    for (const struct unit *unit = hub->units; unit; unit = unit->next)
        if (!unit->absent && !conf_has_file(conf, unit->name))
            return true;
    return false;
}

/* A file that comes back with mistakes has no running version. */
static void mark_absent(struct hub *hub, const struct conf *conf)
{
    for (struct unit *unit = hub->units; unit; unit = unit->next)
        unit->absent =
            !conf_has_file(conf, unit->name) || (unit->absent && !conf_agreement_find(conf, unit->name));
}

void reload_explain(const struct unit *unit, char *to, size_t room)
{
    const struct conf_report *report = &unit->hub->problems;
    char file[CONF_NAME_MAX + 8], when[32];
    const struct conf_problem *first = NULL;
    snprintf(file, sizeof file, "%s.conf", unit->name);
    size_t count = conf_report_count(report, CONF_ERROR, file);
    for (size_t i = 0; i < report->count && !first; i++)
        if (report->items[i].severity == CONF_ERROR && !strcmp(report->items[i].file, file))
            first = &report->items[i];
    *to = 0;
    if (!first)
        return;
    text_time(when, sizeof when, unit->conf ? unit->conf->loaded : 0);
    when[19] = 0;
    if (unit->absent)
        snprintf(to, room, "its file is back, with %zu mistake%s: line %d: %s", count, count == 1 ? "" : "s",
                 first->line, first->text);
    else
        snprintf(to, room, "runs as loaded at %sZ; its file has %zu mistake%s: line %d: %s", when, count,
                 count == 1 ? "" : "s", first->line, first->text);
}

/* ---- records ---- */

/* The first errors, as "problem.1" and so on. */
static size_t add_problems(const struct conf_report *report, struct accord_pair *details,
                           char names[RECORD_PROBLEMS][16], char texts[RECORD_PROBLEMS][400])
{
    size_t count = 0;
    for (size_t i = 0; i < report->count && count < RECORD_PROBLEMS; i++) {
        const struct conf_problem *p = &report->items[i];
        if (p->severity != CONF_ERROR)
            continue;
        snprintf(names[count], sizeof names[count], "problem.%zu", count + 1);
        snprintf(texts[count], sizeof texts[count], "%.64s:%d: %.300s", p->file, p->line, p->text);
        details[count] = (struct accord_pair){names[count], texts[count]};
        count++;
    }
    return count;
}

/* `conf` NULL: nothing of it was taken on. */
static void record(struct hub *hub, const char *user, const struct conf *conf, const char *reason)
{
    struct accord_pair details[RECORD_PROBLEMS + RECORD_AGREEMENTS + 1];
    char names[RECORD_PROBLEMS][16], texts[RECORD_PROBLEMS][400];
    size_t count = add_problems(&hub->problems, details, names, texts);
    bool good = !count && conf;
    if (conf)
        details[count++] = (struct accord_pair){"agent.conf", conf->agent.sha256};
    for (size_t i = 0; conf && i < conf->agreement_count && i < RECORD_AGREEMENTS; i++)
        details[count++] = (struct accord_pair){conf->agreements[i]->name, conf->agreements[i]->sha256};
    struct audit_event event = {.action = good ? AUDIT_CONFIG_LOADED : AUDIT_CONFIG_REFUSED,
                                .outcome = good ? AUDIT_SUCCESS : AUDIT_FAILURE,
                                .user = user,
                                .reason = good ? "" : reason,
                                .details = details,
                                .detail_count = count};
    trail_event(hub, &event);
}

static void refusal_key(const struct hub *hub, const char *reason, uint8_t key[DIGEST_SIZE])
{
    struct buf all = {0};
    buf_text(&all, reason);
    for (size_t i = 0; i < hub->problems.count; i++) {
        const struct conf_problem *p = &hub->problems.items[i];
        if (p->severity == CONF_ERROR)
            buf_format(&all, "\n%s:%d:%s", p->file, p->line, p->text);
    }
    if (all.failed || digest_of(all.data, all.size, key) < 0)
        memset(key, 0, DIGEST_SIZE);
    buf_fini(&all);
}

/* What took effect is always recorded; that the same mistakes are still there, once in a while. */
static void tell(struct reload *reload, const char *user, const struct conf *conf, bool changed,
                 const char *reason)
{
    struct hub *hub = reload->hub;
    uint8_t key[DIGEST_SIZE];
    bool refused = !conf || conf_report_count(&hub->problems, CONF_ERROR, NULL);
    if (refused)
        refusal_key(hub, reason, key);
    bool new = refused &&refusals_note(&reload->refusals, key, clock_ticks());
    if (!changed && !new)
        return;
    hub_problems_log(hub);
    if (!conf)
        log_event(ACCORD_ERROR, "conf.refused", NULL, "%s; everything keeps running as it was", reason);
    record(hub, user, conf, reason);
}

static void record_repeated(struct reload *reload, int64_t ticks, bool all)
{
    uint64_t repeated;
    while ((repeated = refusals_over(&reload->refusals, ticks, all))) {
        char text[24];
        snprintf(text, sizeof text, "%llu", (unsigned long long)repeated);
        struct accord_pair detail = {"repeated", text};
        struct audit_event event = {.action = AUDIT_CONFIG_REFUSED,
                                    .outcome = AUDIT_FAILURE,
                                    .reason = "the same mistakes were met again by later reloads",
                                    .details = &detail,
                                    .detail_count = 1};
        trail_event(reload->hub, &event);
    }
}

/* ---- applying ---- */

static void set_agent(struct hub *hub, const struct conf_agent *agent)
{
    log_setup("hub", agent->log_level, strcmp(agent->log_format, "json") == 0);
    bus_duplicate_horizon_set(hub->bus, agent->duplicate_horizon * 1000);
}

static void apply(struct hub *hub, struct hub_conf *conf)
{
    struct hub_conf *old = hub->conf;
    hub->conf = conf;
    set_agent(hub, &conf->conf->agent);
    mark_absent(hub, conf->conf);
    units_apply(hub, conf);
    hub_conf_unref(old);
}

/* Takes over the configuration that was loaded, or keeps everything. */
static void finish(struct reload *reload, struct job *job, struct reload_result *result)
{
    struct hub *hub = reload->hub;
    struct loading *l = &job->loading;
    const char *user = job->requests ? job->requests->user : "";
    conf_report_fini(&hub->problems);
    hub->problems = l->problems;
    l->problems = (struct conf_report){0};
    result->errors = conf_report_count(&hub->problems, CONF_ERROR, NULL);
    if (l->is_signed && reload->watch)
        watch_loaded(reload->watch, &l->signature);
    if (!l->conf) {
        result->errors += !result->errors;
        tell(reload, user, NULL, false, l->why.text);
        return;
    }
    struct hub_conf *conf = l->conf;
    l->conf = NULL;
    result->changed = changes(hub, conf->conf);
    tell(reload, user, conf->conf, result->changed, "files with mistakes keep their running version");
    if (result->changed) {
        apply(hub, conf);
    } else {
        hub_conf_unref(conf);
        units_apply(hub, hub->conf); /* what has mistakes may be new */
    }
}

/* ---- jobs ---- */

static void run(uv_work_t *work)
{
    loading_run(&((struct job *)work->data)->loading);
}

static void answer(struct request *requests, const struct reload_result *result)
{
    while (requests) {
        struct request *request = requests;
        requests = request->next;
        if (request->done)
            request->done(request->arg, result);
        free(request);
    }
}

static void job_free(struct job *job)
{
    for (size_t i = 0; i < job->held_count; i++)
        hub_conf_unref(job->held[i]);
    if (job->loading.conf)
        hub_conf_unref(job->loading.conf);
    conf_report_fini(&job->loading.problems);
    free(job);
}

static void begin(struct reload *reload);

static void ran(uv_work_t *work, int status)
{
    (void)status;
    struct job *job = work->data;
    struct reload *reload = job->reload;
    struct request *requests = job->requests;
    struct reload_result result = {0};
    reload->job = NULL;
    if (reload->hub->stopping) {
        result.errors = 1;
    } else {
        finish(reload, job, &result);
        notify_ready(&reload->hub->notify);
    }
    job_free(job);
    answer(requests, &result);
    if (reload->waiting)
        begin(reload);
}

static void hold(struct job *job, struct hub_conf *conf)
{
    job->held[job->held_count++] = hub_conf_ref(conf);
}

static void collect_running(struct job *job, const struct hub *hub)
{
    hold(job, hub->conf);
    for (const struct unit *unit = hub->units; unit && job->loading.running_count < RUNNING_MAX;
         unit = unit->next) {
        struct hub_conf *of;
        const struct conf_agreement *version = version_of(unit, &of);
        if (!version)
            continue;
        job->running[job->loading.running_count++] = version;
        hold(job, of);
    }
}

static void begin(struct reload *reload)
{
    struct hub *hub = reload->hub;
    struct job *job = hub->stopping ? NULL : calloc(1, sizeof *job);
    if (!job) { /* everything goes on as it runs */
        struct request *requests = reload->waiting;
        reload->waiting = NULL;
        answer(requests, &(struct reload_result){.errors = 1});
        return;
    }
    job->reload = reload;
    job->work.data = job;
    job->requests = reload->waiting;
    reload->waiting = NULL;
    reload->job = job;
    collect_running(job, hub);
    job->loading.options = &hub->options;
    job->loading.agent = &hub->conf->conf->agent;
    job->loading.running = job->running;
    job->loading.memory = reload->memory;
    notify_reloading(&hub->notify);
    uv_queue_work(&hub->loop, &job->work, run, ran);
}

void hub_reload(struct hub *hub, const char *user, reload_done done, void *arg)
{
    struct reload *reload = hub->reload;
    struct request *request = calloc(1, sizeof *request), **last = &reload->waiting;
    if (!request) {
        if (done)
            done(arg, &(struct reload_result){.errors = 1});
        return;
    }
    *request = (struct request){.done = done, .arg = arg};
    text_copy(request->user, sizeof request->user, user);
    while (*last)
        last = &(*last)->next;
    *last = request;
    if (!reload->job)
        begin(reload);
}

/* ---- start and end ---- */

int reload_open(struct hub *hub, struct reason *why)
{
    struct reload *reload = hub->reload = calloc(1, sizeof *reload);
    if (!reload || !(reload->memory = check_memory_new()))
        return fail(why, ACCORD_ENOMEM, "out of memory");
    reload->hub = hub;
    struct loading loading = {.options = &hub->options, .memory = reload->memory};
    loading_run(&loading);
    conf_report_fini(&hub->problems);
    hub->problems = loading.problems;
    hub->conf = loading.conf;
    reload->signature = loading.signature;
    reload->is_signed = loading.is_signed;
    *why = loading.why;
    return hub->conf ? 0 : ACCORD_EINVAL;
}

void reload_begin(struct hub *hub)
{
    struct reload *reload = hub->reload;
    uint8_t key[DIGEST_SIZE];
    set_agent(hub, &hub->conf->conf->agent);
    record(hub, NULL, hub->conf->conf, "files with mistakes are left out");
    refusal_key(hub, "files with mistakes keep their running version", key);
    if (conf_report_count(&hub->problems, CONF_ERROR, NULL))
        refusals_note(&reload->refusals, key, clock_ticks());
    reload->watch = watch_new(hub);
    if (reload->watch && reload->is_signed)
        watch_loaded(reload->watch, &reload->signature);
}

void reload_tick(struct hub *hub, int64_t ticks)
{
    struct reload *reload = hub->reload;
    record_repeated(reload, ticks, hub->stopping);
    if (reload->watch && !hub->stopping)
        watch_tick(reload->watch, hub->conf->conf->agent.watch, ticks);
}

void reload_stop(struct hub *hub)
{
    if (hub->reload->job)
        atomic_store(&hub->reload->job->loading.cancel, true);
}

bool reload_idle(const struct hub *hub)
{
    return !hub->reload->job && !hub->reload->waiting;
}

void reload_close(struct hub *hub)
{
    struct reload *reload = hub->reload;
    if (reload->watch)
        watch_close(reload->watch);
    check_memory_free(reload->memory);
    free(reload);
    hub->reload = NULL;
}
