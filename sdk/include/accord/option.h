/* accord/option.h: one table per plugin declares its options. The table parses, checks, fills the plugin's
 * struct and generates the reference pages. People write values as people do: "90 days", "64 KiB", "yes".
 */
#ifndef ACCORD_OPTION_H
#define ACCORD_OPTION_H

#include <accord/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum accord_kind {
    ACCORD_TEXT,     /* const char *        one line of UTF-8 without control characters */
    ACCORD_INTEGER,  /* int64_t             min..max */
    ACCORD_DURATION, /* int64_t             milliseconds: "250 ms", "10 s", "90 days", "3 years" */
    ACCORD_SIZE,     /* int64_t             bytes: "512", "64 KiB", "10 MB" */
    ACCORD_BOOL,     /* bool                yes | no */
    ACCORD_DATE,     /* int64_t             microseconds since 1970, 00:00 UTC of "2025-03-14" */
    ACCORD_LIST,     /* struct accord_list  texts separated by commas */
    ACCORD_HOST,     /* const char *        DNS name or IP literal */
    ACCORD_PORT,     /* int64_t             1..65535 */
    ACCORD_PATH,     /* const char *        absolute path */
    ACCORD_SECRET,   /* const char *        name of a file in credentials/AGREEMENT/; fetch with accord_host.secret */
    ACCORD_CHOICE,   /* int64_t             index into `choices` */
};

/* Filled for ACCORD_LIST. With `choices` set, every item is one of them. */
struct accord_list {
    const char *const *items;
    size_t count;
};

enum accord_option_flag {
    ACCORD_REQUIRED = 1u << 0,     /* no default: the file must say it */
    ACCORD_FOLDER_READ = 1u << 1,  /* ACCORD_PATH: the plugin's sandbox may read below this folder */
    ACCORD_FOLDER_WRITE = 1u << 2, /* ACCORD_PATH: and write, rename and remove there */
    /* ACCORD_SECRET: needed to make the handshake and never itself sent (a private key, its passphrase, a certificate,
     * a trust bundle): may be read as soon as the session is dialled. Others only after an allowed handshake. */
    ACCORD_FOR_HANDSHAKE = 1u << 3,
    /* In the table of a connector's services: means something only where the service sends, or only where it receives;
     * in the file of the other kind it is a mistake. Never both, nor with ACCORD_REQUIRED. */
    ACCORD_WHEN_SENDING = 1u << 4,
    ACCORD_WHEN_RECEIVING = 1u << 5,
};

/* A row of a table. Its shape never changes: new properties are new flags.
 * Values that the file does not set and that have no default: NULL, 0, false, an empty list. */
struct accord_option {
    const char *name;           /* as written in the file: lower case, hyphens; NULL ends a table */
    enum accord_kind kind;
    uint32_t flags;             /* accord_option_flag */
    size_t offset;              /* of the field in the plugin's struct */
    const char *fallback;       /* default, written as in a file; NULL: none */
    int64_t min, max;           /* INTEGER, DURATION, SIZE; both 0: any value from 0 up. TEXT: max bytes; 0: any */
    const char *const *choices; /* CHOICE, LIST: NULL-terminated; NULL for LIST: any text */
    const char *help;           /* one sentence, with the clause or standard behind the rule */
};

/* A table and the size of the struct that it fills. */
struct accord_options {
    const struct accord_option *table; /* NULL: no options */
    size_t size;
};

#ifdef __cplusplus
}
#endif
#endif
