#include "channel_sasl.h"

#include <stdio.h>
#include <string.h>

#define FRAME_HEAD 8
#define TYPE_SASL  1

/* Descriptors (5.3.3) and encodings (1.6). */
enum { MECHANISMS = 0x40, INIT = 0x41, CHALLENGE = 0x42, OUTCOME = 0x44 };
enum {
    DESCRIBED = 0x00,
    NOTHING = 0x40,
    EMPTY_LIST = 0x45,
    UBYTE = 0x50,
    SMALL_ULONG = 0x53,
    ULONG = 0x80,
    BINARY8 = 0xa0,
    STRING8 = 0xa1,
    SYMBOL8 = 0xa3,
    BINARY32 = 0xb0,
    SYMBOL32 = 0xb3,
    LIST8 = 0xc0,
    LIST32 = 0xd0,
    ARRAY8 = 0xe0,
    ARRAY32 = 0xf0,
};

const uint8_t sasl_header[8] = {'A', 'M', 'Q', 'P', 3, 1, 0, 0};

/* ---- reading ---- */

/* After a mistake there is nothing left. */
struct reader {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static const uint8_t *bytes(struct reader *from, size_t size)
{
    static const uint8_t none[8];
    const uint8_t *at = from->at;
    if (size > from->left) {
        from->bad = true;
        from->left = 0;
        return size <= sizeof none ? none : NULL;
    }
    from->at += size;
    from->left -= size;
    return at;
}

static uint64_t number(struct reader *from, size_t size)
{
    const uint8_t *at = bytes(from, size);
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | at[i];
    return value;
}

static uint8_t octet(struct reader *from)
{
    return (uint8_t)number(from, 1);
}

/* What follows a size, as a reader of its own. */
static struct reader within(struct reader *from, size_t width)
{
    size_t size = (size_t)number(from, width);
    struct reader part = {from->at, size, false};
    if (!bytes(from, size) || from->bad)
        part = (struct reader){.bad = true};
    return part;
}

static unsigned descriptor(struct reader *from)
{
    static const char prefix[] = "amqp:sasl-";
    static const struct {
        const char *name;
        unsigned code;
    } names[] = {{"mechanisms:list", MECHANISMS}, {"challenge:list", CHALLENGE}, {"outcome:list", OUTCOME}};
    if (octet(from) != DESCRIBED)
        return 0;
    uint8_t kind = octet(from);
    if (kind == SMALL_ULONG || kind == ULONG) {
        uint64_t code = number(from, kind == ULONG ? 8 : 1);
        return code <= OUTCOME ? (unsigned)code : 0;
    }
    if (kind != SYMBOL8 && kind != SYMBOL32)
        return 0;
    struct reader name = within(from, kind == SYMBOL8 ? 1 : 4);
    if (name.bad || name.left < sizeof prefix - 1 || memcmp(name.at, prefix, sizeof prefix - 1))
        return 0;
    bytes(&name, sizeof prefix - 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (name.left == strlen(names[i].name) && !memcmp(name.at, names[i].name, name.left))
            return names[i].code;
    return 0;
}

/* The fields of a list; bad where there is none. */
static struct reader fields(struct reader *from)
{
    uint8_t kind = octet(from);
    size_t width = kind == LIST32 ? 4 : 1;
    if (kind == EMPTY_LIST)
        return (struct reader){.at = from->at};
    if (kind != LIST8 && kind != LIST32)
        return (struct reader){.bad = true};
    struct reader list = within(from, width);
    if (number(&list, width) == 0)
        list.left = 0;
    return list;
}

/* RFC 4422, 3.1: 1 to 20 of upper-case letters, digits, hyphens and underscores. */
static void add_mechanism(char list[SASL_LIST_MAX], const uint8_t *name, size_t size)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t used = strlen(list);
    if (size < 1 || size > 20 || used + size + 2 > SASL_LIST_MAX)
        return;
    for (size_t i = 0; i < size; i++)
        if (!name[i] || !strchr(allowed, name[i]))
            return;
    snprintf(list + used, SASL_LIST_MAX - used, "%s%.*s", used ? "," : "", (int)size, (const char *)name);
}

static void add_symbol(char list[SASL_LIST_MAX], struct reader *from, uint8_t kind)
{
    struct reader name = {.bad = true};
    if (kind == SYMBOL8 || kind == SYMBOL32)
        name = within(from, kind == SYMBOL8 ? 1 : 4);
    if (!name.bad)
        add_mechanism(list, name.at, name.left);
    from->bad |= name.bad;
}

static void read_mechanisms(struct reader *list, struct sasl_said *said)
{
    uint8_t kind = list->left ? octet(list) : NOTHING;
    if (kind == NOTHING)
        return;
    if (kind != ARRAY8 && kind != ARRAY32) {
        add_symbol(said->offered, list, kind);
        return;
    }
    size_t width = kind == ARRAY8 ? 1 : 4;
    struct reader array = within(list, width);
    uint64_t count = number(&array, width);
    kind = count ? octet(&array) : 0;
    for (uint64_t i = 0; i < count && !array.bad; i++)
        add_symbol(said->offered, &array, kind);
    list->bad |= array.bad;
}

static enum sasl_kind bad(struct sasl_said *said, const char *why)
{
    snprintf(said->why, sizeof said->why, "%s", why);
    return SASL_BAD;
}

static enum sasl_kind read_body(struct reader body, struct sasl_said *said)
{
    unsigned code = descriptor(&body);
    struct reader list = fields(&body);
    if (code == MECHANISMS)
        read_mechanisms(&list, said);
    else if (code == OUTCOME && octet(&list) == UBYTE)
        said->code = octet(&list);
    else if (code == CHALLENGE)
        return bad(said, "it asks for more than the mechanism has (sasl-challenge)");
    else
        return bad(said, "a SASL frame that is none");
    if (list.bad)
        return bad(said, "a SASL frame that cannot be decoded");
    return code == MECHANISMS ? SASL_MECHANISMS : SASL_OUTCOME;
}

static enum sasl_kind take_frame(const uint8_t *from, size_t size, size_t *used, struct sasl_said *said)
{
    struct reader frame = {from, size, false};
    if (size < FRAME_HEAD)
        return SASL_MORE;
    uint64_t whole = number(&frame, 4);
    size_t offset = 4 * (size_t)octet(&frame);
    uint8_t type = octet(&frame);
    if (type != TYPE_SASL || offset < FRAME_HEAD || whole < offset || whole > SASL_FRAME_MAX)
        return bad(said, type != TYPE_SASL        ? "a frame of another kind in the midst of SASL"
                         : whole > SASL_FRAME_MAX ? "a SASL frame that is too large"
                                                  : "a SASL frame whose sizes are wrong");
    if (size < whole)
        return SASL_MORE;
    *used = (size_t)whole;
    return read_body((struct reader){from + offset, (size_t)whole - offset, false}, said);
}

/* What other protocols begin with tells a person which port this is. */
static enum sasl_kind take_header(const uint8_t *from, size_t size, size_t *used, struct sasl_said *said)
{
    if (memcmp(from, sasl_header, size < sizeof sasl_header ? size : sizeof sasl_header) == 0) {
        *used = size < sizeof sasl_header ? 0 : sizeof sasl_header;
        return *used ? SASL_HEADER : SASL_MORE;
    }
    if (size < sizeof sasl_header && memcmp(from, "AMQP", size < 4 ? size : 4) == 0)
        return SASL_MORE;
    if (memcmp(from, "AMQP", size < 4 ? size : 4) != 0)
        return bad(said, "it does not speak AMQP");
    if (memcmp(from + 4, "\0\0\11\1", 4) == 0)
        return bad(said, "it speaks AMQP 0-9-1 and not 1.0 (RabbitMQ: enable its AMQP 1.0 plugin)");
    if (memcmp(from + 4, "\0\1\0\0", 4) == 0)
        return bad(said, "it wants no authentication (SASL), which the agreement does not allow");
    return bad(said, "it speaks another version of AMQP, or wants TLS to be started inside of it");
}

enum sasl_kind sasl_take(const uint8_t *from, size_t size, bool begun, size_t *used, struct sasl_said *said)
{
    *used = 0;
    *said = (struct sasl_said){0};
    if (!size)
        return SASL_MORE;
    return begun ? take_frame(from, size, used, said) : take_header(from, size, used, said);
}

/* ---- writing ---- */

struct writer {
    uint8_t *to;
    size_t used;
    bool full;
};

static void put(struct writer *to, const void *from, size_t size)
{
    if (to->full || size > SASL_INIT_MAX - to->used) {
        to->full = true;
        return;
    }
    if (size)
        memcpy(to->to + to->used, from, size);
    to->used += size;
}

static void put_octet(struct writer *to, uint8_t value)
{
    put(to, &value, 1);
}

static void put_size(struct writer *to, size_t value)
{
    const uint8_t four[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                            (uint8_t)value};
    put(to, four, sizeof four);
}

static void put_text(struct writer *to, uint8_t kind, const char *text)
{
    size_t size = strlen(text);
    put_octet(to, kind);
    put_octet(to, (uint8_t)size);
    put(to, text, size);
    to->full |= size > UINT8_MAX;
}

/* RFC 4616: no identity to act as, then the user and the password; EXTERNAL and ANONYMOUS say nothing. */
static void put_response(struct writer *to, const struct sasl_credentials *credentials)
{
    size_t user = credentials ? strlen(credentials->user) : 0;
    put_octet(to, BINARY32);
    put_size(to, credentials ? user + credentials->password_size + 2 : 0);
    if (!credentials)
        return;
    put_octet(to, 0);
    put(to, credentials->user, user);
    put_octet(to, 0);
    put(to, credentials->password, credentials->password_size);
    to->full |= !user || !credentials->password_size ||
                memchr(credentials->password, 0, credentials->password_size) != NULL;
}

static void patch(uint8_t *to, size_t value)
{
    struct writer size = {.to = to};
    put_size(&size, value);
}

size_t sasl_init(const char *mechanism, const struct sasl_credentials *credentials, const char *host,
                 uint8_t to[SASL_INIT_MAX])
{
    static const uint8_t head[] = {0, 0, 0, 0, 2, TYPE_SASL, 0, 0, DESCRIBED, SMALL_ULONG, INIT, LIST32};
    struct writer frame = {.to = to};
    put(&frame, head, sizeof head);
    put_size(&frame, 0);
    put_size(&frame, 3);
    put_text(&frame, SYMBOL8, mechanism);
    put_response(&frame, credentials);
    put_text(&frame, STRING8, host);
    if (frame.full)
        return 0;
    patch(to, frame.used);
    patch(to + sizeof head, frame.used - sizeof head - 4);
    return frame.used;
}
