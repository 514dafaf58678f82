/* The dir connector in the fake host, on a folder of the test's own with in/ and out/ in it. */
#ifndef TEST_DIR_FOLDER_H
#define TEST_DIR_FOLDER_H

#include <accord/testkit/host.h>

#include "connectors/dir/dir.h"

extern const struct accord_plugin accord_plugin;

enum { TAKE, DROP }; /* services */

/* Made anew for each test, which may change the options before connector_begin. */
extern char root[64];
extern struct service_options options[2];
extern struct accord_service services[2];
extern struct accord_link_setup setup;
extern struct testhost *host;

/* For cmocka. */
int folder_make(void **state);
int folder_clean(void **state);
#define in_folder(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_clean)

/* Files: all names are below the folder. Results are static: four paths, one text. */
const char *at(const char *below);
void put_bytes(const char *below, const void *bytes, size_t size);
void put_text(const char *below, const char *text);
char *get_text(const char *below);
bool file_exists(const char *below);
/* Entries other than hidden ones and the folder of rejected files. */
size_t count_files(const char *below);
size_t count_hidden(const char *below);

/* Opens and starts the link; closes it, and checks that it broke no rule of the contract. */
void connector_begin(void);
void connector_end(void);

/* Lets virtual time pass until the condition holds; false when that takes more than `ms` of it. */
bool within(int64_t ms, bool (*condition)(void *), void *arg);
/* Conditions. */
bool is_there(void *below);
bool is_empty(void *below);
bool claimed_empty(void *);
bool all_taken(void *below);
bool was_logged(void *event);
bool offer_over(void *index); /* size_t */

void wait_offers(size_t wanted);
/* So many more looks at the folder. */
void wait_passes(int64_t more);
/* The offer of this number was taken whole, with this name and content. */
void assert_offer(size_t index, const char *name, const char *content);

/* Delivers a message to the service that drops; drop_text waits for the end. */
struct accord_delivery *drop(const char *name, const char *id, int64_t attempt, const void *bytes,
                             size_t size);
struct accord_delivery *drop_text(const char *name, const char *text);

#endif
