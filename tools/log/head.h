/*
 * head: where a segment begins whose head is lost.
 *
 * Segments adjoin: the one in front or the one behind tells where this one begins, and a record that is
 * valid there proves it. A server, which starts on no log that is damaged, has no use for it.
 */
#ifndef LOG_HEAD_H
#define LOG_HEAD_H

#include "store/walk.h"

/* A walk_handler's lost_head; ctx is not used. */
enum store_status head_guess(void *ctx, const struct walk *w, uint64_t *base);

#endif
