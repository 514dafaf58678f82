/* Manual pages, made from the same tables as the usage and the reference. */
#ifndef CLI_MAN_H
#define CLI_MAN_H

#include "conf/conf.h"
#include "util/buf.h"

void man_accord(struct buf *);  /* accord(1) */
void man_accordd(struct buf *); /* accordd(8) */
/* accord.conf(5): the core's sections and what the plugins take. */
void man_conf(struct buf *, const struct conf_plugins *);

#endif
