#include "server/metrics.h"

#include "base/version.h"
#include "server/server.h"

struct metric {
    const char *name, *help;
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
        {"connections", "Connections open now.", chat->connections},
        {"users_online", "Users with a registered connection.", server->chat.hub.online},
        {"connections_accepted_total", "Connections accepted.", chat->accepted},
        {"connections_refused_total", "Connections answered with 503.", server->turned_away},
        {"accept_rests_total", "Times that descriptors or memory ran out.", rests},
        {"connection_memory_bytes", "What --max-memory bounds.", streams->memory},
        {"events_received_total", "Events of clients.", chat->requests},
        {"events_refused_total", "Events answered with an info.", chat->refused},
        {"messages_stored_total", "Messages stored.", chat->stored},
        {"events_delivered_total", "Live events sent, each receiver counted.", chat->delivered},
        {"readers_too_slow_total", "Connections closed with 4008.", chat->too_slow},
        {"received_bytes_total", "Bytes read from clients.", streams->bytes_in},
        {"sent_bytes_total", "Bytes written to clients.", streams->bytes_out},
        {"reads_total", "Read calls on client sockets.", streams->reads},
        {"writes_total", "Write calls on client sockets.", streams->writes},
        {"log_messages", "Messages in the log.", store.messages},
        {"log_conversations", "Conversations in the index.", store.conversations},
        {"log_users", "Users in the index.", store.users},
        {"log_bytes", "Bytes of the log.", store.bytes},
        {"log_segments", "Files of the log.", store.segments},
        {"log_batches_total", "Batches written to the log.", store.batches},
        {"log_failed", "1 after a failure of the disk.", chat_failure(&server->chat) != 0},
        {"uptime_seconds", "Since the start.",
         (uint64_t)(server->loop.now - server->started) / 1000},
    };
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        const struct metric *m = &metrics[i];
        size_t n = strlen(m->name);
        bool counter = n > 6 && memcmp(m->name + n - 6, "_total", 6) == 0;
        buf_printf(out, "# HELP parley_%s %s\n# TYPE parley_%s %s\nparley_%s %llu\n", m->name,
                   m->help, m->name, counter ? "counter" : "gauge", m->name,
                   (unsigned long long)m->value);
    }
    buf_printf(out,
               "# HELP parley_info The version.\n# TYPE parley_info gauge\n"
               "parley_info{version=\"%s\"} 1\n",
               PARLEY_VERSION);
}
