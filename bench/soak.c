#include "crowd.h"
#include "pair.h"
#include "proc.h"
#include "run.h"
#include "storm.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define MIB 1048576.0
#define CYCLES_MAX 20
#define CYCLE_MIN_S 1.0
#define GONE_S 30
/* What the last third may have more than the first: RSS of an allocator in use is no constant, and
   latencies are those of a disk and a machine that others use as well. */
#define RESIDENT_FACTOR 1.1
#define RESIDENT_MIB 4.0
#define LATENCY_FACTOR 2.0
#define LATENCY_US 2000.0

struct cycle {
    double resident; /* MiB, with the pair alone */
    double p50, p99; /* us, of a message's delivery beside the crowd */
    unsigned sockets;
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of the third that begins there, the median of the doubles at this place in each. */
static double median_of(const struct cycle *from, size_t n, size_t offset)
{
    double values[CYCLES_MAX] = {0};
    for (size_t i = 0; i < n; i++)
        memcpy(&values[i], (const char *)(from + i) + offset, sizeof *values);
    qsort(values, n, sizeof *values, compare);
    return values[n / 2];
}

static bool within(const char *what, const char *unit, double first, double last, double bound)
{
    printf("%-36s %10.1f %-4s then %10.1f, at most %10.1f  %s\n", what, first, unit, last, bound,
           last <= bound ? "ok" : "DRIFTS");
    return last <= bound;
}

/* The first cycle warms up, and is not among them. */
static bool judge(const struct cycle *cycles, size_t n)
{
    size_t third = n / 3;
    const struct cycle *last = cycles + n - third;
    double resident = median_of(cycles, third, offsetof(struct cycle, resident));
    double p50 = median_of(cycles, third, offsetof(struct cycle, p50));
    double p99 = median_of(cycles, third, offsetof(struct cycle, p99));
    bool good =
        within("RSS", "MiB", resident, median_of(last, third, offsetof(struct cycle, resident)),
               resident * RESIDENT_FACTOR + RESIDENT_MIB);
    good &= within("a message's way to the other one, p50", "us", p50,
                   median_of(last, third, offsetof(struct cycle, p50)),
                   p50 * LATENCY_FACTOR + LATENCY_US);
    good &= within("a message's way to the other one, p99", "us", p99,
                   median_of(last, third, offsetof(struct cycle, p99)),
                   p99 * LATENCY_FACTOR + LATENCY_US);
    good &= within("descriptors", "", cycles[0].sockets, cycles[n - 1].sockets, cycles[0].sockets);
    return good;
}

/* Until only the pair is there. */
static unsigned await_quiet(struct pair *pair, unsigned sockets)
{
    unsigned now;
    for (int i = 0; (now = proc_sockets(pair->server->pid)) > sockets && i < GONE_S * 10; i++)
        pair_run(pair, 0.1);
    return now;
}

static void run_cycle(struct pair *pair, struct cycle *c, double seconds, unsigned sockets)
{
    static struct crowd crowd;
    const uint32_t n[CROWD_SORTS] = {50, 4, 8, 50};
    crowd_start(&crowd, pair->server, n);
    pair_clear(pair);
    pair_run(pair, seconds);
    c->p50 = histogram_us(&pair->delivered, 50);
    c->p99 = histogram_us(&pair->delivered, 99);
    if (!crowd_ready(&crowd))
        printf("(only %u of %u clients came)\n", crowd.counts->ready, crowd.clients);
    crowd_kill(&crowd);
    kill(pair->server->pid, SIGHUP);
    c->sockets = await_quiet(pair, sockets);
    c->resident = (double)proc_resident(pair->server->pid) / MIB;
    uint64_t came = 0;
    for (int i = 0; i < CROWD_SORTS; i++)
        came += crowd.counts->registered[i];
    printf("RSS %6.1f MiB  descriptors %3u  p50 %7.0f us  p99 %7.0f us  connections %6" PRIu64
           ", floods closed %4" PRIu64 "\n",
           c->resident, c->sockets, c->p50, c->p99, came, crowd.counts->flooded);
    fflush(stdout);
}

bool storm_soak(double seconds, const char *data)
{
    static struct pair pair; /* large */
    static struct parleyd server;
    struct cycle cycles[CYCLES_MAX] = {{0}};
    size_t n = seconds / CYCLE_MIN_S > CYCLES_MAX ? CYCLES_MAX : (size_t)(seconds / CYCLE_MIN_S);
    /* A 128th part of the ceiling holds the newest messages: little of it is soon full, and stays so. */
    parleyd_start(&server, data, (const char *const[]){"--max-memory", "64M", NULL});
    pair_open(&pair, &server);
    pair_run(&pair, 0.5);
    unsigned sockets = proc_sockets(server.pid);
    for (size_t i = 0; i < n; i++)
        run_cycle(&pair, &cycles[i], seconds / (double)n, sockets);
    parleyd_ask_metrics(&server);
    printf("messages stored %" PRIu64 ", slow readers closed %" PRIu64 ", connections %" PRIu64
           "\n",
           parleyd_metric(&server, "parley_messages_stored_total"),
           parleyd_metric(&server, "parley_readers_too_slow_total"),
           parleyd_metric(&server, "parley_connections_accepted_total"));
    pair_close(&pair);
    parleyd_end(&server);
    return judge(cycles + 1, n - 1);
}
