/* What a service manager hears, on a socket of the test's own. */
#include "hub/notify.h"
#include "util/clock.h"

/* cmocka has a macro of the name fail: it comes after our headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int manager;

/* An abstract address, made by the kernel. */
static void listen_as_manager(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    socklen_t size = sizeof at;
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(manager, (struct sockaddr *)&at, sizeof(sa_family_t)), 0);
    assert_int_equal(getsockname(manager, (struct sockaddr *)&at, &size), 0);
    at.sun_path[0] = '@';
    at.sun_path[size - sizeof(sa_family_t)] = 0;
    setenv("NOTIFY_SOCKET", at.sun_path, 1);
}

static const char *heard(void)
{
    static char text[512];
    ssize_t n = recv(manager, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    return text;
}

static void says_how_it_is(void **state)
{
    (void)state;
    struct notify notify;
    long long usec;
    listen_as_manager();
    notify_open(&notify);
    notify_ready(&notify);
    assert_string_equal(heard(), "READY=1");
    notify_status(&notify, "2 of 2 up");
    assert_string_equal(heard(), "STATUS=2 of 2 up");
    notify_status(&notify, "2 of 2 up");
    assert_string_equal(heard(), "");
    notify_reloading(&notify);
    assert_int_equal(sscanf(heard(), "RELOADING=1\nMONOTONIC_USEC=%lld", &usec), 1);
    assert_true(usec / 1000 <= clock_ticks() && usec / 1000 > clock_ticks() - 5000);
    notify_stopping(&notify);
    assert_string_equal(heard(), "STOPPING=1");
    notify_close(&notify);
    close(manager);
}

static void says_nothing_to_nobody(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "relative", "/", "@"};
    struct notify notify;
    unsetenv("NOTIFY_SOCKET");
    notify_open(&notify);
    assert_int_equal(notify.fd, -1);
    notify_ready(&notify);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv("NOTIFY_SOCKET", bad[i], 1);
        notify_open(&notify);
        assert_int_equal(notify.fd, -1);
    }
}

static void watchdog_of_another_process_is_not_fed(void **state)
{
    (void)state;
    struct notify notify;
    char pid[24];
    listen_as_manager();
    setenv("WATCHDOG_USEC", "3000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    notify_open(&notify);
    assert_int_equal(notify.watchdog, 0);
    notify_close(&notify);
    close(manager);
    listen_as_manager();
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_USEC", "3000000", 1);
    setenv("WATCHDOG_PID", pid, 1);
    notify_open(&notify);
    assert_true(notify.watchdog > 900 && notify.watchdog <= 1001);
    notify_close(&notify);
    close(manager);
}

/* ---- the store's thread, held up ---- */

static uv_sem_t gate, arrived;
static atomic_bool hold;

static void stand_still(const char *point)
{
    if (!atomic_load(&hold) || strcmp(point, "commit") != 0)
        return;
    uv_sem_post(&arrived);
    uv_sem_wait(&gate);
}

static void noted(void *arg, int result)
{
    (void)result;
    *(bool *)arg = true;
}

static void watchdog_is_fed_only_while_the_store_answers(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct store *store;
    struct store_recovery recovery;
    struct notify notify;
    struct reason why;
    bool done = false;
    char folder[] = "/tmp/accord-notify-XXXXXX", command[64];
    assert_non_null(mkdtemp(folder));
    struct store_config config = {
        .folder = folder, .backend = "journal", .epoch = 1, .segment_size = 1 << 20, .fault = stand_still};
    uv_loop_init(&loop);
    uv_sem_init(&gate, 0);
    uv_sem_init(&arrived, 0);
    assert_int_equal(store_open(&store, &loop, &config, &recovery, &why), 0);
    listen_as_manager();
    setenv("WATCHDOG_USEC", "3000", 1);
    unsetenv("WATCHDOG_PID");
    notify_open(&notify);
    notify_tick(&notify, store, 1000);
    while (notify.asking)
        uv_run(&loop, UV_RUN_ONCE);
    assert_string_equal(heard(), "WATCHDOG=1");
    notify_tick(&notify, store, 1001); /* not yet time */
    assert_false(notify.asking);

    atomic_store(&hold, true);
    struct store_note note = {.name = "!held", .value = "up"};
    store_note(store, &note, noted, &done);
    uv_sem_wait(&arrived); /* its thread stands in the commit */
    notify_tick(&notify, store, 2000);
    notify_tick(&notify, store, 3000);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_string_equal(heard(), "");
    atomic_store(&hold, false);
    uv_sem_post(&gate);
    while (notify.asking || !done)
        uv_run(&loop, UV_RUN_ONCE);
    assert_string_equal(heard(), "WATCHDOG=1");

    notify_close(&notify);
    close(manager);
    store_close(store);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    alarm(60); /* for a loop that has nothing to wake it */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_how_it_is),
        cmocka_unit_test(says_nothing_to_nobody),
        cmocka_unit_test(watchdog_of_another_process_is_not_fed),
        cmocka_unit_test(watchdog_is_fed_only_while_the_store_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
