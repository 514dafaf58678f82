/* Every message between the hub and its children, and between the hub and the accord command: one table that
 * makes the structs, the encoders and the strict decoders (codec.h).
 *
 * A field is of kind u8, u32, u64, i64, text (NUL-terminated UTF-8), bytes, pairs (names and values), or envelope
 * (codec.h: the texts id, type, name, origin and source_id, i64 time and size, text sha256, pairs headers).
 * Decoded text and bytes point into the datagram and live as long as it does.
 *
 * Senders: H hub, L link, P guard or inspect (policies), D describe, C the accord command. A message from a
 * sender that the table does not name is a protocol error, and the child is ended.
 */
#ifndef WIRE_MESSAGES_H
#define WIRE_MESSAGES_H

#include <accord/base.h>

#define WIRE_VERSION 1

#define WIRE_H 1u
#define WIRE_L 2u
#define WIRE_P 4u
#define WIRE_D 8u
#define WIRE_C 16u

/* M(NAME, senders, fields)   F(kind, name) */
#define WIRE_MESSAGES(M)                                                                                             \
    /* ---- start and end of a child ---- */                                                                        \
    /* First of all. `folders`: an absolute path, and "read" or "write": what the sandbox lets be opened. */       \
    M(SETUP, WIRE_H, F(u32, version) F(text, role) F(text, agreement) F(text, plugins) F(pairs, folders)             \
          F(u8, log_level) F(u8, log_json))                                                                          \
    /* `modules`: plugin file to its expected SHA-256; loaded inside the sandbox in this order. */                  \
    M(LOAD, WIRE_H, F(text, plugin) F(text, sha256))                                                                 \
    M(SANDBOXED, WIRE_L | WIRE_P | WIRE_D, F(pairs, walls))                                                          \
    M(READY, WIRE_L | WIRE_P, F(text, reason))                                                                       \
    M(FAILED, WIRE_L | WIRE_P | WIRE_D, F(text, rule) F(text, reason))                                               \
    M(START, WIRE_H, F(u8, nothing))                                                                                 \
    M(DRAIN, WIRE_H, F(u8, nothing))                                                                                 \
    M(PING, WIRE_H, F(u64, token))                                                                                   \
    M(PONG, WIRE_L | WIRE_P, F(u64, token))                                                                          \
    M(LOG, WIRE_L | WIRE_P, F(u8, level) F(text, instance) F(text, event) F(text, line))                             \
    /* `set` 0: adds the value; 1: sets it */                                                                        \
    M(METRIC, WIRE_L | WIRE_P, F(text, instance) F(text, name) F(u8, set) F(i64, value))                             \
    M(INCIDENT, WIRE_L | WIRE_P, F(text, instance) F(text, rule) F(text, reason))                                    \
    /* ---- what is configured: instances are numbered by the hub, from 0, within one child ---- */                 \
    M(LINK, WIRE_H, F(u32, link) F(text, name) F(text, connector) F(text, host) F(u32, port) F(text, tunnel)         \
          F(pairs, options))                                                                                         \
    M(SERVICE, WIRE_H, F(u32, service) F(u32, link) F(text, name) F(text, type) F(u8, direction) F(i64, max_size)    \
          F(text, names) F(i64, rate) F(pairs, options))                                                             \
    M(MODULE, WIRE_H, F(u32, module) F(text, name) F(i64, from) F(i64, until) F(pairs, options))                     \
    /* ---- sessions ---- */                                                                                        \
    M(DIAL, WIRE_L, F(u64, session) F(u32, link))                                                                    \
    /* With the descriptor when result is 0. `profile` is the compiled session profile. */                          \
    M(DIALED, WIRE_H, F(u64, session) F(i64, result) F(text, reason) F(pairs, profile))                              \
    M(FACTS, WIRE_L, F(u64, session) F(u8, stage) F(pairs, facts))                                                   \
    M(FACTS_VERDICT, WIRE_H, F(u64, session) F(u8, stage) F(u8, answer) F(text, rule) F(text, reason))               \
    M(SECRET, WIRE_L, F(u64, session) F(u64, request) F(text, option))                                               \
    M(SECRET_GIVEN, WIRE_H, F(u64, session) F(u64, request) F(i64, result) F(bytes, value) F(text, reason))          \
    M(SESSION_END, WIRE_L, F(u64, session) F(text, reason))                                                          \
    M(PARK, WIRE_L, F(u32, link) F(text, rule) F(text, reason))                                                      \
    /* How many deliveries of each of its services a link wants to have at once. */                                  \
    M(WINDOW, WIRE_L, F(u32, link) F(i64, deliveries))                                                               \
    /* The link's own steps of `accord probe`; PROBED without a step and `last`: there are none. */                   \
    M(PROBE, WIRE_H, F(u64, probe) F(u32, link))                                                                     \
    M(PROBED, WIRE_L, F(u64, probe) F(text, step) F(i64, result) F(text, text) F(u8, last))                          \
    /* ---- out ---- */                                                                                             \
    /* `patience`: milliseconds until the hub will cancel it */                                                     \
    M(DELIVER, WIRE_H, F(u64, delivery) F(u32, service) F(i64, attempt) F(i64, patience) F(envelope, envelope))      \
    /* session 0: a connector without endpoint; to it payloads of up to WIRE_SMALL bytes come with their DELIVER,    \
     * as if it had asked for all of them. */                                                                        \
    M(PULL, WIRE_L | WIRE_P, F(u64, stream) F(u64, session) F(i64, bytes))                                           \
    M(PIECE, WIRE_H, F(u64, stream) F(u8, last) F(bytes, data))                                                      \
    M(CANCEL, WIRE_H, F(u64, stream))                                                                                \
    M(FINISH, WIRE_L, F(u64, delivery) F(u8, outcome) F(text, reason) F(text, receipt) F(i64, wait))                 \
    /* ---- in: the first OFFER_PULL, of ACCORD_PIECE_MAX, goes without saying for a link's offer of weight 1 ---- */\
    /* session 0: a connector without endpoint, or a command */                                                      \
    M(OFFER, WIRE_L | WIRE_C, F(u64, offer) F(u32, service) F(u64, session) F(text, route) F(text, name)             \
          F(text, source_id) F(i64, size) F(u32, voids) F(u8, has_cursor) F(text, cursor) F(pairs, headers))         \
    M(OFFER_PULL, WIRE_H, F(u64, offer) F(i64, bytes))                                                               \
    M(OFFER_DATA, WIRE_L | WIRE_C, F(u64, offer) F(u8, last) F(bytes, data))                                         \
    M(OFFER_ABORT, WIRE_L, F(u64, offer))                                                                            \
    M(OFFER_DONE, WIRE_H, F(u64, offer) F(u8, admission) F(text, id) F(text, rule) F(text, reason)          \
          F(u32, service))                                                                                           \
    /* A cursor without an offer. `voids`: how many DEFERRED of this service the link has heard of: what it said     \
     * before it heard of the last of them is void. */                                                               \
    M(ADVANCE, WIRE_L, F(u64, request) F(u32, service) F(u32, voids) F(text, cursor))                                \
    M(ADVANCED, WIRE_H, F(u64, request) F(i64, result) F(text, reason))                                              \
    /* Before START: where a receiving service goes on, unless at the beginning. */                                  \
    M(CURSOR, WIRE_H, F(u32, service) F(text, value))                                                                \
    /* ---- policies ---- */                                                                                        \
    M(COMPILE, WIRE_H, F(u32, link))                                                                                 \
    M(PROFILE, WIRE_P, F(u32, link) F(i64, result) F(text, reason) F(pairs, profile))                                \
    /* `service` is NONE for session questions, `facts` empty for message questions */                             \
    M(JUDGE, WIRE_H, F(u64, stream) F(u8, question) F(u32, link) F(u32, service) F(envelope, envelope)               \
          F(pairs, facts))                                                                                           \
    /* `keys`: name is the key, value the module that gave it */                                                    \
    /* milliseconds, 0: not said. `wait`: of a defer; `good_for`: of an allow, the least that a module gave. */     \
    M(VERDICT, WIRE_P, F(u64, stream) F(u8, answer) F(text, module) F(text, rule) F(text, reason) F(i64, wait)       \
          F(i64, good_for) F(pairs, keys))                                                                           \
    /* ---- describe ---- */                                                                                        \
    M(PLUGIN, WIRE_D, F(u8, kind) F(text, name) F(text, version) F(text, summary) F(u32, flags) F(u32, asks)         \
          F(u8, has_check) F(u8, has_profile))                                                                       \
    /* table 0: of the link or module, 1: of the service */                                                         \
    M(OPTION, WIRE_D, F(u8, table) F(text, name) F(u8, kind) F(u32, flags) F(u8, has_fallback) F(text, fallback)     \
          F(i64, min) F(i64, max) F(pairs, choices) F(text, help))                                                   \
    M(DESCRIBED, WIRE_D, F(u8, nothing))                                                                             \
    /* ---- command ---- */                                                                                         \
    M(COMMAND, WIRE_C, F(u32, version) F(text, verb) F(pairs, arguments))                                            \
    M(ROW, WIRE_H, F(text, table) F(pairs, cells))                                                                   \
    M(END, WIRE_H, F(u8, exit) F(text, line))                                                                        \
    /* ---- rules across options, asked of a describing child ---- */                                                \
    /* subject 0: a link, 1: a module; by the number that LINK or MODULE gave it */                                  \
    M(CHECK, WIRE_H, F(u8, subject) F(u32, number))                                                                  \
    M(CHECKED, WIRE_D, F(u8, subject) F(u32, number) F(u8, sound) F(text, reason))

#define WIRE_NONE UINT32_MAX
/* Of one link, open at a time: offers by weight, because the payload of one is kept in memory until it is committed. */
#define WIRE_OFFERS_MAX   1024
#define WIRE_OFFER_HEAVY  16    /* weight of one that announces more than WIRE_SMALL, or no size; of others 1 */
#define WIRE_SMALL        16384 /* bytes of a payload that may be sent without being asked for */
#define WIRE_SESSIONS_MAX 64
#define WIRE_ADVANCES_MAX 64    /* of one service, unanswered */
#define WIRE_PAIRS_MAX   256
#define WIRE_TEXT_MAX    4096
#define WIRE_FRAME_MAX   (ACCORD_PIECE_MAX + 4096)
#define WIRE_DATAGRAM_MAX (ACCORD_PIECE_MAX + 8192)

static inline unsigned wire_offer_weight(int64_t announced)
{
    return announced >= 0 && announced <= WIRE_SMALL ? 1 : WIRE_OFFER_HEAVY;
}

#endif
