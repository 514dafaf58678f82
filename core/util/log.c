#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/text.h"

static const char *const level_names[] = {"debug", "info", "notice", "warning", "error"};
static const char *process_role = "accord";
static enum accord_level least_level = ACCORD_INFO;
static bool as_json;

/* ---- where lines go ---- */

static struct {
    pthread_mutex_t lock;
    int fd;
    bool socket;
    char kept[LOG_KEEP]; /* whole lines, but for the first, of which a part may be gone */
    size_t size;
    uint64_t lost, untold; /* lines */
} out = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO};

void log_open(void)
{
    struct stat st;
    if (out.fd != STDERR_FILENO || fstat(STDERR_FILENO, &st) < 0)
        return;
    if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
        return;
    /* A description of our own: the flag must not change for a shell that shares the old one. */
    int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0)
        out.fd = fd;
}

int log_descriptor(void)
{
    return out.fd;
}

void log_spawned(void)
{
    if (out.fd != STDERR_FILENO)
        fcntl(out.fd, F_SETFL, O_NONBLOCK);
}

uint64_t log_lost(void)
{
    pthread_mutex_lock(&out.lock);
    uint64_t lost = out.lost;
    pthread_mutex_unlock(&out.lock);
    return lost;
}

/* Returns how much was taken. What fails for good is as if it had been: there is nowhere left to say it. */
static size_t write_now(const char *bytes, size_t size)
{
    ssize_t n;
    do
        n = out.socket ? send(out.fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) : write(out.fd, bytes, size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : size;
    return (size_t)n;
}

static void flush_kept(void)
{
    size_t taken = out.size ? write_now(out.kept, out.size) : 0;
    out.size -= taken;
    memmove(out.kept, out.kept + taken, out.size);
}

static bool keep(const char *line, size_t size)
{
    if (size > sizeof out.kept - out.size)
        return false;
    memcpy(out.kept + out.size, line, size);
    out.size += size;
    return true;
}

static size_t lost_line(char *to, size_t room);

static void tell_untold(void)
{
    char line[256];
    if (out.untold && keep(line, lost_line(line, sizeof line)))
        out.untold = 0;
}

static void put_line(const char *line, size_t size)
{
    pthread_mutex_lock(&out.lock);
    flush_kept();
    tell_untold();
    size_t taken = out.size ? 0 : write_now(line, size);
    if (taken < size && (out.untold || !keep(line + taken, size - taken))) {
        out.lost++;
        out.untold++;
    }
    pthread_mutex_unlock(&out.lock);
}

void log_flush(void)
{
    pthread_mutex_lock(&out.lock);
    flush_kept();
    tell_untold();
    flush_kept();
    pthread_mutex_unlock(&out.lock);
}

/* ---- lines ---- */

void log_setup(const char *role, enum accord_level least, bool json)
{
    struct stat st;
    out.socket = fstat(out.fd, &st) == 0 && S_ISSOCK(st.st_mode);
    process_role = role;
    least_level = least;
    as_json = json;
}

static void line_json(struct buf *line, const char *time, enum accord_level level, const char *event,
                      const struct log_about *about, const char *text)
{
    struct json json = json_begin(line);
    json_text(&json, "@timestamp", time);
    json_text(&json, "log.level", level_names[level]);
    json_text(&json, "process.title", process_role);
    json_text(&json, "event.action", event);
    json_text_if(&json, "accord.agreement", about->agreement);
    json_text_if(&json, "accord.link", about->link);
    json_text_if(&json, "accord.message", about->message);
    json_text(&json, "message", text);
    json_end(&json);
    buf_byte(line, '\n');
}

/* Text that came from outside must not forge a second line, nor act on the terminal that shows it. */
static void put_visible(struct buf *line, const char *text)
{
    for (struct text_glyph glyph; *text; text += glyph.bytes) {
        glyph = text_glyph(text);
        if (text_may_be_shown(glyph.code))
            buf_put(line, text, glyph.bytes);
        else
            buf_byte(line, '?');
    }
}

static void put_about(struct buf *line, const struct log_about *about)
{
    put_visible(line, about->agreement);
    if (about->link && about->link[0]) {
        buf_byte(line, '/');
        put_visible(line, about->link);
    }
    buf_text(line, ": ");
}

static void line_text(struct buf *line, const char *time, enum accord_level level, const char *event,
                      const struct log_about *about, const char *text)
{
    buf_format(line, "%s %-7s %s: ", time, level_names[level], process_role);
    if (about->agreement)
        put_about(line, about);
    put_visible(line, text);
    buf_text(line, " [");
    put_visible(line, event);
    if (about->message) {
        buf_byte(line, ' ');
        put_visible(line, about->message);
    }
    buf_text(line, "]\n");
}

static size_t lost_line(char *to, size_t room)
{
    static const struct log_about nothing;
    char time[32], text[80];
    struct buf line = {0};
    text_time(time, sizeof time, clock_wall());
    snprintf(text, sizeof text, "%" PRIu64 " lines lost: standard error was not read", out.untold);
    (as_json ? line_json : line_text)(&line, time, ACCORD_WARNING, "log.lost", &nothing, text);
    size_t size = line.failed || line.size > room ? 0 : line.size;
    memcpy(to, line.data, size);
    buf_fini(&line);
    return size;
}

void log_event(enum accord_level level, const char *event, const struct log_about *about, const char *format,
               ...)
{
    static const struct log_about nothing;
    if (level < least_level)
        return;
    char time[32], text[1024];
    text_time(time, sizeof time, clock_wall());
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    struct buf line = {0};
    (as_json ? line_json : line_text)(&line, time, level, event, about ? about : &nothing, text);
    if (!line.failed)
        put_line((const char *)line.data, line.size);
    buf_fini(&line);
}
