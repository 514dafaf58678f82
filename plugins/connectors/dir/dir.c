/* Connector `dir`: files in folders on the organisation's own side. Takes settled files onto the bus, and drops
 * messages as files that appear whole. */
#include "dir.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "drop.h"
#include "intake.h"
#include "names.h"

#define LINK(field)    offsetof(struct link_options, field)
#define SERVICE(field) offsetof(struct service_options, field)

static const char *const afters[] = {"delete", "keep", NULL};
static const char *const exists[] = {"rename", "fail", NULL};

static const struct accord_option link_table[] = {
    {"path", ACCORD_PATH, ACCORD_REQUIRED | ACCORD_FOLDER_READ | ACCORD_FOLDER_WRITE, LINK(path), NULL, 0, 0,
     NULL, "The folder that this link may read and write in; nothing outside of it can be reached."},
    {0},
};

static const struct accord_option service_table[] = {
    {"folder", ACCORD_TEXT, 0, SERVICE(folder), ".", 0, 0, NULL,
     "Where the files are, below the link's path: one or more names, no `..`, no hidden ones."},
    {"pattern", ACCORD_TEXT, ACCORD_WHEN_RECEIVING, SERVICE(pattern), "*", 0, 0, NULL,
     "Only names that match (`*`, `?`, `[...]`). Hidden files are never taken."},
    {"settle", ACCORD_DURATION, ACCORD_WHEN_RECEIVING, SERVICE(settle), "2 s", 100, 86400000, NULL,
     "A file is taken when its size and time have stayed the same for this long."},
    {"rescan", ACCORD_DURATION, ACCORD_WHEN_RECEIVING, SERVICE(rescan), "10 s", 100, 86400000, NULL,
     "How often the folder is looked at when the system gives no notice of changes."},
    {"after", ACCORD_CHOICE, ACCORD_WHEN_RECEIVING, SERVICE(after), "delete", 0, 0, afters,
     "What happens to a file once its message is safe in the store."},
    {"keep-in", ACCORD_TEXT, ACCORD_WHEN_RECEIVING, SERVICE(keep_in), NULL, 0, 0, NULL,
     "With `after = keep`: the folder below the link's path to which it is moved."},
    {"mode", ACCORD_CHOICE, ACCORD_WHEN_SENDING, SERVICE(mode), "0640", 0, 0, dir_modes,
     "The mode of the files."},
    {"if-exists", ACCORD_CHOICE, ACCORD_WHEN_SENDING, SERVICE(if_exists), "rename", 0, 0, exists,
     "When there is a file of that name, `rename` adds -1, -2, ...; `fail` ends the delivery. Nothing "
     "is "
     "ever overwritten."},
    {0},
};

void dir_log(const struct dir *dir, enum accord_level level, const char *event, const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    dir->host->log(dir->instance, level, event, text);
}

/* ---- configuration ---- */

static int check_service(const struct accord_service *service, char *why, size_t room)
{
    const struct service_options *options = service->options;
    if (!name_is_below(options->folder)) {
        snprintf(why, room,
                 "service %s: folder = %.100s is not a folder below the link's path: use names with / "
                 "between them, none of them hidden, no ..",
                 service->name, options->folder);
        return ACCORD_EINVAL;
    }
    if (options->after == AFTER_KEEP && !options->keep_in) {
        snprintf(why, room, "service %s: after = keep needs keep-in = FOLDER", service->name);
        return ACCORD_EINVAL;
    }
    if (options->keep_in &&
        (!name_is_below(options->keep_in) || !strcmp(options->keep_in, options->folder))) {
        snprintf(why, room, "service %s: keep-in = %.100s must be another folder below the link's path",
                 service->name, options->keep_in);
        return ACCORD_EINVAL;
    }
    if (strchr(options->pattern, '/')) {
        snprintf(why, room, "service %s: pattern = %.100s is for names, which have no /", service->name,
                 options->pattern);
        return ACCORD_EINVAL;
    }
    return 0;
}

/* Which of two services would get a file must not be chance. */
static bool compete(const struct accord_service *a, const struct accord_service *b)
{
    const struct service_options *x = a->options, *y = b->options;
    return a->direction == ACCORD_RECEIVE && b->direction == ACCORD_RECEIVE &&
           !strcmp(x->folder, y->folder) && !strcmp(x->pattern, y->pattern);
}

static int check(const struct accord_link_setup *setup, char *why, size_t room)
{
    for (size_t i = 0; i < setup->service_count; i++) {
        int result = check_service(setup->services[i], why, room);
        if (result)
            return result;
        for (size_t j = 0; j < i; j++) {
            if (!compete(setup->services[i], setup->services[j]))
                continue;
            snprintf(why, room,
                     "services %s and %s take the same files: give them different folders or patterns",
                     setup->services[j]->name, setup->services[i]->name);
            return ACCORD_EINVAL;
        }
    }
    return 0;
}

/* ---- life ---- */

static void dir_close(void *state)
{
    struct dir *dir = state;
    for (size_t i = 0; i < dir->setup->service_count; i++) {
        if (dir->intakes && dir->intakes[i])
            intake_close(dir->intakes[i]);
        if (dir->drops && dir->drops[i])
            drop_close(dir->drops[i]);
    }
    free(dir->intakes);
    free(dir->drops);
    dir->intakes = NULL;
    dir->drops = NULL;
}

static int dir_open(void *state, struct accord_instance *instance, const struct accord_host *host,
                    const struct accord_link_setup *setup, char *why, size_t room)
{
    struct dir *dir = state;
    *dir = (struct dir){.instance = instance, .host = host, .setup = setup};
    size_t count = setup->service_count;
    dir->intakes = calloc(count + 1, sizeof *dir->intakes);
    dir->drops = calloc(count + 1, sizeof *dir->drops);
    bool good = dir->intakes && dir->drops;
    for (size_t i = 0; good && i < count; i++) {
        if (setup->services[i]->direction == ACCORD_RECEIVE)
            good = (dir->intakes[i] = intake_new(dir, i)) != NULL;
        else
            good = (dir->drops[i] = drop_new(dir, i)) != NULL;
    }
    if (!good) {
        dir_close(dir);
        snprintf(why, room, "out of memory");
        return ACCORD_ENOMEM;
    }
    /* Every file and folder is made with the mode that its service says; fchmod() is not for sandboxed links. */
    umask(0);
    return 0;
}

static void dir_start(void *state)
{
    struct dir *dir = state;
    dir->started = true;
    for (size_t i = 0; i < dir->setup->service_count; i++)
        if (dir->intakes[i])
            intake_start(dir->intakes[i]);
}

static void dir_stop(void *state)
{
    struct dir *dir = state;
    dir->started = false;
    for (size_t i = 0; i < dir->setup->service_count; i++)
        if (dir->intakes[i])
            intake_stop(dir->intakes[i]);
}

/* ---- messages ---- */

static void dir_deliver(void *state, const struct accord_outgoing *out)
{
    struct dir *dir = state;
    drop_deliver(dir->drops[out->service], out);
}

static void dir_payload(void *state, struct accord_delivery *delivery, const uint8_t *bytes, size_t size,
                        bool last)
{
    struct dir *dir = state;
    for (size_t i = 0; i < dir->setup->service_count; i++)
        if (dir->drops[i] && drop_payload(dir->drops[i], delivery, bytes, size, last))
            return;
}

static void dir_cancel(void *state, struct accord_delivery *delivery)
{
    struct dir *dir = state;
    for (size_t i = 0; i < dir->setup->service_count; i++)
        if (dir->drops[i] && drop_cancel(dir->drops[i], delivery))
            return;
}

static void dir_offer_pull(void *state, struct accord_offer *offer, void *arg, int64_t bytes)
{
    (void)state;
    (void)offer;
    intake_pull(arg, bytes);
}

static void dir_offer_done(void *state, struct accord_offer *offer, void *arg,
                           const struct accord_admitted *admitted)
{
    (void)state;
    (void)offer;
    intake_verdict(arg, admitted);
}

static void dir_offer_ready(void *state)
{
    struct dir *dir = state;
    for (size_t i = 0; i < dir->setup->service_count; i++)
        if (dir->intakes[i])
            intake_ready(dir->intakes[i]);
}

static const struct accord_connector connector = {
    .size = sizeof(struct accord_connector),
    .flags = ACCORD_CAN_SEND | ACCORD_CAN_RECEIVE,
    .link_options = {link_table, sizeof(struct link_options)},
    .service_options = {service_table, sizeof(struct service_options)},
    .check = check,
    .state_size = sizeof(struct dir),
    .open = dir_open,
    .start = dir_start,
    .stop = dir_stop,
    .close = dir_close,
    .deliver = dir_deliver,
    .payload = dir_payload,
    .cancel = dir_cancel,
    .offer_pull = dir_offer_pull,
    .offer_done = dir_offer_done,
    .offer_ready = dir_offer_ready,
};

ACCORD_PLUGIN = {
    .size = sizeof(struct accord_plugin),
    .abi_major = ACCORD_ABI_MAJOR,
    .abi_minor = ACCORD_ABI_MINOR,
    .kind = ACCORD_CONNECTOR,
    .name = "dir",
    .version = "0.1",
    .summary = "Files in folders on the organisation's own side: takes settled files, drops whole ones.",
    .connector = &connector,
};
