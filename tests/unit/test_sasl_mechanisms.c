/* What `sasl-mechanisms` may name, and the page that says so.
 *
 *     test_sasl_mechanisms --write     writes docs/reference/sasl-mechanisms.md anew
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "algorithm_page.h"

/* All that may be used; whatever else the table has is refused. */
static const char *const allowed[] = {"EXTERNAL", "PLAIN", "LOGIN", "ANONYMOUS", "none"};
#define ALLOWED (sizeof allowed / sizeof *allowed)

static void only_these_are_allowed_and_none_is_put_behind_another(void **state)
{
    (void)state;
    const struct accord_list list = {(const char **)allowed, ALLOWED};
    char text[ALGORITHMS_TEXT_MAX];
    size_t found = 0;
    for (const struct algorithm *a = sasl_mechanisms; a->name; a++) {
        assert_int_equal(a->kind, ALGORITHM_SASL);
        found += !a->refused;
        assert_int_equal(!a->refused, algorithms_lists(&list, a->name));
    }
    assert_int_equal(found, ALLOWED);
    assert_int_equal(algorithms_compile(ALGORITHM_SASL, &list, FIPS_PREFERRED, text), 0);
    assert_string_equal(text, "EXTERNAL,PLAIN,LOGIN,ANONYMOUS,none");
}

static void the_others_are_refused_for_their_reason(void **state)
{
    (void)state;
    static const struct {
        const char *name, *why;
    } cases[] = {
        {"SCRAM-SHA-256", "qpid-proton"},
        {"CRAM-MD5", "MD5"},
        {"DIGEST-MD5", "RFC 6331"},
        {"NTLM", "MD4"},
        {"GSSAPI", "Kerberos"},
        {"OAUTHBEARER", "a token"},
        {"XOAUTH2", "a token"},
        {"plain", "\"plain\" is no mechanism that is known here"},
        {"SCRAM", "(docs/reference/sasl-mechanisms.md has all of them)"},
    };
    char why[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (algorithm_check(ALGORITHM_SASL, cases[i].name, why, sizeof why) != ACCORD_EINVAL ||
            !strstr(why, cases[i].why))
            fail_msg("%s: %s", cases[i].name, why);
    algorithm_instead(ALGORITHM_SASL);
}

/* ---- the page ---- */

static const char *when(const char *name)
{
    static const struct {
        const char *name, *when;
    } all[] = {
        {"EXTERNAL", "yes; by the certificate of the link, which the partner must have asked for and got"},
        {"PLAIN", "yes; user and password (RFC 4616)"},
        {"LOGIN", "when it is listed: user and password, for mail servers that have no PLAIN; smtp alone"},
        {"ANONYMOUS",
         "when it is listed, to a broker on this host alone: the endpoint's host is `localhost`, of "
         "127.0.0.0/8, or `::1`; mq alone"},
        {"none", "when it is listed: mail without a login, over a link that has no user; smtp alone"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(all[i].name, name))
            return all[i].when;
    return "?";
}

static void page(FILE *out)
{
    fputs("# SASL mechanisms\n\n"
          "Generated from the table of the policy `encryption`; do not edit. What `sasl-mechanisms` of\n"
          "`[policy encryption]` may name: how links of `mq` (AMQP 1.0) and `smtp` may log in, always inside "
          "TLS, the\n"
          "preferred one first; and why the rest is refused when the file is read. By default EXTERNAL and "
          "PLAIN.\n"
          "A session that has logged in otherwise is denied with `encryption.sasl-mechanism` before any "
          "payload\n"
          "leaves in it. AMQP without a SASL layer does not come about.\n\n"
          "| mechanism | allowed |\n|---|---|\n",
          out);
    for (const struct algorithm *a = sasl_mechanisms; a->name; a++)
        if (a->refused)
            fprintf(out, "| `%s` | never: %s; instead: `%s` |\n", a->name, a->refused, a->instead);
        else
            fprintf(out, "| `%s` | %s |\n", a->name, when(a->name));
}

static const struct algorithm_page the_page = {"sasl-mechanisms", "test_sasl_mechanisms", page};

static void the_page_is_what_the_table_says(void **state)
{
    (void)state;
    algorithm_page_stands(&the_page);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_these_are_allowed_and_none_is_put_behind_another),
        cmocka_unit_test(the_others_are_refused_for_their_reason),
        cmocka_unit_test(the_page_is_what_the_table_says),
    };
    if (algorithm_page_wanted(&the_page, argc, argv))
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
