/* The hub: configuration, bus, store, audit, dialer, supervisor. It loads no plugin and parses no payload. */
#ifndef HUB_HUB_H
#define HUB_HUB_H

/* What the command line said. */
struct hub_options {
    const char *folder;     /* conf.d */
    const char *state;      /* NULL: as agent.conf says */
    const char *executable; /* of this program, for the children */
};

/* Runs until SIGTERM or SIGINT. Returns the exit code of the process. */
int hub_main(const struct hub_options *);

#endif
