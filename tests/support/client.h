/*
 * client: a WebSocket client for the api tests, on a blocking socket with deadlines, independent of
 * the code under test. What goes wrong fails the test with a message.
 */
#ifndef SUPPORT_CLIENT_H
#define SUPPORT_CLIENT_H

#include "base/slice.h"
#include "server.h"

struct client {
    int fd;
    int patience_ms;    /* how long anything may take; 0: DEADLINE_MS */
    void (*pump)(void); /* runs a server in this process while it waits; NULL: there is none */
    uint8_t *in;        /* received, not looked at yet */
    size_t in_n, in_cap;
    size_t taken; /* bytes of the frame that client_frame handed out, still at the front */
    char *text;   /* the last text message, terminated */
    size_t text_n;
    int code; /* of the close that was received; 0: none; 1006: ended without one */
    char reason[128];
};

/* Connects to a port of 127.0.0.1 and sends nothing. */
void client_connect(struct client *c, uint16_t port);

/* The same to a unix socket; and waits until the server has read all that was sent there. */
void client_connect_unix(struct client *c, const char *path);
void client_wait_taken(const struct client *c);

/* Connects and upgrades /chat. */
void client_open(struct client *c, uint16_t port);

/* The upgrade alone, on a socket that is connected; its request, and its answer. */
void client_upgrade(struct client *c);
extern const char client_request[];
void client_expect_upgrade(struct client *c);

/* client_open, and registers as that user. */
void client_open_as(struct client *c, const struct server *s, const char *user);

/* Sends bytes as they are; one text frame; a frame with a first byte of one's own. */
void client_send_raw(struct client *c, const void *p, size_t n);
void client_send(struct client *c, const char *text);
void client_send_frame(struct client *c, uint8_t first_byte, const void *p, size_t n);
__attribute__((format(printf, 2, 3))) void client_sendf(struct client *c, const char *format, ...);

/* Reads the next frame of any kind; its payload is good until the next call. False: the end came. */
bool client_frame(struct client *c, uint8_t *first, struct slice *payload);

/* Whether a whole frame has come already. */
bool client_has(struct client *c);

/* Reads the next text message: true; or false when a close or the end came instead (see `code`).
   Pings are answered. */
bool client_receive(struct client *c);

/* The next text message must be this one, where a star stands for anything; or the close this. */
void client_expect(struct client *c, const char *pattern);
void client_expect_close(struct client *c, int code);

/* Whether text is what the pattern says. */
bool matches(const char *pattern, const char *text);

/* That nothing but what answers this request has come: sends an unknown event with a ref of its own
   and expects its answer next. */
void client_expect_nothing(struct client *c);

/* Reads until the peer closes: everything, terminated, in c->text. */
void client_read_all(struct client *c);

/* One HTTP request (head as it is, with its empty line): the whole answer; freed by client_close. */
const char *client_http(struct client *c, uint16_t port, const char *request);

void client_close(struct client *c);

#endif
