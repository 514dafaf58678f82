/* A conf.d of a test's own, with plugins to configure and the report of what is wrong with it. */
#ifndef TEST_CONF_PLACE_H
#define TEST_CONF_PLACE_H

#include "conf/conf.h"

struct conf_place {
    char root[64], folder[80];
    struct conf_agent agent;
    struct conf *conf;
    struct conf_report report;
};
/* Some connectors and the policies, as they would describe themselves. */
extern const struct conf_plugins *const place_plugins;
/* For cmocka: an empty conf.d and credentials/cbp below a folder in /tmp, in October 2025. */
int conf_place_make(void **state);
int conf_place_remove(void **state);
#define place_test(name) cmocka_unit_test_setup_teardown(name, conf_place_make, conf_place_remove)

/* A file below the place. */
void put_file(const struct conf_place *, const char *name, const char *text, unsigned mode);
/* Reads agent.conf and all agreements. */
void load_place(struct conf_place *);
/* The report has this, with these words in it. */
void expect_report(const struct conf_place *, enum conf_severity, const char *file, int line,
                   const char *part);
void expect_error(const struct conf_place *, const char *file, int line, const char *part);
void expect_errors(const struct conf_place *, size_t count);

#define SITE                                                                                                 \
    "[site]\nname = Acme\n[link in]\nconnector = dir\npath = /srv/in\n"                                      \
    "[service stow-plans]\ntype = stow-plan\ndirection = receive\nlink = in\n"
#define HEAD                                                                                                     \
    "[agreement]\ntitle = CBP ISA\npartner = CBP\nenabled = yes\nacknowledged = 2025-03-14\n" /* lines 1 to 5 */ \
    "[endpoint e]\nhost = sftp.cbp.example\nport = 22\n"                                      /* 6 to 8 */       \
    "[link sftp]\nconnector = sftp\nendpoint = e\nuser = acme\nkey = id\nhost-key = SHA256:x\n" /* 9 to 14 */
#define SERVICE                                                                                              \
    "[service stow-plan]\ntype = stow-plan\ndirection = send\nlink = sftp\ndirectory = /in\n" /* 15 to 19 */ \
    "from = site/stow-plans\n"                                                                /* 20 */

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* site.conf and cbp.conf as above, and the key. */
void put_good(const struct conf_place *);
/* For conf_routes: appends "AGREEMENT/SERVICE " to the text `arg`. */
void collect_route(void *arg, const struct conf_agreement *, const struct conf_service *);

#endif
