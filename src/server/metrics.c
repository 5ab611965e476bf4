#include "server/metrics.h"

#include "base/version.h"
#include "server/server.h"

struct metric {
    const char *name, *type, *help;
    uint64_t value;
};

void metrics_write(struct buf *out, const struct server *server)
{
    const struct chat_stats *chat = &server->chat.stats;
    const struct stream_set *streams = &server->streams;
    struct store_stats store;
    uint64_t rests = server->admin.rests;
    for (size_t i = 0; i < server->listeners_n; i++)
        rests += server->listeners[i].rests;
    store_get_stats(server->chat.store, &store);
    const struct metric metrics[] = {
        {"parley_connections", "gauge", "Connections open now.", chat->connections},
        {"parley_users_online", "gauge", "Users with a registered connection.",
         server->chat.hub.online},
        {"parley_connections_accepted_total", "counter", "Connections accepted.", chat->accepted},
        {"parley_connections_refused_total", "counter", "Connections answered with 503.",
         server->turned_away},
        {"parley_accept_rests_total", "counter", "Times that descriptors or memory ran out.",
         rests},
        {"parley_connection_memory_bytes", "gauge", "What --max-memory bounds.", streams->memory},
        {"parley_events_received_total", "counter", "Events of clients.", chat->requests},
        {"parley_events_refused_total", "counter", "Events answered with an info.", chat->refused},
        {"parley_messages_stored_total", "counter", "Messages stored.", chat->stored},
        {"parley_events_delivered_total", "counter", "Live events sent, each receiver counted.",
         chat->delivered},
        {"parley_readers_too_slow_total", "counter", "Connections closed with 4008.",
         chat->too_slow},
        {"parley_received_bytes_total", "counter", "Bytes read from clients.", streams->bytes_in},
        {"parley_sent_bytes_total", "counter", "Bytes written to clients.", streams->bytes_out},
        {"parley_reads_total", "counter", "Read calls on client sockets.", streams->reads},
        {"parley_writes_total", "counter", "Write calls on client sockets.", streams->writes},
        {"parley_log_messages", "gauge", "Messages in the log.", store.messages},
        {"parley_log_conversations", "gauge", "Conversations in the index.", store.conversations},
        {"parley_log_users", "gauge", "Users in the index.", store.users},
        {"parley_log_bytes", "gauge", "Bytes of the log.", store.bytes},
        {"parley_log_segments", "gauge", "Files of the log.", store.segments},
        {"parley_log_batches_total", "counter", "Batches written to the log.", store.batches},
        {"parley_log_failed", "gauge", "1 after a failure of the disk.",
         chat_failure(&server->chat) != 0},
        {"parley_uptime_seconds", "gauge", "Since the start.",
         (uint64_t)(server->loop.now - server->started) / 1000},
    };
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", metrics[i].name, metrics[i].help,
                   metrics[i].name, metrics[i].type, metrics[i].name,
                   (unsigned long long)metrics[i].value);
    buf_printf(out,
               "# HELP parley_info The version.\n# TYPE parley_info gauge\n"
               "parley_info{version=\"%s\"} 1\n",
               PARLEY_VERSION);
}
