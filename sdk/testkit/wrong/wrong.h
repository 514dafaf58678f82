/* Plugins that are wrong on purpose, one fault at a time, to show that the contract suites fail each for its reason. The
 * connector `depot` speaks with a server of its own (depot.h); the policy is `gate`.
 */
#ifndef TESTKIT_WRONG_H
#define TESTKIT_WRONG_H

/* W(name, case of the suite that finds it, what that says) */
#define WRONG_CONNECTORS(W)                                                                                            \
    W(FINISHES_TWICE, "whole messages arrive", "a delivery was finished twice")                                       \
    W(SAYS_NOTHING, "whole messages arrive", "says neither why nor what")                                             \
    W(CUTS_PAYLOAD, "whole messages arrive", "the other side has not message-3.txt as it was sent")                   \
    W(FINISHES_EARLY, "whole messages arrive", "finished as delivered before the last byte was given")                \
    W(NEVER_FINISHES, "whole messages arrive", "was not finished within")                                             \
    W(LEAKS_MEMORY, "whole messages arrive", "of memory")                                                             \
    W(LEAKS_DESCRIPTOR, "whole messages arrive", "1 descriptor(s) left open")                                         \
    W(LEAKS_SOCKET, "whole messages arrive", "close left the descriptor of a session open")                           \
    W(LEAKS_SESSION, "whole messages arrive", "close left a session open")                                            \
    W(LEAVES_TIMER, "it closes at any moment after its start", "close left 1 timer(s) running")                       \
    W(LEAVES_WATCH, "whole messages arrive", "close left a watch")                                                    \
    W(BLOCKS_LOOP, "whole messages arrive", "payload held the loop for")                                              \
    W(BLOCKS_SOCKET, "whole messages arrive", "the session's descriptor was made blocking")                           \
    W(HANGS, "whole messages arrive", "it hangs, or waits for what never comes; in payload")                          \
    W(PULLS_EARLY, "payload waits for the verdict", "pull on a session that is not authenticated")                    \
    W(SECRET_EARLY, "whole messages arrive", "secret \"key\" asked for before HANDSHAKE was allowed")                 \
    W(IGNORES_DENY, "a session that is not allowed", "AUTHENTICATED reported before HANDSHAKE was allowed")           \
    W(CLOSE_FINISHES_NOTHING, "with everything in flight", "close left the delivery of")                              \
    W(FINISHES_LATE, "with everything in flight", "finish called after close")                                        \
    W(IGNORES_CANCEL, "cancelled messages end", "was not finished within 5000 ms")                                    \
    W(CLAIMS_DELIVERED, "cut in mid-payload", "ended with outcome 0, not as retry")                                   \
    W(DEAD_TIMER, "it closes at any moment after its start", "timer_stop of a dead timer")                                  \
    W(DEAD_DELIVERY, "whole messages arrive", "pull after finish")                                                    \
    W(DEAD_SESSION, "it closes at any moment after", "session ended twice")                       \
    W(BAD_METRIC, "whole messages arrive", "is no name for a metric")                                                 \
    W(BURNS_MESSAGES, "a missing secret burns no message", "ended with outcome 2, not as retry")                      \
    W(DELETES_EARLY, "before the verdict", "deleted, moved or acknowledged at the source before offer_done")          \
    W(DELETES_DEFERRED, "what is deferred stays", "at the source though it was deferred")                             \
    W(FORGETS_DEFERRED, "what is deferred stays", "what was deferred was not offered again")                          \
    W(CURSOR_PAST, "no cursor goes past", "which was deferred and not offered again")                                 \
    W(WRITES_MORE, "nothing is written beyond", "offer_write of more than was asked for")                             \
    W(OFFERS_STOPPED, "a stop takes nothing new", "offer after stop")                                                 \
    W(OFFERS_AGAIN, "what was taken is not offered again", "a message that was accepted was offered again")           \
    W(NO_OFFER_READY, "a host at capacity", "no message was offered within")                                          \
    W(OFFERS_NO_SESSION, "whole messages are taken", "offer without a session")                                       \
    W(MIXES_UP, "whole messages are taken", "was offered with")                                                       \
    W(PROBES_FOR_EVER, "a probe walks to its end", "a probe did not end")                                             \
    W(CHECK_OVERFLOWS, "check survives any legal values", "in check, with random options of seed")                     \
    W(OPEN_LEAKS, "memory may fail: 1 to", "block(s) of memory were left")                                            \
    W(TRUSTS_MALLOC, "memory may fail", "in deliver, after its allocation")                                                                 \
    W(TRUSTS_TIMER, "may fail: timer", "after call 1 of timer had failed")

#define WRONG_POLICIES(W)                                                                                              \
    W(ANSWERS_TWICE, "each question has its answer", "a question was answered twice")                                 \
    W(NEVER_ANSWERS, "each question has its answer", "it did not answer")                                             \
    W(NO_RULE, "each question has its answer", "deny without a rule or a reason")                                     \
    W(ANSWERS_WRONGLY, "each question has its answer", "the answer is 0")                                             \
    W(KEYS_ON_DENY, "each question has its answer", "an answer that is not allow has unique keys")                    \
    W(PULLS_AFTER, "each question has its answer", "pull after the answer")                                           \
    W(PULLS_ONCE, "odd input has", "once it had the whole payload")                                    \
    W(HANGS, "each question has its answer", "it hangs, or waits for what never comes; in judge")                     \
    W(BLOCKS, "each question has its answer", "judge held the loop for")                                              \
    W(PIECES_MATTER, "the size of pieces", "the verdict depends on the size of the pieces")                           \
    W(SHARES_STATE, "do not disturb each other", "(among others)")                                                    \
    W(IGNORES_CANCEL, "given up in any state", "it was not answered within 5000 ms")                                  \
    W(IGNORES_CLOSE, "given up in any state", "close left a question without an answer")                              \
    W(LEAKS, "given up in any state", "of memory")                                                                    \
    W(DESCRIPTOR, "it opens and closes", "3 descriptor(s) left open")                                                 \
    W(PROFILE_CHANGES, "the profile is the same", "the profile of link far changes")                                  \
    W(PROFILE_TWICE, "the profile is the same", "the profile gives gate.mode twice")                                  \
    W(CRASHES, "odd input", ", in judge")                                                                             \
    W(CHECK_CRASHES, "check survives any legal values", "in check, with random options of seed")                        \
    W(OPEN_LEAKS, "memory may fail", "block(s) of memory were left")                                                  \
    W(ALLOWS_WITHOUT_MEMORY, "memory may fail", "which is denied when all is well")

#define W_CONNECTOR(name, found, text) DEPOT_##name,
#define W_POLICY(name, found, text) GATE_##name,

enum depot_wrong { DEPOT_RIGHT, WRONG_CONNECTORS(W_CONNECTOR) DEPOT_WRONGS };
enum gate_wrong { GATE_RIGHT, WRONG_POLICIES(W_POLICY) GATE_WRONGS };

/* Which fault they have; set before the plugin is opened. */
extern enum depot_wrong depot_is;
extern enum gate_wrong gate_is;

#endif
