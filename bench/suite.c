#include "suite.h"

#include <stdio.h>
#include <string.h>

/* ---- who --------------------------------------------------------------------------------- */

#define SOCKETIO_PATH "/socket.io/?EIO=4&transport=websocket"
#define NODE_JS "@node_modules/.bin/node"
#define BUN_JS "@node_modules/.bin/bun"
#define OVER(how, of, ...) .sort = of, .protocol = how, .path = "/", .command = {__VA_ARGS__}
#define ECHO(...) OVER("ws", CONTENDER_ECHO, __VA_ARGS__)
#define DURABLE(...) OVER("ws", CONTENDER_DURABLE, __VA_ARGS__)
#define MEMORY(...) OVER("ws", CONTENDER_MEMORY, __VA_ARGS__)
#define SOCKETIO_CHAT(of, data, sync)                          \
    .sort = of, .protocol = "socketio", .path = SOCKETIO_PATH, \
    .command = {NODE_JS, "@chat.mjs", data, "$secret", sync, "socketio"}
#define PARLEYD(of, ...)                                                            \
    .sort = of, .protocol = "ws", .path = "/chat",                                  \
    .command = {"%parleyd", "--listen",    "127.0.0.1:0", "--secret-file",          \
                "$secret",  "--rate",      "0",           "--max-user-connections", \
                "1000",     "--log-level", "warn",        __VA_ARGS__}
/* What it does with full files of the log later is no cost of a message, and one log has many of them. */
#define STORED(data) \
    PARLEYD(CONTENDER_STORED, "--data", data, "--sync", "none", "--arrange-segments", "no")

struct contender suite_contenders[SUITE_CONTENDERS] = {
    [PARLEY] = {"parley", ECHO("%ws-echo", "--listen", "127.0.0.1:0")},
    [FLOOR_WS] = {"floor: fixed frames", ECHO("%floor-bench", "ws")},
    [FLOOR_TCP] = {"floor: bare TCP", OVER("tcp", CONTENDER_ECHO, "%floor-bench", "tcp")},
    [BUN] = {"Bun (uWebSockets)", ECHO(BUN_JS, "@echo-bun.mjs")},
    [LWS] = {"libwebsockets", ECHO("@echo-lws")},
    [NODE_WS] = {"ws on Node", ECHO(NODE_JS, "@echo-ws.mjs")},
    [SOCKETIO] = {"Socket.IO on Node", .sort = CONTENDER_ECHO, .protocol = "socketio",
                  .path = SOCKETIO_PATH, .command = {NODE_JS, "@echo-socketio.mjs"}},
    [PARLEY_DURABLE] = {"parley, durable",
                        PARLEYD(CONTENDER_DURABLE, "--data", "$durable", "--sync", "always")},
    [FLOOR_DURABLE] = {"floor: overwrite, sync, pass on",
                       OVER("tcp", CONTENDER_DURABLE, "%floor-bench", "chat", "$blocks")},
    [BUN_DURABLE] = {"Bun + SQLite, durable",
                     DURABLE(BUN_JS, "@chat.mjs", "$bun-full.db", "$secret", "full")},
    [NODE_DURABLE] = {"Node + ws + SQLite, durable",
                      DURABLE(NODE_JS, "@chat.mjs", "$node-full.db", "$secret", "full")},
    [SOCKETIO_DURABLE] = {"Socket.IO + SQLite, durable",
                          SOCKETIO_CHAT(CONTENDER_DURABLE, "$socketio-full.db", "full")},
    [PARLEY_MEMORY] = {"parley, --sync none",
                       PARLEYD(CONTENDER_MEMORY, "--data", "$memory", "--sync", "none")},
    [FLOOR_MEMORY] = {"floor: 1 recv, 2 sends",
                      OVER("tcp", CONTENDER_MEMORY, "%floor-bench", "chat")},
    [FLOOR_REGISTER] = {"floor: handshake, one HMAC", MEMORY("%floor-bench", "register")},
    [BUN_MEMORY] = {"Bun + SQLite, sync off",
                    MEMORY(BUN_JS, "@chat.mjs", "$bun-off.db", "$secret", "off")},
    [NODE_MEMORY] = {"Node + ws + SQLite, sync off",
                     MEMORY(NODE_JS, "@chat.mjs", "$node-off.db", "$secret", "off")},
    [SOCKETIO_MEMORY] = {"Socket.IO + SQLite, sync off",
                         SOCKETIO_CHAT(CONTENDER_MEMORY, "$socketio-off.db", "off")},
    [PARLEY_EMPTY] = {"parley, empty log", STORED("$empty")},
    [PARLEY_FULL] = {"parley, long log", STORED("$full")},
    [DISK] = {"write + fdatasync", OVER("none", CONTENDER_DISK, NULL)},
};

/* The first one is. */
enum suite_contender suite_ours(size_t i)
{
    enum suite_contender own = PARLEY;
    while (suite_contenders[own].sort != suite_contenders[i].sort)
        own++;
    return own;
}

/* ---- what is measured -------------------------------------------------------------------- */

#define ECHO_NEAR (OF(PARLEY) | OF(FLOOR_WS) | OF(BUN))
#define ECHO_ALL (ECHO_NEAR | OF(FLOOR_TCP) | OF(LWS) | OF(NODE_WS) | OF(SOCKETIO))
#define ALL_DURABLE (OF(PARLEY_DURABLE) | OF(BUN_DURABLE) | OF(NODE_DURABLE))
#define ALL_MEMORY (OF(PARLEY_MEMORY) | OF(BUN_MEMORY) | OF(NODE_MEMORY))
#define RETURNED(n, deep, bytes) \
    .m = {.mode = "echo", .series = "echoed", .connections = n, .pipeline = deep, .size = bytes}
#define CHATTED(n, ...) .m = {.mode = "chat", .series = "delivered", .connections = n, __VA_ARGS__}
#define CONNECTED .m = {.mode = "connect", .series = "connected", .connections = 10}
#define SYNCED(how) .m = {.mode = how, .series = "synced"}

/* A ping each: after 25 s of silence a client gets one. */
#define PING_SECONDS 25

const struct suite_cell suite_cells[SUITE_CELLS] = {
    [ECHO_20_100] = {"echo, 20 B, 100 connections", ECHO_ALL, RETURNED(100, 1, 20)},
    [ECHO_20_100_16] = {"echo, 20 B, 100 x 16 in flight", ECHO_ALL, RETURNED(100, 16, 20)},
    [ECHO_20_1000] = {"echo, 20 B, 1000 connections", ECHO_NEAR, RETURNED(1000, 1, 20),
                      .large = true},
    [ECHO_20_1000_16] = {"echo, 20 B, 1000 x 16 in flight", ECHO_NEAR, RETURNED(1000, 16, 20),
                         .large = true},
    [ECHO_20_10000] = {"echo, 20 B, 10,000 connections", ECHO_NEAR, RETURNED(10000, 1, 20),
                       .large = true},
    [ECHO_20_10000_16] = {"echo, 20 B, 10,000 x 16 in flight", ECHO_NEAR, RETURNED(10000, 16, 20),
                          .large = true},
    [ECHO_1K_100] = {"echo, 1 KiB, 100 connections", ECHO_NEAR, RETURNED(100, 1, 1024)},
    [ECHO_1K_100_16] = {"echo, 1 KiB, 100 x 16 in flight", ECHO_NEAR, RETURNED(100, 16, 1024),
                        .large = true},
    [ECHO_1K_10000] = {"echo, 1 KiB, 10,000 connections", ECHO_NEAR, RETURNED(10000, 1, 1024),
                       .large = true},
    [ECHO_OPEN] = {"echo, 20 B, 10,000 a second", ECHO_NEAR | OF(NODE_WS),
                   .m = {.mode = "echo", .series = "echoed", .connections = 100, .rate = 10000}},
    [DISK_GROWING] = {"write + fdatasync, a file grows", OF(DISK), SYNCED("append")},
    [DISK_OVERWRITING] = {"write + fdatasync, overwriting", OF(DISK), SYNCED("overwrite")},
    [CHAT_ONE] = {"chat, one writes to another", ALL_DURABLE | OF(FLOOR_DURABLE),
                  CHATTED(2, .active = 1)},
    [CHAT_100] = {"chat, 100 pairs",
                  ALL_DURABLE | ALL_MEMORY | OF(FLOOR_MEMORY) | OF(SOCKETIO_DURABLE) |
                      OF(SOCKETIO_MEMORY),
                  CHATTED(200)},
    [CHAT_50_16] = {"chat, 50 pairs x 16 in flight",
                    ALL_DURABLE | OF(PARLEY_MEMORY) | OF(SOCKETIO_DURABLE),
                    CHATTED(100, .pipeline = 16)},
    [CHAT_1000] = {"chat, 1000 pairs", ALL_DURABLE | OF(PARLEY_MEMORY), CHATTED(2000),
                   .large = true},
    [CHAT_OPEN] = {"chat, 1000 a second", ALL_DURABLE, CHATTED(100, .rate = 1000)},
    [CHAT_OPEN_10000] = {"chat, 10,000 a second", OF(PARLEY_DURABLE), CHATTED(100, .rate = 10000)},
    [CHAT_50] = {"chat, 50 pairs", OF(PARLEY_MEMORY) | OF(PARLEY_EMPTY) | OF(PARLEY_FULL),
                 CHATTED(100)},
    [CHAT_50_IDLE] = {"chat, 50 pairs of 15,000 connections", OF(PARLEY_MEMORY),
                      CHATTED(15000, .active = 100), .large = true},
    [MIXED] = {"a mixed day, 1000 users", OF(PARLEY_DURABLE),
               .m = {.mode = "mixed", .series = "delivered", .connections = 1000, .rate = 1000},
               .large = true},
    [FAN_OUT] = {"fan-out, 20 devices", ALL_DURABLE,
                 .m = {.mode = "fan-out", .series = "delivered", .connections = 21, .pipeline = 4}},
    [HISTORY] = {"history, pages of 50", ALL_MEMORY,
                 .m = {.mode = "history", .series = "pages", .connections = 10, .size = 100}},
    [CONNECT] = {"connect", ECHO_NEAR | OF(NODE_WS), CONNECTED},
    [REGISTER] = {"connect and register", ALL_MEMORY | OF(FLOOR_REGISTER), CONNECTED},
    [IDLE] = {"idle connection", OF(PARLEY) | OF(BUN) | OF(LWS) | OF(NODE_WS),
              .m = {.mode = "idle"}, .fresh = true},
    [IDLE_REGISTERED] = {"idle registered connection",
                         OF(PARLEY_EMPTY) | OF(BUN_DURABLE) | OF(NODE_DURABLE),
                         .m = {.mode = "idle"}, .fresh = true},
    [IDLE_PINGS] = {"10,000 idle connections, pings", OF(PARLEY_EMPTY),
                    .m = {.mode = "idle", .connections = 10000, .seconds = PING_SECONDS},
                    .large = true, .fresh = true},
};

_Static_assert(SUITE_CELLS <= 32 && SUITE_CONTENDERS <= 32, "sets of them are 32 bits");

bool suite_takes_part(const struct suite *s, size_t cell, size_t i)
{
    return s->there[i] && suite_cells[cell].who & OF(i) && !(s->quick && suite_cells[cell].large);
}

/* ---- what is asked for ------------------------------------------------------------------- */

#define ECHO_CELLS                                                                     \
    (OF(ECHO_20_100) | OF(ECHO_20_100_16) | OF(ECHO_20_1000) | OF(ECHO_20_1000_16) |   \
     OF(ECHO_20_10000) | OF(ECHO_20_10000_16) | OF(ECHO_1K_100) | OF(ECHO_1K_100_16) | \
     OF(ECHO_1K_10000))
#define RATE .field = SUITE_FIELD(per_second), .label = "", .unit = "/s"
#define CPU .field = SUITE_FIELD(cpu_us), .label = ": CPU", .unit = "us"
#define USER .field = SUITE_FIELD(user_us), .label = ": user space", .unit = "us"
#define LATENCY(number, name) \
    .field = SUITE_FIELD(latency_us) + (number) * sizeof(double), .label = name, .unit = "us"
#define DISK_LATENCY(number, cell, text) \
    .peer = DISK, .peer_cell = cell,     \
    .peer_field = SUITE_FIELD(latency_us) + (number) * sizeof(double), .peer_text = text
#define MEMORY_EACH .field = SUITE_FIELD(pss_each), .label = "", .unit = "B"
#define AT_LEAST(x) .goal = SCORE_RATIO_MIN, .bound = x
#define AT_MOST(x) .goal = SCORE_RATIO_MAX, .bound = x

const struct suite_goal suite_goals[] = {
    {"Echo: at the floor, ahead of Bun, in which uWebSockets is (there is none for C on npm)",
     ECHO_CELLS, PARLEY, RATE, .peer = FLOOR_WS, AT_LEAST(0.95)},
    {NULL, ECHO_CELLS, PARLEY, RATE, .peer = BUN, AT_LEAST(1)},
    {NULL, ECHO_CELLS, PARLEY, CPU, .peer = BUN, AT_MOST(1.02)},
    {"System calls of an echoed message, by strace", OF(ECHO_20_100), PARLEY,
     SUITE_FIELD(transfers), .label = ": recv, send", .unit = "", .goal = SCORE_VALUE_MAX,
     .bound = 2.1, .peer = FLOOR_WS},
    {NULL, OF(ECHO_20_100), PARLEY, SUITE_FIELD(calls), .label = ": all", .unit = "",
     .peer = FLOOR_WS},
    {NULL, OF(ECHO_20_100_16), PARLEY, SUITE_FIELD(calls), .label = ": all", .unit = "",
     .goal = SCORE_VALUE_MAX, .bound = 0.2, .peer = FLOOR_WS},
    {"Chat in memory: the server's CPU for a message", OF(CHAT_100), PARLEY_MEMORY, CPU,
     .peer = FLOOR_MEMORY, AT_MOST(1.15)},
    {NULL, OF(CHAT_100), PARLEY_MEMORY, USER, .goal = SCORE_VALUE_MAX, .bound = 0.5},
    {"Chat, durable: beside itself without waiting for the disk, and the SQLite peers",
     OF(CHAT_100) | OF(CHAT_50_16) | OF(CHAT_1000), PARLEY_DURABLE, RATE, .peer = PARLEY_MEMORY,
     AT_LEAST(0.9)},
    {NULL, OF(CHAT_50_16), PARLEY_DURABLE, RATE, .peer = NODE_DURABLE, AT_LEAST(100)},
    {NULL, OF(CHAT_1000), PARLEY_DURABLE, RATE, .peer = NODE_DURABLE, AT_LEAST(15)},
    {"Latency of one message alone, durable", OF(CHAT_ONE), PARLEY_DURABLE, LATENCY(P50, ": p50"),
     .peer = FLOOR_DURABLE, AT_MOST(1.2)},
    {NULL, OF(CHAT_ONE), PARLEY_DURABLE, LATENCY(P50, ": p50"), .peer = BUN_DURABLE, AT_MOST(1)},
    {"Latency at a fixed rate, durable, and what the disk alone does", OF(CHAT_OPEN_10000),
     PARLEY_DURABLE, LATENCY(P99, ": p99"),
     DISK_LATENCY(P50, DISK_GROWING, "write + fdatasync, a file grows: p50"), AT_MOST(3)},
    {NULL, OF(CHAT_OPEN_10000), PARLEY_DURABLE, LATENCY(P99, ": p99"),
     DISK_LATENCY(P99, DISK_GROWING, "write + fdatasync, a file grows: p99")},
    {NULL, OF(CHAT_OPEN_10000), PARLEY_DURABLE, LATENCY(P99, ": p99"), .peer = FLOOR_WS,
     .peer_cell = ECHO_OPEN, .peer_text = "floor: echo at that rate: p99"},
    {NULL, OF(DISK_GROWING), DISK, LATENCY(P99, ": p99"),
     DISK_LATENCY(P50, DISK_GROWING, "write + fdatasync, a file grows: p50")},
    {NULL, OF(DISK_OVERWRITING), DISK, LATENCY(P99, ": p99"),
     DISK_LATENCY(P50, DISK_OVERWRITING, "write + fdatasync, overwriting: p50")},
    {"History: messages in pages, and pages", OF(HISTORY), PARLEY_MEMORY, SUITE_FIELD(per_second),
     50, ": messages", "/s", .goal = SCORE_VALUE_MIN, .bound = 100000},
    {NULL, OF(HISTORY), PARLEY_MEMORY, RATE, .peer = BUN_MEMORY, AT_LEAST(5)},
    {NULL, OF(HISTORY), PARLEY_MEMORY, RATE, .peer = NODE_MEMORY, AT_LEAST(5)},
    {"Connections: opened and registered; idle, with a ping each in 25 s; the memory of an idle "
     "one",
     OF(REGISTER), PARLEY_MEMORY, RATE, .peer = FLOOR_REGISTER, AT_LEAST(0.8)},
    {NULL, OF(IDLE_PINGS), PARLEY_EMPTY, SUITE_FIELD(cpu_percent), .label = ": CPU", .unit = "%",
     .goal = SCORE_VALUE_MAX, .bound = 1},
    {NULL, OF(IDLE_REGISTERED), PARLEY_EMPTY, MEMORY_EACH, .goal = SCORE_VALUE_MAX, .bound = 200,
     .peer = BUN_DURABLE},
    {NULL, OF(IDLE_REGISTERED), PARLEY_EMPTY, MEMORY_EACH, .peer = NODE_DURABLE},
    {NULL, OF(IDLE), PARLEY, MEMORY_EACH, .peer = BUN},
    {"Growth: CPU of a message beside 15,000 connections instead of 100, and after a long log",
     OF(CHAT_50_IDLE), PARLEY_MEMORY, CPU, .peer = PARLEY_MEMORY, .peer_cell = CHAT_50,
     .peer_text = "100 connections", AT_MOST(1.05)},
    {NULL, OF(CHAT_50), PARLEY_FULL, SUITE_FIELD(cpu_us), .label = ", 10^7 stored: CPU",
     .unit = "us", .peer = PARLEY_EMPTY, AT_MOST(1.05)},
};
const size_t suite_goals_n = sizeof suite_goals / sizeof *suite_goals;
