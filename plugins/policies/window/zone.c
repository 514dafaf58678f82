#include "zone.h"

#include <accord/base.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DAY         1440
#define BEFORE      (40 * DAY)      /* of the moment that was asked for, in one reading */
#define AFTER       (5 * 366 * DAY) /* of it */
#define STEP        (6 * 60)        /* no offset lasts for less */
#define ZONE_FOLDER "/usr/share/zoneinfo/"

static bool is_utc(const struct zone *zone)
{
    return strcmp(zone->name, "UTC") == 0;
}

/* A name below the folder, and a file of the kind. */
static bool is_zone(const char *name)
{
    char path[sizeof ZONE_FOLDER + ZONE_NAME_MAX], magic[4];
    if (!*name || *name == '/' || strlen(name) >= ZONE_NAME_MAX || strstr(name, "..") ||
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") != strlen(name))
        return false;
    snprintf(path, sizeof path, ZONE_FOLDER "%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && read(fd, magic, sizeof magic) == sizeof magic && memcmp(magic, "TZif", 4) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

static int offset_at(int64_t minute)
{
    time_t seconds = (time_t)(minute * 60);
    struct tm local;
    return localtime_r(&seconds, &local) ? (int)(local.tm_gmtoff / 60) : 0;
}

/* The first minute after `before` that has another offset than it, `after` being one. */
static int64_t change_between(int64_t before, int64_t after)
{
    int offset = offset_at(before);
    while (after - before > 1) {
        int64_t middle = before + (after - before) / 2;
        if (offset_at(middle) == offset)
            before = middle;
        else
            after = middle;
    }
    return after;
}

static void sample(struct zone *zone)
{
    zone->count = 0;
    zone->changes[zone->count++] = (struct zone_change){zone->from, offset_at(zone->from)};
    for (int64_t at = zone->from; at < zone->until; at += STEP) {
        if (offset_at(at + STEP) == zone->changes[zone->count - 1].offset)
            continue;
        if (zone->count == ZONE_CHANGES) {
            zone->until = at;
            return;
        }
        int64_t change = change_between(at, at + STEP);
        zone->changes[zone->count++] = (struct zone_change){change, offset_at(change)};
    }
}

/* Fills the table around a minute, with the process's time zone changed meanwhile. */
static void read_around(struct zone *zone, int64_t minute)
{
    char setting[ZONE_NAME_MAX + 1];
    const char *own = getenv("TZ");
    char *kept = own ? strdup(own) : NULL;
    zone->from = minute - BEFORE;
    zone->until = minute + AFTER;
    snprintf(setting, sizeof setting, ":%s", zone->name);
    if (setenv("TZ", setting, 1) == 0) {
        tzset();
        sample(zone);
    }
    if (kept)
        setenv("TZ", kept, 1);
    else
        unsetenv("TZ");
    tzset();
    free(kept);
}

int zone_open(struct zone *zone, const char *name, char *why, size_t why_size)
{
    *zone = (struct zone){.name = ""};
    if (strcmp(name, "UTC") != 0 && !is_zone(name)) {
        snprintf(why, why_size,
                 "time-zone = %.80s: there is no such zone here; UTC, or a name below " ZONE_FOLDER
                 " such as America/New_York (package tzdata)",
                 name);
        return ACCORD_EINVAL;
    }
    snprintf(zone->name, sizeof zone->name, "%s", name);
    return ACCORD_OK;
}

int64_t zone_local(struct zone *zone, int64_t minute)
{
    if (is_utc(zone))
        return minute;
    if (minute < zone->from || minute >= zone->until)
        read_around(zone, minute);
    size_t i = zone->count;
    while (i > 1 && zone->changes[i - 1].at > minute)
        i--;
    return minute + (i ? zone->changes[i - 1].offset : 0);
}
