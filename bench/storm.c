#include "storm.h"

#include "crowd.h"
#include "pair.h"
#include "proc.h"
#include "run.h"

#define MIB 1048576.0
#define READY_S 120
#define GONE_S 30
#define SAMPLES 10 /* looks at the server a second */
#define SAMPLE_S (1.0 / SAMPLES)

/* p99 of a few thousand messages; what the two share is the server, the disk and this machine. */
static const struct score_line delivered_p99 = {"a message's way to the other one, p99", "us",
                                                "alone", SCORE_RATIO_MAX, 3};
static const struct score_line delivered_p50 = {"a message's way to the other one, p50", "us",
                                                "alone", SCORE_NO_GOAL, 0};
static const struct score_line acknowledged_p99 = {"its acknowledgement, p99", "us", "alone",
                                                   SCORE_RATIO_MAX, 3};
static const struct score_line acknowledged_p50 = {"its acknowledgement, p50", "us", "alone",
                                                   SCORE_NO_GOAL, 0};
static const struct score_line memory_peak = {"RSS at the peak", "MiB", "--max-memory",
                                              SCORE_RATIO_MAX, 1};
static const struct score_line memory_before = {"RSS before", "MiB", NULL, SCORE_NO_GOAL, 0};
static const struct score_line memory_after = {"RSS when the crowd is gone", "MiB", NULL,
                                               SCORE_NO_GOAL, 0};
static const struct score_line flooded = {"floods closed with 1008", "", NULL, SCORE_NO_GOAL, 0};
static const struct score_line events = {"events received", "/s", NULL, SCORE_NO_GOAL, 0};
static const struct score_line refused_events = {"  of them refused", "/s", NULL, SCORE_NO_GOAL, 0};
static const struct score_line stored = {"messages stored", "/s", NULL, SCORE_NO_GOAL, 0};
static const struct score_line cut = {"slow readers closed with 4008", "", NULL, SCORE_NO_GOAL, 0};
static const struct score_line refused = {"connections refused with 503", "", NULL, SCORE_NO_GOAL,
                                          0};
static const struct score_line idle_lost = {"idle connections that were lost", "", NULL,
                                            SCORE_VALUE_MAX, 0};

static void add_latencies(struct score *s, const struct pair *p,
                          void (*add)(struct score *, const struct score_line *, double))
{
    add(s, &delivered_p50, histogram_us(&p->delivered, 50));
    add(s, &delivered_p99, histogram_us(&p->delivered, 99));
    add(s, &acknowledged_p50, histogram_us(&p->acknowledged, 50));
    add(s, &acknowledged_p99, histogram_us(&p->acknowledged, 99));
}

/* The pair goes on until all of the crowd are there. */
static void await_crowd(struct pair *pair, const struct crowd *crowd)
{
    for (int i = 0; !crowd_ready(crowd); i++) {
        if (i > READY_S * SAMPLES)
            run_die(0, "only %u of %u clients were registered in %d s", crowd->counts->ready,
                    crowd->clients, READY_S);
        pair_run(pair, SAMPLE_S);
    }
}

static void await_sockets(struct pair *pair, unsigned n)
{
    for (int i = 0; proc_sockets(pair->server->pid) > n; i++) {
        if (i > GONE_S * SAMPLES)
            run_die(0, "%u descriptors stay, %u were there before the crowd",
                    proc_sockets(pair->server->pid), n);
        pair_run(pair, SAMPLE_S);
    }
}

static double resident_mib(const struct pair *pair)
{
    return (double)proc_resident(pair->server->pid) / MIB;
}

void storm_round(const struct storm *o, const char *data, struct score *s)
{
    static struct pair pair; /* large */
    static struct crowd crowd;
    static struct parleyd server;
    const uint32_t n[CROWD_SORTS] = {o->idle, o->floods, o->slow, 0};
    char memory[32];
    snprintf(memory, sizeof memory, "%u", o->memory << 20);
    parleyd_start(&server, data, (const char *const[]){"--max-memory", memory, NULL});
    pair_open(&pair, &server);
    pair_run(&pair, o->seconds / 8); /* what is new takes longer */
    pair_clear(&pair);
    pair_run(&pair, o->seconds / 2);
    double before = resident_mib(&pair), peak = before;
    unsigned sockets = proc_sockets(server.pid);
    add_latencies(s, &pair, score_add_peer);

    crowd_start(&crowd, &server, n);
    await_crowd(&pair, &crowd);
    pair_run(&pair, o->seconds / 8);
    parleyd_ask_metrics(&server);
    uint64_t events_before = parleyd_metric(&server, "parley_events_received_total"),
             refused_before = parleyd_metric(&server, "parley_events_refused_total"),
             stored_before = parleyd_metric(&server, "parley_messages_stored_total");
    pair_clear(&pair);
    for (int i = 0; i < (int)(o->seconds * SAMPLES); i++) {
        pair_run(&pair, SAMPLE_S);
        double now = resident_mib(&pair);
        peak = now > peak ? now : peak;
    }
    add_latencies(s, &pair, score_add);
    parleyd_ask_metrics(&server);
    crowd_kill(&crowd);
    await_sockets(&pair, sockets);
    score_add(s, &memory_peak, peak);
    score_add_peer(s, &memory_peak, o->memory);
    score_add(s, &memory_before, before);
    score_add(s, &memory_after, resident_mib(&pair));
    score_add(s, &events,
              (double)(parleyd_metric(&server, "parley_events_received_total") - events_before) /
                  o->seconds);
    score_add(s, &refused_events,
              (double)(parleyd_metric(&server, "parley_events_refused_total") - refused_before) /
                  o->seconds);
    score_add(s, &stored,
              (double)(parleyd_metric(&server, "parley_messages_stored_total") - stored_before) /
                  o->seconds);
    score_add(s, &flooded, (double)crowd.counts->flooded);
    score_add(s, &cut, (double)parleyd_metric(&server, "parley_readers_too_slow_total"));
    score_add(s, &refused, (double)parleyd_metric(&server, "parley_connections_refused_total"));
    score_add(s, &idle_lost, (double)crowd.counts->ended[CROWD_IDLE]);
    pair_close(&pair);
    parleyd_end(&server);
}
