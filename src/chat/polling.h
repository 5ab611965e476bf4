/*
 * polling: Engine.IO's requests at /socket.io/: handshakes, long polls, the upgrade to a WebSocket.
 *
 * A session that polls is like any other, but its stream is detached: the frames that are sent to it gather
 * there, and this is the other end, which takes them for the answer of a GET, and gives the
 * packets of a POST to be read. All that holds for a socket, from backpressure to --max-queue, holds so for
 * polling. When the client upgrades, the session takes over the WebSocket's stream with all that
 * still waits, since it waits as frames.
 *
 * The connections that bring the requests are sessions too, which have not opened.
 */
#ifndef CHAT_POLLING_H
#define CHAT_POLLING_H

#include "chat/session.h"

/* Makes chat->polling, which is chat's kind but for the stream's ends, and chat->sids: 0 or -errno. */
__attribute__((warn_unused_result)) int polling_init(struct chat *chat);

/* A request for /socket.io/; allowed: its Origin is. */
void polling_request(struct session *c, const struct http_head *request, bool allowed);

/* Whether it is a WebSocket that asks to be the transport of a session that polls; and what it says. */
bool polling_is_probe(const struct session *s);
void polling_probe(struct session *w, struct slice packet);

/* From the loop: the timer of such a WebSocket; room in the stream of a connection of ours: whether it was
   one; the end of any session. */
void polling_timer(struct session *w);
bool polling_drained(struct session *c);
void polling_closed(struct session *s);

#endif
