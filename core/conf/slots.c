/* Where in a file an objection of a `check` slot belongs: "service NAME: ..." is about that section, otherwise it is
 * about the link or policy; the first option that the sentence names and the section has is the line.
 */
#include <ctype.h>
#include <string.h>

#include "conf/draft.h"
#include "util/text.h"

struct objecting {
    struct drafting *drafting;
    const struct draft *draft;
};

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_';
}

/* The word's place in the text, or NULL. */
static const char *find_word(const char *text, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at++)
        if ((at == text || !is_word_byte(at[-1])) && !is_word_byte(at[size]))
            return at;
    return NULL;
}

/* The key of the section that the sentence names first. */
static int line_of(const struct conf_section *section, const char *text)
{
    const struct conf_entry *named = NULL;
    const char *first = NULL;
    for (size_t i = 0; section && i < section->count; i++) {
        const char *at = find_word(text, section->entries[i].key);
        if (at && (!first || at < first)) {
            first = at;
            named = &section->entries[i];
        }
    }
    return named ? named->line : section ? section->line : 0;
}

/* "service NAME:" or "services NAME and ...", when NAME runs over this link. */
static const struct conf_section *named_service(const struct draft *draft, const struct conf_link *link,
                                                const char **text)
{
    char name[CONF_NAME_MAX] = "";
    size_t size = 0;
    const char *at = *text;
    if (strncmp(at, "service", 7) != 0)
        return NULL;
    at += 7 + (at[7] == 's');
    if (*at != ' ')
        return NULL;
    for (at++; is_word_byte(*at) && size + 1 < sizeof name; at++)
        name[size++] = *at;
    name[size] = 0;
    const struct conf_service *service = conf_service_find(draft->agreement, name);
    if (!service || (link && service->link != link))
        return NULL;
    *text = at;
    return conf_file_section(&draft->file, "service", name);
}

static void object(void *to, const struct conf_link *link, const struct conf_policy *policy, const char *text)
{
    const struct objecting *o = to;
    struct checking check = draft_checking(o->drafting, o->draft);
    const char *kind = link ? "link" : "policy", *name = link ? link->name : policy->module->name;
    const char *sentence = text;
    const struct conf_section *section = named_service(o->draft, link, &sentence);
    int line = line_of(section, sentence);
    if (!section) {
        section = conf_file_section(&o->draft->file, kind, name);
        line = line_of(section, sentence);
    }
    check_error(&check, line, "[%s %s]: %s", kind, name, text);
}

static bool has_slots(const struct conf_agreement *agreement)
{
    for (size_t i = 0; i < agreement->link_count; i++)
        if (agreement->links[i].connector->has_check)
            return true;
    for (size_t i = 0; i < agreement->policy_count; i++)
        if (agreement->policies[i].module->has_check)
            return true;
    return false;
}

int draft_check_slots(struct drafting *drafting, const struct draft *draft)
{
    const struct conf_checker *checker = drafting->setting->checker;
    struct objecting objecting = {drafting, draft};
    return checker && has_slots(draft->agreement)
               ? checker->ask(checker->arg, draft->agreement, object, &objecting)
               : 0;
}
