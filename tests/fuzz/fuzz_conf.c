/* The same bytes as agent.conf, site.conf and an agreement's file. Whatever they are, the agreements that come out
 * are complete. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"
#include "util/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct accord_option dir_link[] = {{.name = "path", .kind = ACCORD_PATH, .flags = ACCORD_REQUIRED},
                                          {.name = NULL}};
static struct accord_option sftp_link[] = {{.name = "key", .kind = ACCORD_SECRET}, {.name = NULL}};
static struct accord_option sftp_service[] = {
    {.name = "directory", .kind = ACCORD_TEXT, .flags = ACCORD_REQUIRED}, {.name = NULL}};
static struct conf_plugin items[] = {
    {.kind = ACCORD_CONNECTOR,
     .name = "dir",
     .flags = ACCORD_CAN_SEND | ACCORD_CAN_RECEIVE,
     .options = dir_link},
    {.kind = ACCORD_CONNECTOR,
     .name = "sftp",
     .flags = ACCORD_CAN_SEND | ACCORD_DIALS,
     .options = sftp_link,
     .service_options = sftp_service},
    {.kind = ACCORD_POLICY, .name = "services"},
    {.kind = ACCORD_POLICY, .name = "encryption"},
    {.kind = ACCORD_POLICY, .name = "logging"},
};
static const struct conf_plugins plugins = {items, sizeof items / sizeof *items};

static char folder[] = "/tmp/accord-fuzz-XXXXXX";

static void clean(void)
{
    static const char *const names[] = {"agent.conf", "site.conf", "x.conf"};
    char path[128];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static void put(const char *name, const uint8_t *data, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file))
        abort();
}

static void check_one(void *arg, const struct conf_agreement *agreement, const struct conf_service *service)
{
    const struct conf_service *from = arg;
    if (service->direction != ACCORD_SEND || service->type != from->type || !agreement->name[0])
        abort();
}

static void check_agreement(const struct conf *conf, const struct conf_agreement *agreement)
{
    for (size_t i = 0; i < agreement->link_count; i++) {
        const struct conf_link *link = &agreement->links[i];
        if (!link->connector || !(link->connector->flags & ACCORD_DIALS) != !link->endpoint)
            abort();
    }
    for (size_t i = 0; i < agreement->service_count; i++) {
        struct conf_service *service = &agreement->services[i];
        if (!service->type || !service->link || !service->direction || service->max_size < 1)
            abort();
        conf_routes(conf, agreement, service, check_one, service);
    }
    if (agreement->is_site ? agreement->policy_count != 0 : agreement->policy_count != 3)
        abort();
    if (agreement->enabled && agreement->in_force_until <= agreement->in_force_from)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    if (!ready && (!mkdtemp(folder) || atexit(clean)))
        abort();
    ready = true;
    put("agent.conf", data, size);
    put("site.conf", data, size);
    put("x.conf", data, size);
    struct conf_agent agent;
    struct conf_report report = {0};
    struct conf *conf = NULL;
    int result = conf_load_agent(folder, NULL, &agent, &report);
    if ((result == ACCORD_EINVAL) != (conf_report_count(&report, CONF_ERROR, "agent.conf") > 0))
        abort();
    if (conf_load(folder, &agent, &plugins, &conf, &report))
        abort();
    conf_report_sort(&report);
    for (size_t i = 0; i < conf->agreement_count; i++)
        check_agreement(conf, conf->agreements[i]);
    conf_free(conf);
    conf_agent_fini(&agent);
    conf_report_fini(&report);
    return 0;
}
