/* The table of services that a connector is given. */
#ifndef LINK_HOST_H
#define LINK_HOST_H

#include <accord/host.h>

void link_host_services(struct accord_host *);

#endif
