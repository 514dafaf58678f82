/* answer.h for lines instead of XML (taxii_partner.h says which). */
#include "common/xml/xml.h"
#include "connectors/taxii/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct answer {
    const struct answer_events *events;
    void *arg;
    char line[8192];
    size_t size;
    enum answer_kind kind;
    int64_t number;
    char why[200];
    int result;
};

struct answer *answer_new(const char *id, int64_t size, const struct answer_events *events, void *arg)
{
    struct answer *made = calloc(1, sizeof *made);
    assert_true(*id && size > 0);
    made->events = events;
    made->arg = arg;
    return made;
}

void answer_free(struct answer *made)
{
    free(made);
}

enum answer_kind answer_kind(const struct answer *made)
{
    return made->kind;
}

const char *answer_why(const struct answer *made)
{
    return made->why;
}

int answer_finish(struct answer *made)
{
    if (!made->result && made->kind == ANSWER_NONE)
        made->result = ACCORD_EFORMAT;
    if (made->result && !made->why[0])
        snprintf(made->why, sizeof made->why, "it is empty");
    return made->result;
}

/* Fields between bars; those that are missing are "". */
static void split(char *line, char *fields[8])
{
    for (size_t i = 0; i < 8; i++) {
        fields[i] = line;
        line += strcspn(line, "|");
        if (*line)
            *line++ = '\0';
    }
}

static size_t listed(char *text, const char *items[8])
{
    size_t count = 0;
    for (char *item = strtok(text, ","); item && count < 8; item = strtok(NULL, ","))
        items[count++] = item;
    return count;
}

static int say_status(struct answer *made, char *fields[8])
{
    struct accord_pair details[6];
    size_t count = 0;
    made->kind = ANSWER_STATUS;
    for (size_t i = 2; i < 8 && *fields[i]; i++) {
        char *value = strchr(fields[i], '=');
        *value = '\0';
        details[count++] = (struct accord_pair){fields[i], value + 1};
    }
    return made->events->status(made->arg, &(struct answer_status){fields[0], fields[1], details, count});
}

static int say_instance(struct answer *made, char *fields[8])
{
    static const char *const ours[] = {"urn:taxii.mitre.org:message:xml:1.1"};
    const char *items[8];
    const struct answer_instance instance = {.service = fields[0],
                                             .version = "",
                                             .protocol = "",
                                             .address = fields[1],
                                             .message = "",
                                             .available = true,
                                             .message_bindings = ours,
                                             .message_binding_count = 1,
                                             .bindings = items,
                                             .binding_count = listed(fields[2], items)};
    made->kind = ANSWER_DISCOVERY;
    return made->events->instance ? made->events->instance(made->arg, &instance) : 0;
}

static int say_collection(struct answer *made, char *fields[8])
{
    const char *items[8];
    const struct answer_collection collection = {.name = fields[0],
                                                 .feed = !strstr(fields[1], "set"),
                                                 .available = fields[1][0] != '-',
                                                 .poll_address = fields[2],
                                                 .inbox_address = fields[3],
                                                 .subscription_address = "",
                                                 .bindings = items,
                                                 .binding_count = listed(fields[4], items)};
    made->kind = ANSWER_COLLECTIONS;
    return made->events->collection ? made->events->collection(made->arg, &collection) : 0;
}

static int say_poll(struct answer *made, char *fields[8])
{
    const struct answer_poll poll = {.collection = fields[0],
                                     .part = atoi(fields[1]),
                                     .more = strcmp(fields[2], "more") == 0,
                                     .result_id = fields[3],
                                     .subscription = "",
                                     .begin = "",
                                     .end = fields[4],
                                     .count = -1,
                                     .message = ""};
    made->kind = ANSWER_POLL;
    return made->events->poll ? made->events->poll(made->arg, &poll) : 0;
}

static int say_many(struct answer *made, const char *line)
{
    char piece[4096];
    int result = 0;
    memset(piece, line[strlen(line) - 1], sizeof piece);
    for (size_t left = (size_t)atoi(line); left && !result;) {
        size_t part = left < sizeof piece ? left : sizeof piece;
        result = made->events->content(made->arg, (const uint8_t *)piece, part);
        left -= part;
    }
    return result;
}

static int say(struct answer *made, char *line)
{
    char *fields[8], *rest = strchr(line, ' ');
    if (!rest)
        return *line ? ACCORD_EFORMAT : 0;
    *rest++ = '\0';
    if ((strcmp(line, "TEXT") == 0 || strcmp(line, "MANY") == 0) && !made->events->content)
        return 0;
    if (strcmp(line, "TEXT") == 0)
        return made->events->content(made->arg, (const uint8_t *)rest, strlen(rest));
    if (strcmp(line, "MANY") == 0)
        return say_many(made, rest);
    if (strcmp(line, "BLOCK") == 0)
        return made->events->block(made->arg, &(struct answer_block){rest, "", ++made->number});
    if (strcmp(line, "LABEL") == 0)
        return made->events->block_end(made->arg, rest);
    if (strcmp(line, "BROKEN") == 0) {
        snprintf(made->why, sizeof made->why, "%s", rest);
        return ACCORD_EFORMAT;
    }
    split(rest, fields);
    if (strcmp(line, "STATUS") == 0)
        return say_status(made, fields);
    if (strcmp(line, "INSTANCE") == 0)
        return say_instance(made, fields);
    if (strcmp(line, "COLLECTION") == 0)
        return say_collection(made, fields);
    return strcmp(line, "POLL") == 0 ? say_poll(made, fields) : ACCORD_EFORMAT;
}

int answer_feed(struct answer *made, const uint8_t *bytes, size_t size)
{
    for (; size && !made->result; bytes++, size--) {
        if (*bytes != '\n') {
            assert_true(made->size + 1 < sizeof made->line);
            made->line[made->size++] = (char)*bytes;
            continue;
        }
        made->line[made->size] = '\0';
        made->size = 0;
        made->result = say(made, made->line);
    }
    return made->result;
}

/* There is no XML here. */
void xml_readers_keep(void)
{
}

void xml_readers_drop(void)
{
}
