/* The session profile of a link: what its sessions may negotiate, from every module that has a say. */
#include <string.h>

#include "guard/role.h"

#define PROFILE_SIZE (32 << 10)

struct profile {
    struct accord_pair pairs[WIRE_PAIRS_MAX];
    const struct module *from[WIRE_PAIRS_MAX];
    size_t count;
    char texts[PROFILE_SIZE];
    size_t used;
    const struct module *module; /* that speaks now */
    struct reason why;           /* of the first refusal */
};

static const char *profile_text(struct profile *profile, const char *text)
{
    size_t size = strlen(text) + 1;
    if (size > WIRE_TEXT_MAX || size > sizeof profile->texts - profile->used)
        return NULL;
    char *kept = memcpy(profile->texts + profile->used, text, size);
    profile->used += size;
    return kept;
}

/* A name that two modules give would make the weaker list win by order: refused. */
static int put(void *arg, const char *name, const char *value)
{
    struct profile *profile = arg;
    if (!name || !name[0] || !value)
        return fail(&profile->why, ACCORD_EINVAL, "it gave a name or value that is empty");
    for (size_t i = 0; i < profile->count; i++)
        if (strcmp(profile->pairs[i].name, name) == 0)
            return fail(&profile->why, ACCORD_EEXIST, "%.64s was given by %s already", name,
                        profile->from[i]->name);
    const char *kept_name = profile_text(profile, name), *kept_value = profile_text(profile, value);
    if (!kept_name || !kept_value || profile->count == WIRE_PAIRS_MAX)
        return fail(&profile->why, ACCORD_ELIMIT, "it gave more than a profile can hold");
    profile->from[profile->count] = profile->module;
    profile->pairs[profile->count++] = (struct accord_pair){kept_name, kept_value};
    return 0;
}

static int ask(struct profile *profile, struct module *module, const struct accord_policy_link *link,
               struct reason *why)
{
    struct accord_profile_sink sink = {profile, put};
    struct reason said = {""};
    profile->module = module;
    instance_enter(&module->base);
    int result = module->policy.profile(module->state, link, &sink, said.text, sizeof said.text);
    if (result < 0)
        return fail(why, result, "%s: %.400s", module->name, said.text[0] ? said.text : profile->why.text);
    /* A module that did not look at what `put` said must not pass with half its profile. */
    if (profile->why.text[0])
        return fail(why, ACCORD_EINVAL, "%s: %.400s", module->name, profile->why.text);
    return 0;
}

void profile_compile(const struct wire_message *m)
{
    static struct profile profile;
    if (m->COMPILE.link >= guard_role->link_count)
        process_refuse(&guard_role->process, m, "there is no link %u", m->COMPILE.link);
    profile = (struct profile){0};
    struct reason why = {""};
    int result = 0;
    for (size_t i = 0; i < guard_role->module_count && !result; i++)
        if (guard_role->modules[i]->policy.profile)
            result = ask(&profile, guard_role->modules[i], guard_role->links[m->COMPILE.link], &why);
    wire_put_PROFILE(guard_out(),
                     &(struct wire_PROFILE){m->COMPILE.link, result, why.text,
                                            WIRE_PAIRS(profile.pairs, result ? 0 : profile.count)});
}
