/* A stand-in for the guard and inspect processes: loads one policy plugin as built, opens it with options as
 * written in a file, asks it questions and keeps the answers. Time stands still unless a test moves it.
 */
#ifndef TESTS_POLICY_HOST_H
#define TESTS_POLICY_HOST_H

#include <accord/plugin.h>

#define POLICY_HOST_OPTIONS 16

struct accord_case {
    struct policy_host *host;
    struct accord_inquiry inquiry;
    void *state;
    int answers;
    int64_t credit;
    enum accord_answer answer;
    int64_t wait, good_for;
    char rule[ACCORD_RULE_MAX], reason[ACCORD_REASON_MAX], key[ACCORD_KEY_MAX];
};

struct policy_host {
    const struct accord_plugin *plugin;
    struct accord_policy_host policy;
    struct accord_host base;
    struct accord_policy_setup setup;
    int64_t wall, ticks; /* what the clocks say */
    void *state;
    void *options;
    struct accord_list lists[POLICY_HOST_OPTIONS]; /* of the options; owned */
    char *texts[POLICY_HOST_OPTIONS];
    char profile[1024]; /* "name=value\n" of each put() */
    char why[ACCORD_REASON_MAX];
};

/* Fails the test when the plugin cannot be loaded. Set up `setup` before opening. */
void policy_host_init(struct policy_host *, const char *module);
/* What the plugin's check and open say; `options` ends with a NULL name. */
int policy_host_check(struct policy_host *, const struct accord_pair *options);
int policy_host_open(struct policy_host *, const struct accord_pair *options);
void policy_host_close(struct policy_host *);

/* Begins a question; ends in c->answers == 1, or waits for policy_host_payload. */
void policy_host_ask(struct policy_host *, struct accord_case *c, enum accord_question,
                     const struct accord_policy_service *, const struct accord_envelope *);
void policy_host_ask_session(struct policy_host *, struct accord_case *c, enum accord_question,
                             const struct accord_policy_link *, const struct accord_pair *facts);
/* Hands over payload within the credit given; false when the module asked for less. */
bool policy_host_payload(struct accord_case *, const void *bytes, size_t size, bool last);
int policy_host_profile(struct policy_host *, const struct accord_policy_link *);

#endif
