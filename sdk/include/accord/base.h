/* accord/base.h: what every other header of the SDK needs: ABI number, result codes, spans, reasons.
 *
 * A plugin includes only <accord/...> and its own protocol's library, and links to nothing of Accord:
 * the host hands it a table of services (host.h) when it opens the plugin.
 *
 * Units, everywhere in the SDK: sizes are bytes, durations are milliseconds, wall-clock times are
 * microseconds since 1970-01-01T00:00:00Z. Strings are NUL-terminated UTF-8.
 *
 * Threads: every call in either direction runs on the one loop thread of the child process, and none may
 * block, except the function given to accord_host.work, which runs on a thread of its own.
 *
 * How the ABI grows, within one major: tables of functions gain slots at their end, and a slot that the table's `size`
 * does not reach, or that is NULL, is missing; structs that the host makes gain fields at their end; structs that the
 * plugin makes do too, and the host reads of them what the plugin's minor knew. A struct that stands inside another or in
 * an array by value never changes: accord_pair, accord_option, accord_options. Enums gain values, and
 * the host gives a plugin only those that the plugin's minor knew. Nothing is ever removed or given another meaning.
 * docs/reference/abi.md lists since which minor each symbol is there.
 */
#ifndef ACCORD_BASE_H
#define ACCORD_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A plugin is loaded only if its major is equal to the host's and its minor is not newer. */
#define ACCORD_ABI_MAJOR 1
#define ACCORD_ABI_MINOR 1

/* Results: 0 or one of these. The host owns the table from code to name. */
enum accord_error {
    ACCORD_OK = 0,
    ACCORD_EINVAL = -1,   /* the caller's or the configuration's mistake */
    ACCORD_ENOMEM = -2,   /* out of memory */
    ACCORD_ELIMIT = -3,   /* a size, count or rate limit was reached */
    ACCORD_EDENIED = -4,  /* the agreement or the operating system forbids it */
    ACCORD_ENOENT = -5,   /* no such thing */
    ACCORD_EEXIST = -6,   /* exists already and must not */
    ACCORD_EIO = -7,      /* disk or descriptor failed */
    ACCORD_ENET = -8,     /* the network or the peer failed; trying again may help */
    ACCORD_EPROTO = -9,   /* the other side broke the protocol */
    ACCORD_ETIMEOUT = -10, /* a deadline passed */
    ACCORD_ECANCELED = -11, /* given up by request */
    ACCORD_ESTATE = -12,  /* not now: called in the wrong state */
    ACCORD_EFORMAT = -13, /* bytes are not what they claim to be */
    ACCORD_EBUSY = -14,   /* at capacity; try later */
    ACCORD_ENOTSUP = -15, /* this plugin or system cannot do that */
};

/* Longest reason, with its NUL. A reason is one line for a person: what happened and what to do. */
#define ACCORD_REASON_MAX 512
/* Longest rule name, with its NUL: "services.type", "stow-plan.unt-count". */
#define ACCORD_RULE_MAX 64
/* Message id as text: 24 characters of lower-case base32 and a NUL. Sorts by time of admission. */
#define ACCORD_ID_MAX 25
/* Largest piece of payload that crosses in one call, in either direction. */
#define ACCORD_PIECE_MAX (128 * 1024)

/* One name and its value; both belong to whoever made the array. */
struct accord_pair {
    const char *name;
    const char *value;
};

enum accord_level { ACCORD_DEBUG, ACCORD_INFO, ACCORD_NOTICE, ACCORD_WARNING, ACCORD_ERROR };

#ifdef __cplusplus
}
#endif
#endif
