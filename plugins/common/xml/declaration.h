/* The XML declaration (XML 1.0, 2.8): version 1.0, and UTF-8 or its subset US-ASCII as encoding. It is read here and never
 * shown to libxml2, which would switch decoders for it. */
#ifndef XML_DECLARATION_H
#define XML_DECLARATION_H

#include "lexer.h"

/* Whether an instruction has the target "xml", however its letters are written: reserved for the declaration. */
bool declaration_target(const struct lexer_token *);
/* 0, or ACCORD_EFORMAT with `why` set. */
int declaration_check(const struct lexer_token *, char *why, size_t room);

#endif
