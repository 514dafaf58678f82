#include "bus/advance.h"

#include <stdlib.h>

#include "bus/party.h"
#include "util/log.h"
#include "util/text.h"

struct bus_source_line *advance_lines_new(struct bus_party *party, const struct conf_agreement *conf)
{
    struct bus_source_line *lines = calloc(conf->service_count + 1, sizeof *lines);
    for (size_t i = 0; lines && i < conf->service_count; i++) {
        cursors_init(&lines[i].cursors);
        lines[i].party = party;
        size_t used = text_join(lines[i].name, sizeof lines[i].name, conf->name, "/", "");
        text_copy(lines[i].name + used, sizeof lines[i].name - used, conf->services[i].name);
    }
    return lines;
}

void advance_lines_free(struct bus_source_line *lines)
{
    for (size_t i = 0; lines && lines[i].party; i++)
        cursors_fini(&lines[i].cursors);
    free(lines);
}

static struct bus_source_line *line_of(const struct bus_party *party, const struct conf_service *service)
{
    return &party->source_lines[service - party->conf->services];
}

/* ---- by itself ---- */

static void note_due(struct bus_source_line *line);

static void noted(void *arg, int result)
{
    struct bus_source_line *line = arg;
    struct log_about about = {.agreement = line->party->conf->name};
    line->noting = false;
    line->party->notes--;
    if (result) { /* tried again with the next that comes */
        log_event(ACCORD_ERROR, "bus.cursor-failed", &about, "the store did not take the cursor of %s (%s)",
                  line->name, error_name(result));
        cursors_failed(&line->cursors, line->serial, result);
        return;
    }
    cursors_committed(&line->cursors, line->serial);
    note_due(line);
}

static void note_due(struct bus_source_line *line)
{
    uint64_t serial;
    const char *text = line->noting ? NULL : cursors_due(&line->cursors, &serial);
    if (!text || line->party->bus->giving_up)
        return;
    line->noting = true;
    line->party->notes++;
    line->serial = serial;
    text_copy(line->text, sizeof line->text, text);
    line->note = (struct store_note){.name = line->name, .value = line->text};
    store_note(line->party->bus->store, &line->note, noted, line);
}

int bus_advance(struct bus_party *party, const struct conf_service *service, const char *cursor,
                struct cursor_wait *wait)
{
    struct bus_source_line *line = line_of(party, service);
    int result = cursors_advance(&line->cursors, cursor, wait);
    if (!result)
        note_due(line);
    return result;
}

size_t bus_advances(const struct bus_party *party, const struct conf_service *service)
{
    return line_of(party, service)->cursors.waiting;
}

uint32_t *bus_voids(struct bus_party *party, const struct conf_service *service)
{
    return &line_of(party, service)->voids;
}

void bus_source_gone(struct bus_party *party, const struct conf_service *service)
{
    struct bus_source_line *line = line_of(party, service);
    cursors_reset(&line->cursors);
    line->voids = 0;
}

/* ---- with a message ---- */

int advance_enter(struct bus_offer *offer, const char *cursor)
{
    return cursors_enter(&line_of(offer->party, offer->service)->cursors, &offer->turn, cursor);
}

const char *advance_with(struct bus_offer *offer)
{
    const char *text = cursors_with(&offer->turn, &offer->serial);
    if (!text)
        return NULL;
    text_copy(offer->cursor, sizeof offer->cursor, text);
    return offer->cursor;
}

void advance_leave(struct bus_offer *offer, bool held, bool wrote)
{
    struct bus_source_line *line = line_of(offer->party, offer->service);
    cursors_leave(&offer->turn, held);
    if (wrote)
        cursors_committed(&line->cursors, offer->serial);
    note_due(line);
}
