/*
 * answer: an answer of many parts, produced at the reader's pace.
 *
 * A page of a conversation is one frame of up to 4 MiB, snippets and what was missed are a frame each
 * message; all are read from the store as the client takes them, so that they cost no memory. Meanwhile no further request
 * of that connection is read, and what else is sent to it is held back until the answer is through.
 */
#ifndef CHAT_ANSWER_H
#define CHAT_ANSWER_H

#include "chat/session.h"

/* The "OK" of a registration: at once, or as the first part of an answer in which all messages follow
   whose ids are above `since`. Since it holds from here on, the others come live behind it. */
void answer_registered(struct session *s, struct slice ref);
void answer_resumed(struct session *s, uint64_t since, struct slice ref);

/* Begins an answer. A store that cannot be read closes the connection with 1011. */
void answer_page(struct session *s, struct slice correspondent, uint64_t before, uint32_t limit,
                 struct slice ref);
void answer_snippets(struct session *s, struct slice ref);

/* Goes on; called when little is queued. */
void answer_continue(struct session *s);

/* Goes on with those that waited for the disk. */
void answer_continue_waiting(struct chat *chat);

/* Whether a frame is half sent, so that no other one can be. */
bool answer_is_in_frame(const struct session *s);

/* Forgets the answer, if there is one. */
void answer_free(struct session *s);

#endif
