#include "util/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const names[] = {"ok",     "invalid", "no-memory", "limit",      "denied",  "not-found",
                                    "exists", "io",      "network",   "protocol",   "timeout", "canceled",
                                    "state",  "format",  "busy",      "unsupported"};

const char *error_name(int code)
{
    size_t index = (size_t)-code;
    return code <= 0 && index < sizeof names / sizeof *names ? names[index] : "unknown";
}

int error_from_errno(int number)
{
    switch (number) {
    case 0:
        return ACCORD_OK;
    case ENOMEM:
        return ACCORD_ENOMEM;
    case EACCES:
    case EPERM:
    case EROFS:
        return ACCORD_EDENIED;
    case ENOENT:
    case ENOTDIR:
        return ACCORD_ENOENT;
    case EEXIST:
    case ENOTEMPTY:
        return ACCORD_EEXIST;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
        return ACCORD_ELIMIT;
    case ETIMEDOUT:
        return ACCORD_ETIMEOUT;
    case ECONNREFUSED:
    case ECONNRESET:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EPIPE:
        return ACCORD_ENET;
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP:
        return ACCORD_EINVAL;
    default:
        return ACCORD_EIO;
    }
}

int fail(struct reason *why, int code, const char *format, ...)
{
    if (why) {
        va_list list;
        va_start(list, format);
        vsnprintf(why->text, sizeof why->text, format, list);
        va_end(list);
    }
    return code;
}
