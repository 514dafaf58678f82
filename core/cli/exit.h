/* How the accord command ends. */
#ifndef CLI_EXIT_H
#define CLI_EXIT_H

/* X(ID, code, help): also printed by `accord help`. */
#define EXIT_TABLE(X)                                                                                        \
    X(EXIT_OK, 0, "done, or the answer is yes")                                                              \
    X(EXIT_REFUSED, 1, "refused, not found, or the answer is no")                                            \
    X(EXIT_USAGE, 2, "the command line was not understood")                                                  \
    X(EXIT_NO_AGENT, 3, "the agent is not running, or could not be asked")                                   \
    X(EXIT_CONFIG, 4, "the configuration has errors")                                                        \
    X(EXIT_UNCHECKED, 5, "no error was found, but not everything could be checked here")

enum cli_exit {
#define X(ID, code, help) ID = code,
    EXIT_TABLE(X)
#undef X
        EXIT_CODES,
};

#endif
