#include "hub/watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hub/quiet.h"
#include "hub/reload.h"
#include "util/clock.h"
#include "util/log.h"

#define LOOK_EVERY 1000  /* ms: is it still the same folder? */
#define POLL_EVERY 30000 /* ms: is every file as it was? */
#define POLL_ALONE 2000  /* ms, when the kernel tells nothing */

struct watch {
    struct hub *hub;
    uv_fs_event_t event;
    bool told;       /* by the kernel: the handle is started */
    bool complained; /* that it cannot be */
    bool missing;
    dev_t device;
    ino_t inode;
    struct quiet quiet;
    int64_t look_at, poll_at;
    struct conf_signature loaded;
    bool is_loaded;
};

struct watch *watch_new(struct hub *hub)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->hub = hub;
    uv_fs_event_init(&hub->loop, &watch->event);
    watch->event.data = watch;
    return watch;
}

void watch_loaded(struct watch *watch, const struct conf_signature *signature)
{
    watch->loaded = *signature;
    watch->is_loaded = true;
}

/* Names that do not count are editors' own. The folder's own name, or none: it was moved or removed. */
static void happened(uv_fs_event_t *event, const char *name, int events, int status)
{
    (void)events;
    struct watch *watch = event->data;
    if (status < 0 || !name || conf_folder_counts(name))
        quiet_note(&watch->quiet, clock_ticks());
    else
        watch->look_at = 0;
}

/* ---- the folder ---- */

static void stop(struct watch *watch)
{
    if (watch->told)
        uv_fs_event_stop(&watch->event);
    watch->told = false;
}

static void start(struct watch *watch, const struct stat *st)
{
    const char *folder = watch->hub->options.folder;
    stop(watch);
    watch->device = st->st_dev;
    watch->inode = st->st_ino;
    int result = uv_fs_event_start(&watch->event, happened, folder, 0);
    watch->told = result == 0;
    if (result && !watch->complained)
        log_event(ACCORD_WARNING, "conf.not-watched", NULL,
                  "the kernel does not tell of changes in %s (%s): it is looked at every %d s", folder,
                  uv_strerror(result), POLL_ALONE / 1000);
    watch->complained = result != 0;
    quiet_note(&watch->quiet, clock_ticks()); /* what happened before nobody told */
}

/* Another folder may lie there now. */
static void look(struct watch *watch)
{
    const char *folder = watch->hub->options.folder;
    struct stat st;
    bool missing = stat(folder, &st) < 0;
    if (missing) {
        stop(watch);
        watch->device = 0;
        watch->inode = 0;
        if (!watch->missing)
            log_event(ACCORD_WARNING, "conf.missing", NULL,
                      "%s is not there: everything goes on as it runs until it is back", folder);
    } else if (st.st_dev != watch->device || st.st_ino != watch->inode) {
        start(watch, &st);
    }
    watch->missing = missing;
}

static bool differs(const struct watch *watch)
{
    struct conf_signature now;
    return conf_folder_sign(watch->hub->options.folder, &now) &&
           (!watch->is_loaded || memcmp(&now, &watch->loaded, sizeof now) != 0);
}

void watch_tick(struct watch *watch, bool on, int64_t ticks)
{
    if (!on) {
        stop(watch);
        watch->device = 0; /* when it is switched on, it begins anew */
        watch->look_at = watch->poll_at = 0;
        watch->quiet.pending = false;
        return;
    }
    if (ticks >= watch->look_at) {
        watch->look_at = ticks + LOOK_EVERY;
        look(watch);
    }
    if (ticks >= watch->poll_at) {
        watch->poll_at = ticks + (watch->told ? POLL_EVERY : POLL_ALONE);
        if (!watch->missing && !watch->quiet.pending && differs(watch))
            quiet_note(&watch->quiet, ticks);
    }
    if (quiet_due(&watch->quiet, ticks) && !watch->missing && differs(watch))
        hub_reload(watch->hub, "conf.d", NULL, NULL);
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void watch_close(struct watch *watch)
{
    uv_close((uv_handle_t *)&watch->event, closed);
}
