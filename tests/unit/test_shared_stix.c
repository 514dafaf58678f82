/* STIX packages and schemas from elsewhere, kept outside of the project; not run (77) where they are absent. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "policies/content/stix_schema.h"
#include "stix_package.h"

#define SAMPLE_MAX (4 << 20)

static char samples[512], schemas[512];

/* Everything may pass that can be read. */
static const struct accord_pair permissive[] = {
    {"stix-versions", "1.0, 1.0.1, 1.1, 1.1.1, 1.2"},
    {"require-marking", "none"},
    {"allow-tlp", "WHITE, GREEN, AMBER, RED"},
    {NULL, NULL},
};

static struct verdict sample(const char *folder, const char *file, const struct stix_judged *judged)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s/%s", samples, folder, file);
    FILE *from = fopen(path, "rb");
    assert_non_null(from);
    char *bytes = malloc(SAMPLE_MAX);
    size_t size = fread(bytes, 1, SAMPLE_MAX, from);
    fclose(from);
    struct verdict verdict = stix_verdict(bytes, size, judged);
    free(bytes);
    return verdict;
}

/* Calls back for each file and returns how many there are. */
static size_t each(const char *folder, void (*check)(const char *folder, const char *file, void *arg),
                   void *arg)
{
    char path[1024];
    size_t count = 0;
    snprintf(path, sizeof path, "%s/%s", samples, folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        const char *end = strrchr(entry->d_name, '.');
        if (!end || strcmp(end, ".xml"))
            continue;
        check(folder, entry->d_name, arg);
        count++;
    }
    closedir(dir);
    return count;
}

/* ais-marking-COLOUR-CONSENT-PROPRIETARY.xml: w g a, e u n, t f. */
static void check_name(const char *folder, const char *file, void *arg)
{
    char color, consent, proprietary;
    const struct stix_judged *judged = arg;
    assert_int_equal(sscanf(file, "ais-marking-%c-%c-%c.xml", &color, &consent, &proprietary), 3);
    const char *expected = proprietary == 't' && consent != 'e' ? "stix-1.proprietary" : "";
    struct verdict verdict = sample(folder, file, judged);
    if (strcmp(verdict.rule, expected))
        fail_msg("%s: %s: %s", file, verdict.rule, verdict.reason);
}

static void marked_samples_get_the_verdict_in_their_name(void **state)
{
    (void)state;
    assert_int_equal(each("ais-marked", check_name, NULL), 18);
}

/* What their names say is in them is what is seen: each letter refused when it may not be. */
static void check_letter(const char *folder, const char *file, void *arg)
{
    const char *const *option = arg; /* name, value, index in the name, letter, rule */
    const struct accord_pair options[] = {{option[0], option[1]}, {NULL, NULL}};
    bool letter = strchr(option[3], file[atoi(option[2])]) != NULL;
    struct verdict verdict = sample(folder, file, &(struct stix_judged){.options = options});
    bool refused = !strcmp(verdict.rule, option[4]);
    if (strcmp(verdict.rule, "stix-1.proprietary") && refused == letter)
        fail_msg("%s with %s = %s: %s", file, option[0], option[1], verdict.reason);
}

static void marked_samples_are_seen_as_what_they_are(void **state)
{
    (void)state;
    static const char *const rows[][5] = {
        {"allow-tlp", "WHITE", "12", "w", "stix-1.tlp"},
        {"allow-tlp", "GREEN", "12", "g", "stix-1.tlp"},
        {"allow-tlp", "AMBER", "12", "a", "stix-1.tlp"},
        {"allow-consent", "EVERYONE", "14", "e", "stix-1.consent"},
        {"allow-consent", "USG", "14", "u", "stix-1.consent"},
        {"allow-consent", "NONE", "14", "n", "stix-1.consent"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(each("ais-marked", check_letter, (void *)rows[i]), 18);
}

/* Two are snippets without declarations, and one has no version; all others are read to their end. */
static void check_parses(const char *folder, const char *file, void *arg)
{
    (void)arg;
    struct verdict verdict =
        sample(folder, file, &(struct stix_judged){.options = permissive, .incoming = true});
    const char *expected = strstr(file, "Snippet")    ? "stix-1.xml"
                           : strstr(file, "sighting") ? "stix-1.version"
                                                      : "";
    if (strcmp(verdict.rule, expected))
        fail_msg("%s: %s: %s", file, verdict.rule, verdict.reason);
}

static void all_samples_parse(void **state)
{
    (void)state;
    static const char *const folders[] = {"misp", "schemas-v1.1.1", "schemas-v1.2", "stixproject-idioms",
                                          "."};
    size_t count = 0;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        count += each(folders[i], check_parses, NULL);
    assert_true(count >= 60);
}

static void check_unmarked(const char *folder, const char *file, void *arg)
{
    (void)arg;
    struct verdict verdict = sample(folder, file, NULL);
    if (verdict.allowed)
        fail_msg("%s goes out though nobody marked it", file);
}

static void no_unmarked_sample_goes_out(void **state)
{
    (void)state;
    static const char *const folders[] = {"misp", "schemas-v1.1.1", "stixproject-idioms"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        each(folders[i], check_unmarked, NULL);
}

/* The published schemas of STIX 1.1.1: every package of that version is valid, and streams. */
static void check_valid(const char *folder, const char *file, void *arg)
{
    const struct stix_judged judged = {.options = permissive, .incoming = true, .schema = arg};
    struct verdict verdict = sample(folder, file, &judged);
    if (!strcmp(verdict.rule, "stix-1.schema"))
        fail_msg("%s: %s", file, verdict.reason);
}

static void samples_are_valid_by_the_published_schemas(void **state)
{
    (void)state;
    char why[512];
    struct stix_schema *schema;
    if (access(schemas, R_OK))
        skip();
    if (stix_schema_open(schemas, "driver.xsd", &schema, why, sizeof why))
        fail_msg("%s", why);
    struct stix_judged judged = {.schema = schema};
    assert_int_equal(each("ais-marked", check_name, &judged), 18);
    assert_true(each("schemas-v1.1.1", check_valid, schema) > 20);
    assert_int_equal(each("misp", check_valid, schema), 4);
    char *text = stix_fixture(STIX_MARKING);
    assert_string_equal(stix_verdict(text, strlen(text), &judged).reason, "");
    char *changed = stix_replace(text, "category=\"ipv4-addr\"", "category=\"ipv5-addr\"");
    struct verdict verdict = stix_verdict(changed, strlen(changed), &judged);
    assert_string_equal(verdict.rule, "stix-1.schema");
    assert_non_null(strstr(verdict.reason, "line 34 (cybox:Properties): driver.xsd says: "));
    free(changed);
    free(text);
    text = stix_fixture(STIX_HANDLING);
    assert_string_equal(stix_verdict(text, strlen(text), &judged).reason, "");
    free(text);
    stix_schema_close(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marked_samples_get_the_verdict_in_their_name),
        cmocka_unit_test(marked_samples_are_seen_as_what_they_are),
        cmocka_unit_test(all_samples_parse),
        cmocka_unit_test(no_unmarked_sample_goes_out),
        cmocka_unit_test(samples_are_valid_by_the_published_schemas),
    };
    const char *shared = getenv("ACCORD_SHARED"), *source = getenv("ACCORD_SOURCE");
    char data[400];
    if (shared)
        snprintf(data, sizeof data, "%s/data", shared);
    else
        snprintf(data, sizeof data, "%s/../shared/data", source ? source : ".");
    snprintf(samples, sizeof samples, "%s/stix1", data);
    snprintf(schemas, sizeof schemas, "%s/xsd/stix-1.1.1", data);
    if (access(samples, R_OK)) {
        printf("not run: no STIX 1 packages in %s\n", samples);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
