/* A message of the bus as a mail: headers, a text that a person can read, and the payload as its attachment. */
#ifndef SMTP_LETTER_H
#define SMTP_LETTER_H

#include "encode.h"
#include "smtp.h"

struct letter {
    struct text head; /* as it goes out, up to the attachment's content */
    struct text tail; /* behind that, with the dot that ends the mail */
    struct encoder encoder;
    int64_t size; /* of all that, without the dot; a guess unless base64 */
};

/* `now`: microseconds since 1970. False: out of memory. */
bool letter_write(struct letter *, const struct accord_service *, const struct accord_envelope *, int64_t now);
void letter_free(struct letter *);
/* A template's text for a message: {name}, {type}, {id}, {date}, {size}, {sha256}, {service}, and headers of the bus by
 * their names, as {subject}; what is not there is "". */
void letter_fill(struct text *, const char *pattern, const struct accord_service *, const struct accord_envelope *,
                 int64_t now);
/* What is wrong with a template; NULL: nothing. */
const char *letter_mistake(const char *pattern);

#endif
