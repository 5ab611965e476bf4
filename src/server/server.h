/*
 * server: the parts put together: loop, listeners, chat, pages. It has no global state and touches
 * nothing of the process: parleyd's own, its signals and what it gives up, is main.c's; another program's
 * is its own (parley.c).
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "base/exit.h"
#include "chat/chat.h"
#include "net/listener.h"
#include "server/config.h"

/* Bytes of prepared space that are written at a time. A MiB would cost small batches 3 % less, and hold one
   of them up for 0.8 ms instead of 0.3. */
#define SERVER_PREPARE (256u << 10)
/* Bytes of the newest records that stay in memory, at most; up to twice as many. */
#define SERVER_RECENT (4u << 20)

/* How long the last client that was told to go has to take his leave. */
#define SERVER_LEAVE_MS WEBSOCKET_CLOSE_MS

struct server {
    const struct config *config; /* the owner's, like the log */
    struct log log;
    struct chat_hooks hooks; /* likewise; ctx is the server */
    /* Answers requests for paths that are not the server's own, or leaves them; NULL: nobody does. */
    void (*on_request)(struct server *server, struct websocket *ws,
                       const struct http_head *request);
    char secret_path[4096];
    struct loop loop;
    struct stream_set streams;
    struct disk disk;
    struct chat chat;
    struct websocket_kind admin_kind; /* connections of the admin listener */
    struct list admin_open;
    uint8_t door_token[SHA256_SIZE]; /* what the token of --admin-token-file signs */
    struct listener listeners[ARGS_LIST_MAX];
    size_t listeners_n;
    struct listener admin;
    uint32_t max_connections;
    uint64_t turned_away; /* with 503 */
    bool draining;
    struct source drain_end;
    int64_t drain_until; /* of loop.now */
    int64_t started;     /* of loop.now */
};

/* Why it did not start. */
struct server_error {
    char text[1024];
};

/* Fills it in; returns the status. */
__attribute__((format(printf, 3, 4))) enum exit_status
server_fail(struct server_error *error, enum exit_status status, const char *format, ...);

/*
 * The steps of the start, in this order, on a zeroed struct with what is the owner's: EXIT_CLEAN, or the exit
 * status with *error. Behind all of them, and behind one that failed, comes server_close.
 *
 *   server_listen     opens the loop and the listeners: a process may give up root's rights behind it
 *   server_open_data  the data directory and its token: it may confine itself behind it
 *   server_open_log   reads the log, starts the threads: now server_turn serves
 */
__attribute__((warn_unused_result)) enum exit_status server_listen(struct server *server,
                                                                   struct server_error *error);
__attribute__((warn_unused_result)) enum exit_status server_open_data(struct server *server,
                                                                      struct server_error *error);
__attribute__((warn_unused_result)) enum exit_status server_open_log(struct server *server,
                                                                     struct server_error *error);

/* A turn of the loop; waits at most max_ms (-1: without limit). 1; 0: server_drain has been called, and
   every client is gone; or -errno. */
__attribute__((warn_unused_result)) int server_turn(struct server *server, int max_ms);

/* Stops accepting and takes leave of the clients; a second call ends it with the next turn. */
void server_drain(struct server *server);

/* Reads the secret file again; a file that is no good changes nothing but the log. */
void server_reload(struct server *server);

/* Commits what is pending and closes all. The store's failure is the exit status: EXIT_IO. */
enum exit_status server_close(struct server *server);

#endif
