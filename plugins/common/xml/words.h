/* What whoever reads keeps with a name (xml_name.word), found again by the addresses under which libxml2 keeps names: each text
 * once for as long as it parses. Bounded: what has no place is given a word for the moment.
 */
#ifndef XML_WORDS_H
#define XML_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORDS_SLOTS 512 /* half of them are used at most */

struct words {
    struct {
        const char *local, *space;
        bool element;
        uint32_t word;
    } slots[WORDS_SLOTS];
    size_t count;
    uint16_t used[WORDS_SLOTS / 2]; /* slots, in the order in which they were taken */
};

/* NULL: it has no place. */
uint32_t *words_of(struct words *, const char *space, const char *local, bool element);
void words_forget(struct words *); /* all of them; costs as much as there are */

#endif
