/* SFTP version 3 on the wire (draft-ietf-secsh-filexfer-02): requests are encoded into an outbox, replies are
 * decoded strictly. No I/O, no state: what the partner sends is judged here before anything acts on it. */
#ifndef SFTP_PACKETS_H
#define SFTP_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SFTP_CHUNK      32768        /* payload of one WRITE or READ; every server takes packets of 34000 bytes */
#define SFTP_REPLY_MAX  (256 * 1024) /* longest reply taken, as OpenSSH's limit */
#define SFTP_HANDLE_MAX 256          /* section 6.2 */
#define SFTP_PATH_MAX   4096
#define SFTP_EXTENSIONS_MAX 64

enum sftp_type {
    SFTP_VERSION = 2,
    SFTP_STATUS = 101,
    SFTP_HANDLE = 102,
    SFTP_DATA = 103,
    SFTP_NAME = 104,
    SFTP_ATTRS = 105,
    SFTP_EXTENDED_REPLY = 201,
};

/* What a server may offer beyond version 3, in its VERSION (OpenSSH's PROTOCOL, section 4). */
enum sftp_extension {
    SFTP_EXT_POSIX_RENAME = 1u << 0, /* posix-rename@openssh.com: a rename that replaces */
    SFTP_EXT_FSYNC = 1u << 1,        /* fsync@openssh.com */
    SFTP_EXT_LIMITS = 1u << 2,       /* limits@openssh.com */
};

enum sftp_status {
    SFTP_OK = 0,
    SFTP_EOF = 1,
    SFTP_NO_SUCH_FILE = 2,
    SFTP_PERMISSION_DENIED = 3,
    SFTP_FAILURE = 4,
    SFTP_BAD_MESSAGE = 5,
    SFTP_NO_CONNECTION = 6,
    SFTP_CONNECTION_LOST = 7,
    SFTP_UNSUPPORTED = 8,
};

#define SFTP_OPEN_READ     0x01u
#define SFTP_OPEN_WRITE    0x02u
#define SFTP_OPEN_CREATE   0x08u
#define SFTP_OPEN_TRUNCATE 0x10u

#define SFTP_OPEN_EXCLUDE  0x20u

#define SFTP_ATTR_SIZE        0x01u
#define SFTP_ATTR_OWNER       0x02u
#define SFTP_ATTR_PERMISSIONS 0x04u
#define SFTP_ATTR_TIMES       0x08u
#define SFTP_ATTR_EXTENDED    0x80000000u

/* Encoded requests on their way out. Grows; `failed` once memory ran out, and stays so. */
struct outbox {
    uint8_t *bytes;
    size_t start, end, capacity; /* unsent: bytes[start..end) */
    bool failed;
};

struct sftp_handle {
    uint32_t size;
    uint8_t bytes[SFTP_HANDLE_MAX];
};

struct sftp_attrs {
    uint32_t flags; /* SFTP_ATTR_*: which of the others the partner gave */
    uint64_t size;
    uint32_t permissions;
    uint32_t modified; /* seconds since 1970 */
};

/* Bytes within a reply; valid as long as the reply's. */
struct sftp_span {
    const uint8_t *bytes;
    size_t size;
};

struct sftp_entry {
    struct sftp_span name;
    struct sftp_attrs attrs;
};

/* The answer to limits@openssh.com; 0: not said. */
struct sftp_limits {
    uint64_t packet, read, write, handles;
};

struct sftp_reply {
    enum sftp_type type;
    uint32_t id;             /* not for VERSION */
    uint32_t status;         /* STATUS */
    char message[256];       /* STATUS: the partner's words, printable, possibly cut short */
    struct sftp_handle handle; /* HANDLE */
    struct sftp_span data;   /* DATA; EXTENDED_REPLY: all of it */
    struct sftp_attrs attrs; /* ATTRS */
    uint32_t count;          /* NAME: entries left */
    struct sftp_span names;  /* NAME: their bytes, checked; read with sftp_next_name */
    uint32_t version;        /* VERSION */
    uint32_t extensions;     /* VERSION: enum sftp_extension */
};

void outbox_fini(struct outbox *);
/* Forgets `size` bytes from the front. */
void outbox_sent(struct outbox *, size_t size);
static inline size_t outbox_size(const struct outbox *outbox)
{
    return outbox->end - outbox->start;
}

void sftp_put_init(struct outbox *);
/* `mode`: permissions for a file that is made; -1: the server's own. */
void sftp_put_open(struct outbox *, uint32_t id, const char *path, uint32_t flags, int32_t mode);
void sftp_put_close(struct outbox *, uint32_t id, const struct sftp_handle *);
void sftp_put_read(struct outbox *, uint32_t id, const struct sftp_handle *, uint64_t offset, uint32_t size);
void sftp_put_write(struct outbox *, uint32_t id, const struct sftp_handle *, uint64_t offset, const uint8_t *,
                    size_t size);
void sftp_put_lstat(struct outbox *, uint32_t id, const char *path);
void sftp_put_stat(struct outbox *, uint32_t id, const char *path); /* follows symbolic links */
void sftp_put_fstat(struct outbox *, uint32_t id, const struct sftp_handle *);
/* Sets permissions; of a file made with OPEN's, these are not subject to the server's umask. */
void sftp_put_fsetstat(struct outbox *, uint32_t id, const struct sftp_handle *, uint32_t mode);
void sftp_put_realpath(struct outbox *, uint32_t id, const char *path);
void sftp_put_opendir(struct outbox *, uint32_t id, const char *path);
void sftp_put_readdir(struct outbox *, uint32_t id, const struct sftp_handle *);
void sftp_put_remove(struct outbox *, uint32_t id, const char *path);
/* Version 3 says that it fails when `to` exists; some servers replace it all the same. */
void sftp_put_rename(struct outbox *, uint32_t id, const char *from, const char *to);
void sftp_put_mkdir(struct outbox *, uint32_t id, const char *path);

/* To be asked for only where the server offers them. */
void sftp_put_fsync(struct outbox *, uint32_t id, const struct sftp_handle *);
void sftp_put_posix_rename(struct outbox *, uint32_t id, const char *from, const char *to);
void sftp_put_limits(struct outbox *, uint32_t id);

/* Is a whole reply at the front? Its length without the length field is in *size when 1; 0: not yet;
 * ACCORD_EPROTO: its length is impossible. */
int sftp_frame(const uint8_t *bytes, size_t available, size_t *size);
/* Decodes a reply (without the length field). ACCORD_EPROTO when it is not exactly one. */
int sftp_decode(const uint8_t *bytes, size_t size, struct sftp_reply *);
/* Takes the next entry of a NAME reply; false when there is none. */
bool sftp_next_name(struct sftp_reply *, struct sftp_entry *);

/* Of an EXTENDED_REPLY to limits@openssh.com; false when it is something else. */
bool sftp_get_limits(const struct sftp_reply *, struct sftp_limits *);

/* "permission denied"; for numbers that no standard names: "status 77". Static or in `room`. */
const char *sftp_status_text(uint32_t status, char room[24]);

#endif
