/*
 * socketio: the packets of Engine.IO (protocol 4) and in them those of Socket.IO (protocol 5), over whichever
 * transport they come: a WebSocket, or polling.h's pretence of one.
 *
 * A session is opened with an Engine.IO handshake, connects to the namespace "/", and from there on its
 * EVENTs are requests like any other. What cannot be read closes it, as the reference server does.
 */
#ifndef CHAT_SOCKETIO_H
#define CHAT_SOCKETIO_H

#include "chat/session.h"

/* Of an id for a session: 128 random bits in base64url. */
#define SOCKETIO_SID 22

enum socketio_stage {
    SOCKETIO_OPEN,       /* CONNECT is awaited */
    SOCKETIO_CONNECTING, /* the token of a CONNECT is being judged */
    SOCKETIO_CONNECTED,
};

/* Makes an id: 0 or -errno. */
__attribute__((warn_unused_result)) int socketio_make_sid(char sid[SOCKETIO_SID]);

/* Bytes that a packet, or a POST of several, may have. */
uint32_t socketio_max_payload(const struct chat *chat);

/* Begins a session on a connection that is open, with its handshake; sid NULL: one that nobody will have
   to name. */
void socketio_open(struct session *s, const char *sid);

/* A packet has come. */
void socketio_receive(struct session *s, struct slice packet);

/* Answers a CONNECT: it is connected; or it is not, and why, if one was made. */
void socketio_connected(struct session *s);
void socketio_refuse(struct session *s, const char *code, struct slice text);

#endif
