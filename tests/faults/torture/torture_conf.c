/* conf.d under every failure of memory and of the disk: what is read is either the whole configuration or refused,
 * never a part of it, and a mistake never passes for none. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/conf.h"
#include "torture.h"
#include "util/buf.h"

static const char *const exists[] = {"fail", "same", NULL};
static struct accord_option dir_link[] = {
    {.name = "path", .kind = ACCORD_PATH, .flags = ACCORD_REQUIRED},
    {.name = NULL},
};
static struct accord_option dir_service[] = {
    {.name = "pattern", .kind = ACCORD_TEXT, .fallback = "*"},
    {.name = NULL},
};
static struct accord_option sftp_link[] = {
    {.name = "user", .kind = ACCORD_TEXT, .flags = ACCORD_REQUIRED},
    {.name = "key", .kind = ACCORD_SECRET, .flags = ACCORD_REQUIRED},
    {.name = NULL},
};
static struct accord_option sftp_service[] = {
    {.name = "directory", .kind = ACCORD_TEXT, .flags = ACCORD_REQUIRED},
    {.name = "if-exists", .kind = ACCORD_CHOICE, .fallback = "fail", .choices = exists},
    {.name = NULL},
};
static struct conf_plugin plugin_items[] = {
    {.kind = ACCORD_CONNECTOR,
     .name = "dir",
     .flags = ACCORD_CAN_SEND | ACCORD_CAN_RECEIVE,
     .options = dir_link,
     .service_options = dir_service},
    {.kind = ACCORD_CONNECTOR,
     .name = "sftp",
     .flags = ACCORD_CAN_SEND | ACCORD_DIALS,
     .options = sftp_link,
     .service_options = sftp_service},
    {.kind = ACCORD_POLICY, .name = "encryption"},
    {.kind = ACCORD_POLICY, .name = "logging"},
    {.kind = ACCORD_POLICY, .name = "services"},
};
static const struct conf_plugins plugins = {plugin_items, sizeof plugin_items / sizeof *plugin_items};

static const char AGENT_CONF[] = "[agent]\nstate = /tmp\nuser = nobody\n[store]\nsegment-size = 1 MiB\n"
                                 "[type telex]\nmedia = text/plain\nmax-size = 1 MiB\n";
static const char SITE_CONF[] =
    "[site]\nname = Acme\n[link in]\nconnector = dir\npath = /srv/in\n"
    "[service stow-plans]\ntype = stow-plan\ndirection = receive\nlink = in\n"
    "[service telexes]\ntype = telex\ndirection = receive\nlink = in\npattern = t*\n";
#define ISA(enabled)                                                                                         \
    "[agreement]\ntitle = ISA\npartner = CBP\nenabled = " enabled "\nacknowledged = 2026-03-14\n"            \
    "incident-to = csirc\n[contact csirc]\nname = CSIRC\nphone = +1-703-921-6507\n"                          \
    "[endpoint e]\nhost = sftp.cbp.example\nport = 22\n"                                                     \
    "[link sftp]\nconnector = sftp\nendpoint = e\nuser = acme\nkey = id\n"                                   \
    "[service stow-plan]\ntype = stow-plan\ndirection = send\nlink = sftp\ndirectory = /in\n"                \
    "from = site/stow-plans\n[service telex]\ntype = telex\ndirection = send\nlink = sftp\ndirectory = /t\n" \
    "from = site/telexes\n"

static char root[64], folder[80];
static struct buf whole; /* what a load in which nothing fails comes to */

static void put_file(const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *file = fopen(path, "w");
    torture_expect(file && fputs(text, file) >= 0 && !fclose(file) && !chmod(path, 0600));
}

static void put_pairs(struct buf *to, const struct accord_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_format(to, " %s=%s", pairs[i].name, pairs[i].value);
}

static void put_service(struct buf *to, const struct conf_service *service)
{
    buf_format(to, "\n service %s %s %d %s", service->name, service->type->name, (int)service->direction,
               service->link->name);
    for (size_t i = 0; i < service->from_count; i++)
        buf_format(to, " from %s/%s", service->from[i].agreement, service->from[i].service);
    put_pairs(to, service->options, service->option_count);
}

static struct buf text_of(const struct conf *conf)
{
    struct buf to = {0};
    buf_format(&to, "%s %s types %zu", conf->agent.state, conf->agent.sha256, conf->agent.type_count);
    for (size_t a = 0; a < conf->agreement_count; a++) {
        const struct conf_agreement *agreement = conf->agreements[a];
        buf_format(&to, "\n%s %s %s enabled %d contacts %zu %s endpoints %zu policies %zu", agreement->name,
                   agreement->title, agreement->sha256, agreement->enabled, agreement->contact_count,
                   agreement->incident_to ? agreement->incident_to->phone : "", agreement->endpoint_count,
                   agreement->policy_count);
        for (size_t i = 0; i < agreement->link_count; i++) {
            buf_format(&to, "\n link %s", agreement->links[i].name);
            put_pairs(&to, agreement->links[i].options, agreement->links[i].option_count);
        }
        for (size_t i = 0; i < agreement->service_count; i++)
            put_service(&to, &agreement->services[i]);
    }
    torture_expect(!to.failed);
    return to;
}

/* Whether it was loaded without a complaint; then `to` says what it is. */
static bool load(struct buf *to)
{
    struct conf_report report = {0};
    struct conf_agent agent = {0};
    struct conf *conf = NULL;
    torture_begin();
    int result = conf_load_agent(folder, NULL, &agent, &report);
    if (!result)
        result = conf_load(folder, &agent, &plugins, &conf, &report);
    bool sound = !result && !report.failed && !conf_report_count(&report, CONF_ERROR, NULL) &&
                 !conf_report_count(&report, CONF_UNCHECKED, NULL);
    torture_rest();
    torture_expect(!sound || conf);
    if (sound)
        *to = text_of(conf);
    conf_free(conf);
    conf_agent_fini(&agent);
    conf_report_fini(&report);
    return sound;
}

static void whole_or_refused(void)
{
    struct buf text = {0};
    if (load(&text))
        torture_expect(text.size == whole.size && !memcmp(text.data, whole.data, text.size));
    buf_fini(&text);
}

static void a_mistake_is_never_overlooked(void)
{
    struct buf text = {0};
    torture_expect(!load(&text));
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    (void)st, (void)flag, (void)walk;
    return remove(path);
}

int main(void)
{
    char path[160];
    strcpy(root, "/tmp/torture-conf-XXXXXX");
    torture_expect(mkdtemp(root));
    snprintf(folder, sizeof folder, "%s/conf.d", root);
    mkdir(folder, 0755);
    snprintf(path, sizeof path, "%s/credentials", root);
    mkdir(path, 0700);
    strcat(path, "/isa");
    mkdir(path, 0700);
    put_file("credentials/isa/id", "secret");
    put_file("conf.d/agent.conf", AGENT_CONF);
    put_file("conf.d/site.conf", SITE_CONF);
    put_file("conf.d/isa.conf", ISA("yes"));
    torture_expect(load(&whole) && strstr(buf_string(&whole), "from site/telexes"));
    int broken = torture("conf", whole_or_refused, 80);
    put_file("conf.d/isa.conf", ISA("perhaps"));
    broken += torture("conf with a mistake", a_mistake_is_never_overlooked, 60);
    buf_fini(&whole);
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return broken ? 1 : 0;
}
