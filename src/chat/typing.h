/*
 * typing: who writes to whom, so that it ends by itself: with the writer's connection, or 30 s after his
 * last startWriting. Who does not write pays for nothing.
 */
#ifndef CHAT_TYPING_H
#define CHAT_TYPING_H

#include "chat/session.h"

#define TYPING_MS 30000
/* Correspondents that one connection writes to at a time; one more, and the oldest is left. */
#define TYPING_MAX 4

/* Tells the correspondent, and remembers it. */
void typing_begin(struct session *s, struct slice to);

/* Tells the correspondent, whether he was told of the beginning or not. */
void typing_end(struct session *s, struct slice to);

/* The connection ends. */
void typing_end_all(struct session *s);

/* A timer of the chat's: those that are due end. */
void typing_timer(struct source *s);

#endif
