/* A child process that has the true start of all children and the true loader, and of the rest only what
 * the battery needs: options, log, dial. For roles in which open() is never called, and for trees without
 * accordd. */
#ifndef ESCAPE_STAND_IN_H
#define ESCAPE_STAND_IN_H

/* When the arguments say --role=...: runs it, and returns its exit status; -1: they do not. */
int stand_in(int argc, char **argv);

#endif
