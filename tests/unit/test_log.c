/* The log when nobody reads it: never waits, keeps some, counts the rest, and says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/log.h"

static int reader;

/* Reads all that is there now. */
static size_t drain(char *to, size_t room)
{
    size_t size = 0;
    ssize_t n;
    while (size < room && (n = read(reader, to + size, room - size)) > 0)
        size += (size_t)n;
    return size;
}

static size_t count(const char *text, size_t size, const char *word)
{
    size_t found = 0;
    const char *end = text + size;
    while ((text = memmem(text, (size_t)(end - text), word, strlen(word)))) {
        found++;
        text++;
    }
    return found;
}

/* More than the pipe or socket and what is kept can hold. */
#define LINES 20000

static void check_full(void)
{
    static char text[16 << 20];
    uint64_t before = log_lost();
    for (int i = 0; i < LINES; i++)
        log_event(ACCORD_ERROR, "test.line", NULL, "a line that nobody reads, of some length; number %d", i);
    uint64_t lost = log_lost() - before;
    assert_true(lost > 0 && lost < LINES);
    size_t size = 0, got = 1;
    while (got) {
        got = drain(text + size, sizeof text - size);
        size += got;
        log_flush();
    }
    assert_int_equal(count(text, size, "[test.line]\n"), LINES - lost);
    assert_int_equal(count(text, size, "[log.lost]\n"), 1);
    assert_int_equal(log_lost() - before, lost);
    log_event(ACCORD_ERROR, "test.after", NULL, "heard again");
    size = drain(text, sizeof text);
    assert_int_equal(count(text, size, "\n"), 1);
    assert_int_equal(count(text, size, "[test.after]\n"), 1);
}

static void full_socket_does_not_hold_the_writer_up(void **state)
{
    (void)state;
    int ends[2], stderr_before = dup(STDERR_FILENO);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    reader = ends[0];
    fcntl(reader, F_SETFL, O_NONBLOCK);
    dup2(ends[1], STDERR_FILENO);
    log_open();
    log_setup("test", ACCORD_INFO, false);
    check_full();
    assert_false(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK); /* as others who have it expect */
    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
    close(ends[0]);
    close(ends[1]);
}

static void full_pipe_does_not_hold_the_writer_up(void **state)
{
    (void)state;
    int ends[2], stderr_before = dup(STDERR_FILENO);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    reader = ends[0];
    fcntl(reader, F_SETFL, O_NONBLOCK);
    dup2(ends[1], STDERR_FILENO);
    log_open();
    log_setup("test", ACCORD_INFO, false);
    check_full();
    assert_false(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK);
    fcntl(log_descriptor(), F_SETFL, 0); /* what libuv does to the standard error of a child */
    log_spawned();
    check_full();
    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    alarm(60);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_socket_does_not_hold_the_writer_up),
        cmocka_unit_test(full_pipe_does_not_hold_the_writer_up), /* last: from then on lines go to its pipe */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
