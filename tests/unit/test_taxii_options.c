/* The rules of the TAXII connector's options that no single one can state, each with the sentence that a person is shown. */
#include "taxii_partner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PIN "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

struct written {
    const char *said; /* NULL: it is right */
    enum accord_direction direction;
    struct accord_pair link[5];
    struct accord_pair service[4];
};

static const struct written cases[] = {
    {NULL, ACCORD_SEND, {{"trust", "t"}, {"inbox", "/in"}}, {{"collection", "X"}}},
    {NULL,
     ACCORD_SEND,
     {{"trust", "t"}, {"discovery", "/d?x=1"}, {"pin", PIN ", " PIN}},
     {{"collection", "X"}}},
    {NULL, ACCORD_RECEIVE, {{"trust", "t"}, {"poll", "/p"}, {"certificate", "c"}}, {{"collection", "X"}}},
    {NULL,
     ACCORD_RECEIVE,
     {{"trust", "t"}, {"collections", "/c"}},
     {{"collection", "X"}, {"silent-after", "0 s"}}},
    {"inbox = https://", ACCORD_SEND, {{"trust", "t"}, {"inbox", "https://x/in"}}, {{"collection", "X"}}},
    {"discovery = disc", ACCORD_SEND, {{"trust", "t"}, {"discovery", "disc"}}, {{"collection", "X"}}},
    {"poll = //evil", ACCORD_RECEIVE, {{"trust", "t"}, {"poll", "//evil/p"}}, {{"collection", "X"}}},
    {"poll = /a b", ACCORD_RECEIVE, {{"trust", "t"}, {"poll", "/a b"}}, {{"collection", "X"}}},
    {"certificate is missing",
     ACCORD_SEND,
     {{"trust", "t"}, {"inbox", "/in"}, {"key", "k"}},
     {{"collection", "X"}}},
    {"there is no certificate",
     ACCORD_SEND,
     {{"trust", "t"}, {"inbox", "/in"}, {"key-passphrase", "k"}},
     {{"collection", "X"}}},
    {"longest", ACCORD_SEND, {{"trust", "t"}, {"inbox", "/in"}, {"longest", "1 s"}}, {{"collection", "X"}}},
    {"pin \"AAAA\"", ACCORD_SEND, {{"trust", "t"}, {"inbox", "/in"}, {"pin", "AAAA"}}, {{"collection", "X"}}},
    {"where does it submit", ACCORD_SEND, {{"trust", "t"}, {"poll", "/p"}}, {{"collection", "X"}}},
    {"where does it poll", ACCORD_RECEIVE, {{"trust", "t"}, {"inbox", "/in"}}, {{"collection", "X"}}},
    {"collection must not be empty", ACCORD_SEND, {{"trust", "t"}, {"inbox", "/in"}}, {{"collection", ""}}},
    {"binding must name",
     ACCORD_SEND,
     {{"trust", "t"}, {"inbox", "/in"}},
     {{"collection", "X"}, {"binding", ""}}},
    {"bindings cannot be asked",
     ACCORD_RECEIVE,
     {{"trust", "t"}, {"poll", "/p"}},
     {{"collection", "X"}, {"bindings", "urn:a"}, {"subscription", "s"}}},
    {"silent-after must be longer",
     ACCORD_RECEIVE,
     {{"trust", "t"}, {"poll", "/p"}},
     {{"collection", "X"}, {"poll", "1 hour"}, {"silent-after", "1 hour"}}},
};

static void check(const struct written *written)
{
    const struct accord_connector *connector = accord_plugin.connector;
    char why[ACCORD_REASON_MAX] = "";
    struct testoptions *link = testoptions_new(&connector->link_options, written->link, why, sizeof why);
    struct testoptions *service =
        testoptions_new(&connector->service_options, written->service, why, sizeof why);
    if (!link || !service)
        fail_msg("%s", why);
    const struct accord_service one = {.name = "x",
                                       .type = "stix-1",
                                       .direction = written->direction,
                                       .options = testoptions_struct(service),
                                       .cursor = ""};
    const struct accord_service *services[] = {&one};
    const struct accord_link_setup setup = {.agreement = "a",
                                            .name = "l",
                                            .options = testoptions_struct(link),
                                            .services = services,
                                            .service_count = 1};
    int result = connector->check(&setup, why, sizeof why);
    if (written->said ? result != ACCORD_EINVAL || !strstr(why, written->said) : result != ACCORD_OK)
        fail_msg("%s: %d, %s", written->said ? written->said : "right", result, why);
    testoptions_free(link);
    testoptions_free(service);
}

static void each_rule_says_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(&cases[i]);
}

static void every_option_says_what_it_is_for(void **state)
{
    const struct accord_options *const tables[] = {&accord_plugin.connector->link_options,
                                                   &accord_plugin.connector->service_options};
    (void)state;
    for (int i = 0; i < 2; i++)
        for (const struct accord_option *option = tables[i]->table; option->name; option++)
            assert_true(strlen(option->help) > 20 && strchr(option->help, '.'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_says_what_is_wrong),
        cmocka_unit_test(every_option_says_what_it_is_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
