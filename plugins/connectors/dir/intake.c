#include "intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "held.h"

#define PASS_GAP 200 /* ms at least between two passes that inotify asked for */

static void scan_again(struct intake *);

/* ---- hints ---- */

/* Only a hint that it is worth looking now: the rescan finds what it misses, and no name is taken from it. */
static void on_hint(void *arg, uint32_t events)
{
    struct intake *intake = arg;
    char ignored[4096] __attribute__((aligned(8)));
    (void)events;
    while (read(intake->inotify, ignored, sizeof ignored) > 0)
        ;
    if (intake->hinted)
        return;
    intake->hinted = true;
    if (!intake->scanning && !intake->unplanned && intake->started)
        intake_pump(intake);
}

static void watch_folder(struct intake *intake)
{
    const struct dir *dir = intake->dir;
    if (intake->watch || intake->inotify == -2)
        return;
    intake->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (intake->inotify >= 0 &&
        inotify_add_watch(intake->inotify, intake->path, IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR) >= 0)
        intake->watch = dir->host->watch(dir->instance, intake->inotify, on_hint, intake);
    if (intake->watch) {
        dir->host->watch_set(intake->watch, ACCORD_READABLE);
        return;
    }
    if (intake->inotify >= 0)
        close(intake->inotify);
    intake->inotify = -2; /* not to be had here: the rescan alone does it, more slowly */
    dir_log(dir, ACCORD_INFO, "dir.no-inotify",
            "%s is looked at every %lld ms: the system gives no notice of changes", intake->path,
            (long long)intake->options->rescan);
}

static void unwatch_folder(struct intake *intake)
{
    if (intake->watch)
        intake->dir->host->watch_end(intake->watch);
    if (intake->inotify >= 0)
        close(intake->inotify);
    intake->watch = NULL;
    intake->inotify = intake->inotify == -2 ? -2 : -1;
}

/* ---- scanning ---- */

static void scan_run(void *arg)
{
    struct intake *intake = arg;
    scan_step(&intake->scan);
}

static void tell_results(struct intake *intake)
{
    struct scan *scan = &intake->scan;
    if (scan->failed && !intake->failed)
        dir_log(intake->dir, ACCORD_ERROR, "dir.folder", "%s; service %s takes nothing until that works",
                scan->why, intake->service->name);
    if (!scan->failed && intake->failed)
        dir_log(intake->dir, ACCORD_NOTICE, "dir.folder-back", "%s can be read again", intake->path);
    intake->failed = scan->failed;
    if (scan->pass_over && !scan->failed)
        intake->dir->host->metric(intake->dir->instance, "passes", 1);
    for (size_t i = 0; i < scan->refused_count; i++) {
        char name[NAME_ROOM];
        name_safe(name, scan->refused[i].name);
        dir_log(intake->dir, ACCORD_WARNING, "dir.refused", "%s/%s was left alone: %s", intake->path, name,
                scan->refused_why[i]);
        intake->dir->host->metric(intake->dir->instance, "refused", 1);
    }
}

static void scan_done(void *arg)
{
    struct intake *intake = arg;
    intake->scanning = false;
    if (intake->closed) {
        intake_release(intake);
        return;
    }
    intake->scan.ended = intake->dir->host->ticks(intake->dir->instance);
    intake->place.folder = intake->scan.folder;
    intake->place.claimed = intake->scan.claimed;
    tell_results(intake);
    if (intake->scan.failed || intake->scan.reopened)
        unwatch_folder(intake);
    if (!intake->scan.failed)
        watch_folder(intake);
    intake->next_ready = 0;
    intake->unplanned = true;
    intake_pump(intake);
}

static void on_timer(void *arg)
{
    struct intake *intake = arg;
    intake->timer = NULL;
    scan_again(intake);
}

static void scan_later(struct intake *intake, int64_t ms)
{
    const struct dir *dir = intake->dir;
    int64_t at = dir->host->ticks(dir->instance) + ms;
    if (intake->timer && intake->timer_at <= at)
        return;
    if (intake->timer)
        dir->host->timer_stop(intake->timer);
    intake->timer_at = at;
    intake->timer = dir->host->timer(dir->instance, ms > 1 ? ms : 1, on_timer, intake);
}

static void scan_again(struct intake *intake)
{
    const struct dir *dir = intake->dir;
    if (intake->scanning || !intake->started)
        return;
    if (!intake->scan.dir)
        intake->hinted = false; /* a new pass sees what happened before it */
    intake->scan.now = dir->host->ticks(dir->instance);
    intake->scan.may_reopen = !intake->held_count;
    intake->scanning = true;
    intake->unplanned = false;
    if (dir->host->work(dir->instance, scan_run, scan_done, intake) == 0)
        return;
    intake->scanning = false;
    scan_later(intake, intake->options->rescan);
}

/* When to look again, once everything found is taken. */
static void plan(struct intake *intake)
{
    const struct scan *scan = &intake->scan;
    int64_t wait = intake->options->rescan, now = intake->dir->host->ticks(intake->dir->instance);
    if (!scan->pass_over) {
        scan_again(intake);
        return;
    }
    if (scan->due && scan->due - now < wait)
        wait = scan->due - now > PASS_GAP / 4 ? scan->due - now : PASS_GAP / 4;
    if (intake->hinted && PASS_GAP < wait && !scan->failed)
        wait = PASS_GAP;
    scan_later(intake, wait);
}

void intake_pump(struct intake *intake)
{
    const struct scan *scan = &intake->scan;
    if (intake->scanning || !intake->started)
        return;
    while (intake->unplanned && intake->next_ready < scan->ready_count && intake->active < INTAKE_OFFERS &&
           intake->held_count < INTAKE_HELD)
        held_begin(intake, &scan->ready[intake->next_ready++], scan->ready_claimed);
    if (intake->unplanned && intake->next_ready < scan->ready_count)
        return; /* a held file that ends comes back here */
    if (intake->unplanned || intake->hinted) {
        intake->unplanned = false;
        plan(intake);
    }
}

/* ---- life ---- */

struct intake *intake_new(struct dir *dir, size_t index)
{
    struct intake *intake = calloc(1, sizeof *intake);
    if (!intake)
        return NULL;
    const struct link_options *link = dir->setup->options;
    intake->dir = dir;
    intake->index = index;
    intake->service = dir->setup->services[index];
    intake->options = intake->service->options;
    intake->inotify = -1;
    intake->scan.root = intake->place.root = link->path;
    intake->scan.below = intake->options->folder;
    intake->scan.pattern = intake->options->pattern;
    intake->scan.settle = intake->options->settle;
    intake->scan.service = intake->service->name;
    intake->place.keep = intake->options->after == AFTER_KEEP ? intake->options->keep_in : NULL;
    snprintf(intake->path, sizeof intake->path, "%s/%s", link->path, intake->options->folder);
    if (scan_init(&intake->scan) == 0)
        return intake;
    free(intake);
    return NULL;
}

void intake_start(struct intake *intake)
{
    intake->started = true;
    for (struct held *held = intake->held, *next; held; held = next) {
        next = held->next;
        held_resume(held);
        if (held->waiting)
            held_offer(held);
    }
    if (intake->unplanned)
        intake_pump(intake);
    else
        scan_again(intake);
}

void intake_stop(struct intake *intake)
{
    intake->started = false;
    if (intake->timer)
        intake->dir->host->timer_stop(intake->timer);
    intake->timer = NULL;
}

void intake_ready(struct intake *intake)
{
    for (struct held *held = intake->held; held; held = held->next)
        if (held->waiting)
            held_offer(held);
}

void intake_close(struct intake *intake)
{
    intake_stop(intake);
    unwatch_folder(intake);
    intake->closed = true;
    /* One more than there are, so that ending the last file does not free what the loop looks at. */
    intake->held_count++;
    for (struct held *held = intake->held, *next; held; held = next) {
        next = held->next;
        held_abort(held);
    }
    intake->held_count--;
    intake_release(intake);
}

void intake_release(struct intake *intake)
{
    if (intake->held_count || intake->scanning)
        return;
    scan_fini(&intake->scan);
    free(intake);
}
