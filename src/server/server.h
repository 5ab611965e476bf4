/*
 * server: the parts put together: loop, listeners, chat, pages. It has no global state and handles
 * no signal; main.c does.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "base/exit.h"
#include "chat/chat.h"
#include "net/listener.h"
#include "server/config.h"

/* Bytes of prepared space that are written at a time. */
#define SERVER_PREPARE (1u << 20)

/* How long the last client that was told to go has to take his leave. */
#define SERVER_LEAVE_MS WEBSOCKET_CLOSE_MS

struct server {
    const struct config *config;
    struct log log;
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
    size_t most_memory;   /* of streams.memory since it was last given back */
    bool draining;
    int64_t drain_until; /* of loop.now */
    int64_t started;     /* of loop.now */
};

/* Why it did not start. */
struct server_error {
    char text[1024];
};

/* Opens everything and prints the ready lines. EXIT_CLEAN, or the exit status with *error. */
__attribute__((warn_unused_result)) enum exit_status
server_open(struct server *server, const struct config *config, struct server_error *error);

/* Serves until server_drain has been called and every client is gone. 0 or -errno. */
__attribute__((warn_unused_result)) int server_run(struct server *server);

/* Stops accepting and takes leave of the clients; a second call ends it at once. */
void server_drain(struct server *server);

/* Reads the secret file again; a file that is no good changes nothing but the log. */
void server_reload(struct server *server);

/* Commits what is pending and closes all. The store's failure is the exit status: EXIT_IO. */
enum exit_status server_close(struct server *server);

#endif
