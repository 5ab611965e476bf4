/*
 * view: what the devices see, and who is who: for model.c and time.c.
 */
#ifndef MODEL_VIEW_H
#define MODEL_VIEW_H

#include "model.h"

/* The text that is put together for a device; #N# in it is the id of message N, * any rest of a string. */
extern struct buf view_text;

/* The device must see what stands in view_text next; a connection that is closing sees nothing. */
void view_compare(struct model *m, unsigned d);

/* The same with this text. */
__attribute__((format(printf, 3, 4))) void view_see(struct model *m, unsigned d, const char *format,
                                                    ...);

/* The id of a message is learnt when it is first seen: above those before it, below those behind it.
   False: it cannot be this. */
bool view_learn_id(struct model *m, uint32_t number, uint64_t id);

/* Puts a message object behind the text. */
void view_put_message(const struct model *m, uint32_t number);

void view_message(struct model *m, unsigned d, uint32_t number, const char *meta);
void view_info(struct model *m, unsigned d, const char *code, const char *event, const char *ref);

/* Every connection of that user but this one sees the event; who watches him, whether he is there. */
void view_tell(struct model *m, unsigned user, unsigned but, const char *event, unsigned about);
void view_tell_presence(struct model *m, unsigned user);

/* The first message between the two: each hears of the other, if he wants to and he is there. */
void view_meet(struct model *m, unsigned a, unsigned b);

/* The server closes it, or answers its close. */
void view_close(struct model *m, unsigned d, const char *how);

/* The newest message between the two: its number plus 1; 0: none. */
bool model_between(const struct message *message, unsigned a, unsigned b);
uint32_t model_newest(const struct model *m, unsigned a, unsigned b);

/* Whether it is a connection of that user's; how many there are. */
bool model_is_users(const struct model *m, unsigned d, unsigned user);
uint32_t model_connections(const struct model *m, unsigned user);

#endif
