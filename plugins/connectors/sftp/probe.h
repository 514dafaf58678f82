#ifndef SFTP_PROBE_H
#define SFTP_PROBE_H

#include "sftp.h"

/* The connector's slot. */
void sftp_probe(void *state, struct accord_probe *);

#endif
