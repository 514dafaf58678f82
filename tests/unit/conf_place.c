#include "conf_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/clock.h"
#include "util/file.h"

#include <cmocka.h> /* last: its `fail` would hide ours */

/* ---- plugins as they describe themselves ---- */

static const char *const exists[] = {"fail", "same-content-is-delivered", NULL};
static const char *const ciphers[] = {"aes256-gcm@openssh.com", "aes256-ctr", "aes128-ctr", NULL};

static struct accord_option dir_link[] = {
    {.name = "path", .kind = ACCORD_PATH, .flags = ACCORD_REQUIRED | ACCORD_FOLDER_WRITE},
    {.name = NULL},
};
static struct accord_option dir_service[] = {
    {.name = "folder", .kind = ACCORD_TEXT},
    {.name = "pattern", .kind = ACCORD_TEXT, .fallback = "*"},
    {.name = "mode", .kind = ACCORD_TEXT, .flags = ACCORD_WHEN_SENDING},
    {.name = NULL},
};
static struct accord_option sftp_link[] = {
    {.name = "user", .kind = ACCORD_TEXT, .flags = ACCORD_REQUIRED},
    {.name = "key", .kind = ACCORD_SECRET, .flags = ACCORD_REQUIRED},
    {.name = "host-key", .kind = ACCORD_TEXT, .flags = ACCORD_REQUIRED},
    {.name = NULL},
};
static struct accord_option sftp_service[] = {
    {.name = "directory", .kind = ACCORD_TEXT, .flags = ACCORD_REQUIRED},
    {.name = "if-exists", .kind = ACCORD_CHOICE, .fallback = "fail", .choices = exists},
    {.name = "poll", .kind = ACCORD_DURATION, .flags = ACCORD_WHEN_RECEIVING, .fallback = "1 min"},
    {.name = NULL},
};
/* As much of mq and smtp as the shipped agreement writes. */
static struct accord_option mq_link[] = {
    {.name = "profile", .kind = ACCORD_TEXT},
    {.name = "user", .kind = ACCORD_TEXT},
    {.name = "password", .kind = ACCORD_TEXT},
    {.name = "trust", .kind = ACCORD_TEXT},
    {.name = NULL},
};
static struct accord_option mq_service[] = {
    {.name = "address", .kind = ACCORD_TEXT, .flags = ACCORD_REQUIRED},
    {.name = "reply-to", .kind = ACCORD_TEXT},
    {.name = NULL},
};
static struct accord_option smtp_link[] = {
    {.name = "tls", .kind = ACCORD_TEXT},
    {.name = "user", .kind = ACCORD_TEXT},
    {.name = "password", .kind = ACCORD_TEXT},
    {.name = "trust", .kind = ACCORD_TEXT},
    {.name = NULL},
};
static struct accord_option smtp_service[] = {
    {.name = "mail-from", .kind = ACCORD_TEXT, .flags = ACCORD_REQUIRED},
    {.name = "mail-to", .kind = ACCORD_TEXT, .flags = ACCORD_REQUIRED},
    {.name = "subject", .kind = ACCORD_TEXT},
    {.name = NULL},
};
static struct accord_option encryption[] = {
    {.name = "ssh-ciphers", .kind = ACCORD_LIST, .fallback = "aes256-ctr", .choices = ciphers},
    {.name = "fips", .kind = ACCORD_TEXT},
    {.name = NULL},
};
static struct accord_option content[] = {
    {.name = "unvalidated", .kind = ACCORD_TEXT, .fallback = "deny"},
    {.name = "max-segments", .kind = ACCORD_INTEGER, .fallback = "500000", .min = 10, .max = 1000000},
    {.name = NULL},
};
static struct conf_plugin plugin_items[] = {
    {.kind = ACCORD_CONNECTOR,
     .name = "dir",
     .flags = ACCORD_CAN_SEND | ACCORD_CAN_RECEIVE,
     .options = dir_link,
     .service_options = dir_service},
    {.kind = ACCORD_CONNECTOR,
     .name = "mq",
     .flags = ACCORD_CAN_SEND | ACCORD_CAN_RECEIVE | ACCORD_DIALS,
     .options = mq_link,
     .service_options = mq_service},
    {.kind = ACCORD_CONNECTOR,
     .name = "sftp",
     .flags = ACCORD_CAN_SEND | ACCORD_DIALS,
     .options = sftp_link,
     .service_options = sftp_service},
    {.kind = ACCORD_CONNECTOR,
     .name = "smtp",
     .flags = ACCORD_CAN_SEND | ACCORD_DIALS,
     .options = smtp_link,
     .service_options = smtp_service},
    {.kind = ACCORD_POLICY, .name = "content", .flags = ACCORD_READS_PAYLOAD, .options = content},
    {.kind = ACCORD_POLICY, .name = "encryption", .options = encryption},
    {.kind = ACCORD_POLICY, .name = "logging"},
    {.kind = ACCORD_POLICY, .name = "services"},
};
static const struct conf_plugins plugins = {plugin_items, sizeof plugin_items / sizeof *plugin_items};
const struct conf_plugins *const place_plugins = &plugins;

/* ---- a conf.d of one's own ---- */

int conf_place_make(void **state)
{
    static const struct clock_source now = {.wall = INT64_C(1760000000) * 1000000}; /* October 2025 */
    struct conf_place *p = calloc(1, sizeof *p);
    char path[128];
    strcpy(p->root, "/tmp/accord-conf-XXXXXX");
    assert_non_null(mkdtemp(p->root));
    snprintf(p->folder, sizeof p->folder, "%s/conf.d", p->root);
    snprintf(path, sizeof path, "%s/credentials/cbp", p->root);
    assert_int_equal(file_make_folder(p->folder, NULL) | file_make_folder(path, NULL), 0);
    clock_use(&now);
    *state = p;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st, (void)kind, (void)walk;
    return remove(path);
}

int conf_place_remove(void **state)
{
    struct conf_place *p = *state;
    conf_free(p->conf);
    conf_agent_fini(&p->agent);
    conf_report_fini(&p->report);
    nftw(p->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(p);
    clock_use(NULL);
    return 0;
}

void put_file(const struct conf_place *p, const char *name, const char *text, unsigned mode)
{
    char path[256];
    struct reason why;
    snprintf(path, sizeof path, "%s/%s", p->root, name);
    if (file_replace(path, text, strlen(text), 0600, &why) || chmod(path, mode))
        fail_msg("%s", why.text);
}

void load_place(struct conf_place *p)
{
    int result = conf_load_agent(p->folder, NULL, &p->agent, &p->report);
    assert_true(result == 0 || result == ACCORD_EINVAL);
    assert_int_equal(conf_load(p->folder, &p->agent, &plugins, &p->conf, &p->report), 0);
    conf_report_sort(&p->report);
}

static void show(const struct conf_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        print_error("%s:%d: %s: %s\n", report->items[i].file, report->items[i].line,
                    conf_severity_name(report->items[i].severity), report->items[i].text);
}

void expect_report(const struct conf_place *p, enum conf_severity severity, const char *file, int line,
                   const char *part)
{
    for (size_t i = 0; i < p->report.count; i++) {
        const struct conf_problem *problem = &p->report.items[i];
        if (problem->severity == severity && problem->line == line && !strcmp(problem->file, file) &&
            strstr(problem->text, part))
            return;
    }
    show(&p->report);
    fail_msg("not in the report: %s:%d: %s", file, line, part);
}

void expect_error(const struct conf_place *p, const char *file, int line, const char *part)
{
    expect_report(p, CONF_ERROR, file, line, part);
}

void expect_errors(const struct conf_place *p, size_t count)
{
    if (conf_report_count(&p->report, CONF_ERROR, NULL) == count)
        return;
    show(&p->report);
    fail_msg("%zu errors, not %zu", conf_report_count(&p->report, CONF_ERROR, NULL), count);
}

void put_good(const struct conf_place *p)
{
    put_file(p, "conf.d/site.conf", SITE, 0600);
    put_file(p, "conf.d/cbp.conf", HEAD SERVICE, 0600);
    put_file(p, "credentials/cbp/id", "secret", 0600);
}

void collect_route(void *arg, const struct conf_agreement *agreement, const struct conf_service *service)
{
    char *text = arg;
    sprintf(text + strlen(text), "%s/%s ", agreement->name, service->name);
}
