/* SASL in AMQP 1.0 (OASIS AMQP 1.0, part 5, 5.3), the client's side of it: frames in and out, and no more. Of our own
 * because proton's keeps copies of the password, does not tell what the broker offers, and sends what it likes when it
 * likes. */
#ifndef MQ_CHANNEL_SASL_H
#define MQ_CHANNEL_SASL_H

#include <accord/base.h>

#define SASL_FRAME_MAX 4096 /* of the broker's frames; the standard says 512 */
#define SASL_INIT_MAX  8192 /* of our frame with the password */
#define SASL_LIST_MAX  512  /* mechanisms as text, with commas and NUL */

extern const uint8_t sasl_header[8];

enum sasl_kind { SASL_MORE, SASL_HEADER, SASL_MECHANISMS, SASL_OUTCOME, SASL_BAD };

/* RFC of the outcome: OASIS AMQP 1.0, 5.3.3.6. */
enum sasl_code { SASL_OK, SASL_AUTH, SASL_SYS, SASL_SYS_PERM, SASL_SYS_TEMP };

struct sasl_said {
    char offered[SASL_LIST_MAX]; /* SASL_MECHANISMS: "PLAIN,EXTERNAL"; what is no mechanism's name is left out */
    unsigned code;               /* SASL_OUTCOME */
    char why[160];               /* SASL_BAD */
};

/* Takes the broker's header (`begun` is false) or its next frame from the bytes; `*used` of them are done with. */
enum sasl_kind sasl_take(const uint8_t *, size_t, bool begun, size_t *used, struct sasl_said *);

struct sasl_credentials {
    const char *user; /* PLAIN */
    const uint8_t *password;
    size_t password_size;
};

/* Our answer to the mechanisms. Its size, or 0: it does not fit, or user or password hold a zero byte. */
size_t sasl_init(const char *mechanism, const struct sasl_credentials *, const char *host,
                 uint8_t to[SASL_INIT_MAX]);

#endif
