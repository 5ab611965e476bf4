#include "suite.h"

#include <string.h>

#define SOCKETIO_PATH "/socket.io/?EIO=4&transport=websocket"
#define NODE "@node_modules/.bin/node"
#define BUN "@node_modules/.bin/bun"
#define PARLEYD(data, sync)                                                                        \
    {                                                                                              \
        "%parleyd", "--listen", "127.0.0.1:0", "--data", data, "--secret-file", "$secret",         \
            "--rate", "0", "--max-user-connections", "1000", "--log-level", "warn", "--sync", sync \
    }

struct contender suite_contenders[SUITE_CONTENDERS] = {
    {"parley", CONTENDER_ECHO, false, "ws", "/", {"%ws-echo", "--listen", "127.0.0.1:0"}, 0, ""},
    {"floor: fixed frames", CONTENDER_ECHO, true, "ws", "/", {"%floor-bench", "ws"}, 0, ""},
    {"floor: bare TCP", CONTENDER_ECHO, true, "tcp", "/", {"%floor-bench", "tcp"}, 0, ""},
    {"Bun (uWebSockets)", CONTENDER_ECHO, false, "ws", "/", {BUN, "@echo-bun.mjs"}, 0, ""},
    {"libwebsockets", CONTENDER_ECHO, false, "ws", "/", {"@echo-lws"}, 0, ""},
    {"ws on Node", CONTENDER_ECHO, false, "ws", "/", {NODE, "@echo-ws.mjs"}, 0, ""},
    {"Socket.IO on Node",
     CONTENDER_ECHO,
     false,
     "socketio",
     SOCKETIO_PATH,
     {NODE, "@echo-socketio.mjs"},
     0,
     ""},
    {"parley, durable", CONTENDER_DURABLE, false, "ws", "/chat", PARLEYD("$durable", "always"), 0,
     ""},
    {"Bun + SQLite, durable",
     CONTENDER_DURABLE,
     false,
     "ws",
     "/",
     {BUN, "@chat.mjs", "$bun-full.db", "$secret", "full"},
     0,
     ""},
    {"Node + ws + SQLite, durable",
     CONTENDER_DURABLE,
     false,
     "ws",
     "/",
     {NODE, "@chat.mjs", "$node-full.db", "$secret", "full"},
     0,
     ""},
    {"parley, --sync none", CONTENDER_MEMORY, false, "ws", "/chat", PARLEYD("$memory", "none"), 0,
     ""},
    {"Bun + SQLite, sync off",
     CONTENDER_MEMORY,
     false,
     "ws",
     "/",
     {BUN, "@chat.mjs", "$bun-off.db", "$secret", "off"},
     0,
     ""},
    {"Node + ws + SQLite, sync off",
     CONTENDER_MEMORY,
     false,
     "ws",
     "/",
     {NODE, "@chat.mjs", "$node-off.db", "$secret", "off"},
     0,
     ""},
};

#define CHAT (CONTENDER_DURABLE | CONTENDER_MEMORY)

const struct suite_cell suite_cells[SUITE_CELLS] = {
    {"echo, 20 B, 100 connections",
     {"echo", "echoed", 100, 1, 20, 0, 0, false},
     CONTENDER_ECHO,
     false,
     "Bun",
     1,
     0},
    {"echo, 20 B, 100 x 16 in flight",
     {"echo", "echoed", 100, 16, 20, 0, 0, false},
     CONTENDER_ECHO,
     false,
     "Bun",
     1,
     0},
    {"echo, 1 KiB, 100 connections",
     {"echo", "echoed", 100, 1, 1024, 0, 0, false},
     CONTENDER_ECHO,
     false,
     "Bun",
     1,
     0},
    {"echo, 20 B, 1000 connections",
     {"echo", "echoed", 1000, 1, 20, 0, 0, false},
     CONTENDER_ECHO,
     true,
     "Bun",
     1,
     0},
    {"echo, 20 B, 9000 connections",
     {"echo", "echoed", 9000, 1, 20, 0, 0, false},
     CONTENDER_ECHO,
     true,
     "Bun",
     1,
     0},
    {"echo, 20 B, 5000 a second",
     {"echo", "echoed", 100, 1, 20, 5000, 0, false},
     CONTENDER_ECHO,
     false,
     NULL,
     0,
     0},
    {"chat, one pair", {"chat", "delivered", 2, 1, 20, 0, 0, false}, CHAT, false, "Bun", 1, 0},
    {"chat, 100 pairs", {"chat", "delivered", 200, 1, 20, 0, 0, false}, CHAT, false, NULL, 0, 0},
    {"chat, 50 pairs x 16 in flight",
     {"chat", "delivered", 100, 16, 20, 0, 0, false},
     CHAT,
     false,
     "Node",
     100,
     0},
    {"chat, 1000 pairs",
     {"chat", "delivered", 2000, 1, 20, 0, 0, false},
     CHAT,
     true,
     "Node",
     15,
     0},
    {"chat, 1000 a second",
     {"chat", "delivered", 100, 1, 20, 1000, 0, false},
     CHAT,
     false,
     NULL,
     0,
     0},
    {"chat, 10000 a second",
     {"chat", "delivered", 100, 1, 20, 10000, 0, false},
     CONTENDER_DURABLE,
     false,
     SUITE_OWN,
     3,
     P99},
    {"a mixed day, 1000 users",
     {"mixed", "delivered", 1000, 1, 20, 1000, 0, false},
     CHAT,
     true,
     SUITE_OWN,
     0,
     0},
    {"fan-out, 20 devices",
     {"fan-out", "delivered", 21, 4, 20, 0, 0, false},
     CHAT,
     false,
     NULL,
     0,
     0},
    {"history, pages of 50",
     {"history", "pages", 10, 1, 100, 0, 0, false},
     CONTENDER_MEMORY,
     false,
     "SQLite",
     5,
     0},
    {"connect",
     {"connect", "connected", 10, 1, 20, 0, 0, false},
     CONTENDER_ECHO,
     false,
     NULL,
     0,
     0},
    {"connect and register",
     {"connect", "connected", 10, 1, 20, 0, 0, false},
     CONTENDER_MEMORY,
     false,
     NULL,
     0,
     0},
};

/* The first one is. */
size_t suite_ours(size_t i)
{
    size_t own = 0;
    while (suite_contenders[own].sort != suite_contenders[i].sort)
        own++;
    return own;
}

/* Of the protocols of echo servers, WebSockets alone are connected to again and again. */
bool suite_takes_part(const struct suite *s, size_t cell, size_t i)
{
    const struct contender *c = &suite_contenders[i];
    const char *mode = suite_cells[cell].m.mode;
    if (!s->there[i] || !(suite_cells[cell].sorts & (int)c->sort) ||
        (s->quick && suite_cells[cell].large))
        return false;
    if (strcmp(mode, "connect") == 0)
        return strcmp(c->protocol, "ws") == 0;
    return !suite_cells[cell].peer || strcmp(suite_cells[cell].peer, SUITE_OWN) != 0 ||
           suite_ours(i) == i;
}
