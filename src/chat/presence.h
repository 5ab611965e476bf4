/*
 * presence: whose coming and going a session wants to hear of.
 *
 * Only who has a conversation with somebody is told of him. Each watched id takes 8 bytes of the
 * session's: a link in the list of all who watch that user, so that a change costs what its watchers cost;
 * or, of a stranger, a hash of the name, 63 bits of two keyed ones, which the first message between the
 * two turns into a link. Where the lists begin is a table of 4 bytes for each user of the store, up to
 * the one with the highest number that was watched, at most doubled.
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

/* Whether anybody has ever watched. */
static inline bool presence_is_used(const struct chat *chat)
{
    return chat->hub.watchers;
}

/* The first message between the two is committed: if they watch each other and are there, they are told. */
void presence_met(struct chat *chat, struct slice a, struct slice b);

/* His conversations are about to be erased: his watchers hear that he is gone, and are strangers. */
void presence_erased(struct chat *chat, struct slice user);

/* They are not erased after all: his watchers hear of him as before. */
void presence_kept(struct chat *chat, struct slice user);

#endif
