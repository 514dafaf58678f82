/* The accord command's end of the control socket, STATE/control.sock: an AF_UNIX SEQPACKET connection that
 * speaks the frames of wire/messages.h. Blocking: this process does one thing at a time.
 *
 * The hub knows who asks by the socket's peer credentials; nothing is said about it here.
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <accord/host.h>

#include "wire/codec.h"

#define CLIENT_SOCKET   "control.sock"
#define CLIENT_PATIENCE 60 /* seconds without a word from the agent before giving up */

struct client;

/* ACCORD_ENOENT: no agent runs on this state folder; ACCORD_EDENIED: this user may not ask it. */
int client_open(struct client **, const char *state, struct reason *why);
void client_close(struct client *);

/* Sends one or more whole frames as one datagram. */
int client_send(struct client *, const struct buf *frames, struct reason *why);
/* The next message. Its texts live until the next call. ACCORD_EPROTO: not what a hub may say; ACCORD_ENET: the
 * agent hung up; ACCORD_ETIMEOUT. */
int client_next(struct client *, struct wire_message *, struct reason *why);

/* How the agent ended a command: an exit code of the table in cli/exit.h, and a line for a person. */
struct client_end {
    int exit;
    char line[WIRE_TEXT_MAX];
};
typedef void (*client_row_fn)(void *arg, const char *table, const struct wire_pairs *cells);
/* Asks one verb and hands over every row of the answer. */
int client_command(struct client *, const char *verb, const struct accord_pair *arguments, size_t count,
                   client_row_fn, void *arg, struct client_end *, struct reason *why);

/* Offers a file to the receiving service `route` ("AGREEMENT/SERVICE"), streamed as the agent asks for it. */
struct client_verdict {
    enum accord_admission admission;
    char id[ACCORD_ID_MAX];
    char rule[ACCORD_RULE_MAX];
    char reason[ACCORD_REASON_MAX];
};
int client_submit(struct client *, const char *route, const char *path, struct client_verdict *,
                  struct reason *why);

#endif
