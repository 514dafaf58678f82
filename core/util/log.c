#include "util/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/text.h"

static const char *const level_names[] = {"debug", "info", "notice", "warning", "error"};
static const char *process_role = "accord";
static enum accord_level least_level = ACCORD_INFO;
static bool as_json;

void log_setup(const char *role, enum accord_level least, bool json)
{
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
    if (!line.failed) {
        ssize_t written = write(STDERR_FILENO, line.data, line.size);
        (void)written; /* nowhere left to say it */
    }
    buf_fini(&line);
}
