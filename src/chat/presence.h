/*
 * presence: whose coming and going a session wants to hear of.
 *
 * A watched user has an entry in the hub, be he there or not, and it begins a list of those who watch
 * him: so that a change costs what its watchers cost. Each watched id takes 8 bytes of the session's.
 * Only who has a conversation with him is told.
 */
#ifndef CHAT_PRESENCE_H
#define CHAT_PRESENCE_H

#include "chat/session.h"

#define PRESENCE_MAX 256 /* ids of one session */

/* Forgets the session's list, and makes room for n ids. -ENOMEM. */
__attribute__((warn_unused_result)) int presence_begin(struct session *s, uint32_t n);

/* Watches one more: 1; 0: it is on the list already; -ENOMEM. */
__attribute__((warn_unused_result)) int presence_add(struct session *s, struct slice id);

/* Forgets the list. */
void presence_end(struct session *s);

/* Writes into chat->text what that session is told of this user. */
void presence_write(struct session *s, struct slice id);

/* He has come, or gone: his watchers are told. */
void presence_changed(struct chat *chat, const struct online *user);

#endif
