#include "hub/loading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/describe.h"
#include "util/clock.h"
#include "util/file.h"

/* ../lib/accord/plugins from the folder of the executable. */
static void default_plugins(const char *executable, char *to, size_t room)
{
    snprintf(to, room, "%s", executable);
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(to, '/');
        if (slash)
            *slash = 0;
    }
    size_t used = strlen(to);
    snprintf(to + used, room - used, "/lib/accord/plugins");
}

/* With mistakes in agent.conf the running settings go on, and the other files are held against those. */
static int load_agent(struct loading *l, struct conf_agent *agent)
{
    const struct hub_options *o = l->options;
    int result = conf_reload_agent(o->folder, o->state, l->agent, agent, &l->problems);
    if (!result)
        return 0;
    conf_agent_fini(agent);
    if (result != ACCORD_EINVAL || !l->agent)
        return fail(&l->why, result, "agent.conf has mistakes");
    result = conf_agent_copy(l->agent, agent);
    return result ? fail(&l->why, result, "out of memory") : 0;
}

static int describe(struct loading *l, const struct conf_agent *agent, struct conf_plugins *plugins)
{
    char folder[4096], cache[600];
    if (agent->plugins[0])
        snprintf(folder, sizeof folder, "%s", agent->plugins);
    else
        default_plugins(l->options->executable, folder, sizeof folder);
    int kept = file_path(cache, sizeof cache, agent->state, "cache/plugins");
    const struct describing how = {.executable = l->options->executable,
                                   .folder = folder,
                                   .pins = agent->pins,
                                   .pin_count = agent->pin_count,
                                   .cache = kept < 0 ? NULL : cache,
                                   .deadline_ms = DESCRIBE_MS,
                                   .cancel = &l->cancel};
    return plugin_describe_with(&how, plugins, &l->problems);
}

static int load_files(struct loading *l, struct conf_agent *agent, struct hub_conf *to)
{
    struct plugin_checker ask = {.executable = l->options->executable,
                                 .memory = l->memory,
                                 .deadline_ms = DESCRIBE_MS,
                                 .cancel = &l->cancel};
    const struct conf_checker checker = {plugin_check, &ask};
    const struct conf_setting setting = {
        .checker = &checker, .running = l->running, .running_count = l->running_count};
    return conf_load_with(l->options->folder, agent, &to->plugins, &setting, &to->conf, &l->problems);
}

static void load(struct loading *l)
{
    struct conf_agent agent = {0};
    struct hub_conf *conf = NULL;
    int result = load_agent(l, &agent);
    if (!result && !(conf = calloc(1, sizeof *conf)))
        result = fail(&l->why, ACCORD_ENOMEM, "out of memory");
    if (!result) {
        *conf = (struct hub_conf){.refs = 1, .loaded = clock_wall()};
        result = describe(l, &agent, &conf->plugins);
        if (!result)
            result = load_files(l, &agent, conf);
        if (result)
            fail(&l->why, result, "the configuration could not be loaded (%s)", error_name(result));
    }
    conf_agent_fini(&agent);
    if (result && conf) {
        conf_plugins_free(&conf->plugins);
        free(conf);
        conf = NULL;
    }
    l->conf = conf;
}

void loading_run(struct loading *l)
{
    l->is_signed = conf_folder_sign(l->options->folder, &l->signature);
    load(l);
    conf_report_sort(&l->problems);
}
