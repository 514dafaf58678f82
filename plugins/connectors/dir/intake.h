/* A receiving service: finds settled files, claims and offers them, and does to each what the hub decided. */
#ifndef DIR_INTAKE_H
#define DIR_INTAKE_H

#include "dir.h"

#define INTAKE_OFFERS 8  /* files on their way to the hub at a time */
#define INTAKE_HELD   64 /* files claimed at a time, those that were deferred included */

struct intake;
struct held;

struct intake *intake_new(struct dir *, size_t service);
void intake_start(struct intake *);
void intake_stop(struct intake *);
/* Frees it, or has it freed when the last function on a thread has ended. */
void intake_close(struct intake *);
void intake_ready(struct intake *); /* the host has room for offers again */
void intake_pull(struct held *, int64_t bytes);
void intake_verdict(struct held *, const struct accord_admitted *);

#endif
