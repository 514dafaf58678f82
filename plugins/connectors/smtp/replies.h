/* Replies of a mail server (RFC 5321, 4.2), from the bytes that it sends: a code, and lines of text. What it says is
 * shown to people and kept in the audit trail: control characters and bytes beyond ASCII become "?". */
#ifndef SMTP_REPLIES_H
#define SMTP_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLY_LINE_MAX 2048 /* bytes of a line; the standard says 512 */
#define REPLY_LINES    128  /* of a reply */
#define REPLY_TEXT_MAX 8192 /* bytes of all its lines, behind their codes */
#define REPLY_WAIT_MAX (INT64_C(24) * 3600000)

struct replies {
    int code;                  /* of the reply that is whole, or that is being read */
    char text[REPLY_TEXT_MAX]; /* its lines, with \n between them */
    size_t text_size;
    unsigned lines;
    bool whole;    /* the last call brought it to its end */
    bool overlong; /* more was said than is kept */
    char line[REPLY_LINE_MAX];
    size_t line_size;
};

/* Takes bytes from `*bytes`, up to the end of a reply at most, and moves both. 1: a reply is whole; 0: all was taken and
 * more is needed; negative: what came is no reply of SMTP, and nothing more can be understood. */
int replies_next(struct replies *, const char **bytes, size_t *size);
/* "550 5.1.1 No such user": the whole of it in one line, cut if need be. */
void replies_say(const struct replies *, char *to, size_t size);
/* Milliseconds that a text asks us to wait ("try again in 300 seconds"); 0: it says nothing of the kind. */
int64_t replies_wait(const char *text);

/* What a server says that it can, in its answer to EHLO. */
struct capabilities {
    bool pipelining;      /* RFC 2920 */
    bool size;            /* RFC 1870 */
    int64_t size_limit;   /* 0: it has none, or does not say which */
    char mechanisms[256]; /* RFC 4954: "PLAIN,LOGIN" in capitals, in its order; "" none */
};
void capabilities_read(struct capabilities *, const struct replies *);
/* Is `name` in a list separated by commas, without regard to case? */
bool capabilities_list(const char *list, const char *name);

#endif
