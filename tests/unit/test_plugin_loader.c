#include <dlfcn.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/loader.h"
#include "util/file.h"

#include <cmocka.h> /* last: it has a macro `fail` */

struct place {
    char folder[64];
    char file[128]; /* a copy of connector-good.so */
    struct buf bytes;
};

static const char *fault(const char *name)
{
    static char path[PATH_MAX];
    const char *build = getenv("ACCORD_BUILD");
    snprintf(path, sizeof path, "%s/lib/accord/faults/connector-%s.so", build ? build : ".", name);
    return path;
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    assert_int_equal(file_replace(path, bytes, size, 0644, NULL), 0);
}

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    strcpy(place->folder, "/tmp/accord-loader-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->file, sizeof place->file, "%s/connector-good.so", place->folder);
    assert_int_equal(file_read(fault("good"), 64 << 20, &place->bytes, NULL), 0);
    write_file(place->file, place->bytes.data, place->bytes.size);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", place->folder);
    buf_fini(&place->bytes);
    free(place);
    return system(command);
}

static struct reason why;
static char rule[ACCORD_RULE_MAX], sha256[DIGEST_HEX];

static int load(const char *path, const char *expected)
{
    const struct accord_plugin *plugin;
    why.text[0] = rule[0] = 0;
    int result = plugin_load(path, expected, &plugin, sha256, rule, &why);
    assert_true((result == 0) == (plugin != NULL));
    return result;
}

static void refused(const char *path, const char *expected_rule, const char *words)
{
    assert_true(load(path, NULL) < 0);
    assert_string_equal(rule, expected_rule);
    if (!strstr(why.text, words))
        fail_msg("\"%s\" does not say \"%s\"", why.text, words);
}

static void a_good_plugin_is_loaded_with_its_hash(void **state)
{
    struct place *place = *state;
    uint8_t hash[DIGEST_SIZE];
    char hex[DIGEST_HEX];
    const struct accord_plugin *plugin;
    digest_of(place->bytes.data, place->bytes.size, hash);
    hex_encode(hex, hash, sizeof hash);
    assert_int_equal(plugin_load(place->file, hex, &plugin, sha256, rule, &why), 0);
    assert_string_equal(sha256, hex);
    assert_string_equal(plugin->name, "good");
}

static void another_abi_is_refused_with_what_to_do(void **state)
{
    (void)state;
    refused(fault("wrong-major"), "plugin.abi", "build the plugin against this release's headers");
    refused(fault("newer-minor"), "plugin.abi", "install a newer Accord");
}

static void what_is_no_plugin_is_refused(void **state)
{
    (void)state;
    refused(fault("no-symbol"), "plugin.no-symbol", "exports no symbol accord_plugin");
    refused(fault("short"), "plugin.malformed", "is no plugin descriptor");
    refused(fault("missing-slot"), "plugin.malformed", "`deliver` is missing");
    refused(fault("option-beyond"), "plugin.malformed", "option mode does not fit its struct");
}

static void an_undefined_symbol_is_found_at_load_and_named(void **state)
{
    (void)state;
    refused(fault("undefined"), "plugin.corrupt", "nobody_defines_this");
}

static void a_missing_file_is_refused(void **state)
{
    (void)state;
    refused("/nonexistent/connector-good.so", "plugin.missing", "No such file");
}

static void only_absolute_plain_so_paths_are_loaded(void **state)
{
    struct place *place = *state;
    char path[256];
    refused("connector-good.so", "plugin.unsafe-file", "absolute path");
    refused("connector-good", "plugin.unsafe-file", "absolute path");
    snprintf(path, sizeof path, "%s/connector-good.la", place->folder);
    refused(path, "plugin.unsafe-file", "ending in .so");
    snprintf(path, sizeof path, "%s/../x/connector-good.so", place->folder);
    refused(path, "plugin.unsafe-file", "detours");
    snprintf(path, sizeof path, "%s/connector-link.so", place->folder);
    assert_int_equal(symlink(place->file, path), 0);
    refused(path, "plugin.unsafe-file", "symbolic link");
    snprintf(path, sizeof path, "%s/connector-folder.so", place->folder);
    assert_int_equal(mkdir(path, 0755), 0);
    refused(path, "plugin.unsafe-file", "not a regular file");
}

static void a_file_that_others_can_change_is_refused(void **state)
{
    struct place *place = *state;
    assert_int_equal(chmod(place->file, 0664), 0);
    refused(place->file, "plugin.unsafe-file", "chmod go-w");
    assert_int_equal(chmod(place->file, 0646), 0);
    refused(place->file, "plugin.unsafe-file", "can be changed by other users");
    assert_int_equal(chmod(place->file, 0644), 0);
    assert_int_equal(load(place->file, NULL), 0);
}

static void a_folder_that_others_can_change_is_refused(void **state)
{
    struct place *place = *state;
    assert_int_equal(chmod(place->folder, 0777), 0);
    refused(place->file, "plugin.unsafe-file", place->folder);
    assert_int_equal(chmod(place->folder, 0755), 0);
}

static void a_file_of_another_user_is_refused(void **state)
{
    struct place *place = *state;
    if (getuid() != 0)
        skip();
    assert_int_equal(chown(place->file, 12345, 12345), 0);
    refused(place->file, "plugin.unsafe-file", "belongs to uid 12345");
}

static void another_hash_is_refused_before_loading(void **state)
{
    struct place *place = *state;
    char other[DIGEST_HEX];
    memset(other, 'a', sizeof other - 1);
    other[sizeof other - 1] = 0;
    assert_true(load(place->file, other) < 0);
    assert_string_equal(rule, "plugin.hash");
    assert_non_null(strstr(why.text, "change its pin"));
    /* The one that crashes when loaded is not loaded. */
    assert_true(load(fault("crash"), other) < 0);
    assert_string_equal(rule, "plugin.hash");
}

/* The dynamic linker dies of SIGBUS on some of these. */
static void a_truncated_file_is_refused_at_any_length(void **state)
{
    struct place *place = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/connector-cut.so", place->folder);
    for (size_t i = 0; i < 40; i++) {
        write_file(path, place->bytes.data, i < 39 ? place->bytes.size * i / 39 : place->bytes.size - 1);
        refused(path, "plugin.corrupt", "install it again");
    }
}

static void a_file_that_is_no_shared_object_is_refused(void **state)
{
    struct place *place = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/connector-text.so", place->folder);
    write_file(path, "#!/bin/sh\nexit 0\n", 17);
    refused(path, "plugin.corrupt", "not an ELF file");
    place->bytes.data[18] ^= 1; /* the machine */
    write_file(path, place->bytes.data, place->bytes.size);
    refused(path, "plugin.corrupt", "another machine");
}

/* libltdl would prefer the .la file, and a bare name in LTDL_LIBRARY_PATH. */
static void a_planted_la_file_and_search_path_change_nothing(void **state)
{
    struct place *place = *state;
    char path[128], text[PATH_MAX + 64];
    const struct accord_plugin *plugin;
    snprintf(path, sizeof path, "%s/connector-good.la", place->folder);
    snprintf(text, sizeof text, "dlname='%s'\nlibrary_names=''\ninstalled=no\n", fault("other-name"));
    write_file(path, text, strlen(text));
    setenv("LTDL_LIBRARY_PATH", "/nonexistent", 1);
    assert_int_equal(plugin_load(place->file, NULL, &plugin, sha256, rule, &why), 0);
    assert_null(getenv("LTDL_LIBRARY_PATH"));
    Dl_info info;
    assert_true(dladdr(plugin, &info) != 0);
    assert_string_equal(info.dli_fname, place->file);
}

/* ---- plugin_validate, one fault at a time ---- */

struct candidate {
    struct accord_plugin plugin;
    struct accord_connector connector;
    struct accord_option table[8];
    const char *choices[3];
};

static void candidate_init(struct candidate *c)
{
    static const struct accord_plugin *good;
    if (!good)
        assert_int_equal(plugin_load(fault("good"), NULL, &good, sha256, rule, &why), 0);
    memset(c, 0, sizeof *c);
    c->plugin = *good;
    c->connector = *good->connector;
    for (size_t i = 0; good->connector->link_options.table[i].name; i++)
        c->table[i] = good->connector->link_options.table[i];
    c->plugin.connector = &c->connector;
    c->connector.link_options.table = c->table;
}

#define INVALID(words, change)                                                                               \
    do {                                                                                                     \
        struct candidate c;                                                                                  \
        candidate_init(&c);                                                                                  \
        assert_int_equal(plugin_validate(&c.plugin, &why), 0);                                               \
        change;                                                                                              \
        assert_int_equal(plugin_validate(&c.plugin, &why), ACCORD_EFORMAT);                                  \
        if (!strstr(why.text, words))                                                                        \
            fail_msg("\"%s\" does not say \"%s\"", why.text, words);                                         \
    } while (0)

static void a_descriptor_with_bad_words_is_invalid(void **state)
{
    (void)state;
    INVALID("its name", c.plugin.name = NULL);
    INVALID("its name", c.plugin.name = "Good");
    INVALID("its name", c.plugin.name = "a-name-that-is-longer-than-thirty-two");
    INVALID("version", c.plugin.version = "0.1\n");
    INVALID("summary", c.plugin.summary = NULL);
    INVALID("kind 9", c.plugin.kind = (enum accord_plugin_kind)9);
    INVALID("no policy table", c.plugin.kind = ACCORD_POLICY);
    INVALID("connector table", c.plugin.connector = NULL);
}

static void a_connector_with_a_bad_table_is_invalid(void **state)
{
    (void)state;
    INVALID("connector table says", c.connector.size = 8);
    INVALID("must send or receive", c.connector.flags = 0);
    INVALID("must send or receive", c.connector.flags |= 1u << 31);
    INVALID("`open`", c.connector.open = NULL);
    INVALID("`close`", c.connector.close = NULL);
    INVALID("`offer_done`",
            (c.connector.flags |= ACCORD_CAN_RECEIVE,
             c.connector.offer_pull = (void (*)(void *, struct accord_offer *, void *, int64_t))1));
    INVALID("state of", c.connector.state_size = SIZE_MAX);
}

static void an_option_table_that_lies_is_invalid(void **state)
{
    (void)state;
    INVALID("cannot be written", c.table[0].name = "Folder");
    INVALID("unknown kind", c.table[0].kind = (enum accord_kind)99);
    INVALID("no help", c.table[1].help = NULL);
    INVALID("not one line", c.table[1].help = "two\nlines");
    INVALID("unknown flags", c.table[1].flags = 1u << 20);
    INVALID("is not a path", c.table[1].flags = ACCORD_FOLDER_WRITE);
    INVALID("is not a secret", c.table[1].flags = ACCORD_FOR_HANDSHAKE);
    INVALID("unknown flags", c.table[1].flags = ACCORD_WHEN_SENDING); /* not of a service */
    INVALID("required and has a default", c.table[1].flags = ACCORD_REQUIRED);
    INVALID("its default", c.table[1].fallback = "ten seconds");
    INVALID("its default", c.table[1].fallback = "10 days");
    INVALID("least value", c.table[1].min = 90000);
    INVALID("does not fit", c.table[1].offset = SIZE_MAX - 3);
    INVALID("does not fit", c.table[1].offset += 1);
    INVALID("share the same field", c.table[1].offset = c.table[0].offset);
    INVALID("declared twice", c.table[1].name = "folder");
    INVALID("no choices", c.table[3].choices = NULL);
    INVALID("no choices", c.table[3].choices = &c.choices[0]);
    INVALID("its default", c.table[3].fallback = "reckless");
    INVALID("neither a choice nor a list", c.table[1].choices = c.table[3].choices);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_plugin_is_loaded_with_its_hash, setup, teardown),
        cmocka_unit_test(another_abi_is_refused_with_what_to_do),
        cmocka_unit_test(what_is_no_plugin_is_refused),
        cmocka_unit_test(an_undefined_symbol_is_found_at_load_and_named),
        cmocka_unit_test(a_missing_file_is_refused),
        cmocka_unit_test_setup_teardown(only_absolute_plain_so_paths_are_loaded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_others_can_change_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_that_others_can_change_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_of_another_user_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(another_hash_is_refused_before_loading, setup, teardown),
        cmocka_unit_test_setup_teardown(a_truncated_file_is_refused_at_any_length, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_shared_object_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_planted_la_file_and_search_path_change_nothing, setup, teardown),
        cmocka_unit_test(a_descriptor_with_bad_words_is_invalid),
        cmocka_unit_test(a_connector_with_a_bad_table_is_invalid),
        cmocka_unit_test(an_option_table_that_lies_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
