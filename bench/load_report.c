#include "load.h"

#include <stdio.h>

/* A message of the chat costs the server its acknowledgement and its delivery. */
struct costs {
    double seconds, own_percent;
    double cpu_us, switches, calls, waits; /* for a message of the first series */
    double user_share, cpu_percent;
    double pss_each, kernel_each; /* bytes for a connection */
};

static struct costs costs_of(const struct load *load)
{
    const struct usage *a = &load->before, *b = &load->after;
    double seconds = (double)(load->ended - load->began) / 1e9;
    double messages = load->series[0].count ? (double)load->series[0].count : 1;
    double ticks = (double)(b->user + b->system - a->user - a->system);
    double connections = (double)load->options.connections;
    return (struct costs){
        .seconds = seconds,
        .own_percent = (double)load->own_cpu_us / 1e4 / seconds,
        .cpu_us = (double)(b->cpu_ns - a->cpu_ns) / 1e3 / messages,
        .switches = (double)(b->switches - a->switches) / messages,
        .calls = (double)load->calls.all / messages,
        .waits = (double)load->calls.waits / messages,
        .user_share = ticks > 0 ? (double)(b->user - a->user) / ticks : 0,
        .cpu_percent = (double)(b->cpu_ns - a->cpu_ns) / 1e7 / seconds,
        .pss_each = ((double)b->pss - (double)load->opening.pss) / connections,
        .kernel_each = ((double)b->kernel - (double)load->opening.kernel) / connections,
    };
}

static void print_row(const char *name, const struct histogram *h, double seconds)
{
    printf("%-13s %12.0f", name, (double)h->count / seconds);
    for (size_t i = 0; i < HISTOGRAM_PERCENTS; i++)
        printf(" %9.1f", histogram_us(h, histogram_percents[i]));
    printf(" %9.1f\n", (double)h->max / 1000);
}

void load_print_table(const struct load *load)
{
    const struct load_options *o = &load->options;
    const struct load_mode *mode = o->mode;
    struct costs c = costs_of(load);
    printf("%s, %u connections, ", mode->name, o->connections);
    if (o->rate)
        printf("%u a second, ", o->rate);
    else if (mode->series[0])
        printf("%u in flight each, ", o->pipeline);
    printf("%u bytes, %.1f s\n\n", o->size, c.seconds);
    if (mode->series[0])
        printf("%-13s %12s %9s %9s %9s %9s %9s %9s\n", "", "per second", "p50 us", "p90", "p99",
               "p99.9", "p99.99", "max");
    for (size_t i = 0; i < LOAD_SERIES && mode->series[i]; i++)
        print_row(mode->series[i], &load->series[i], c.seconds);
    printf("\nload generator: %.0f %% of a core\n", c.own_percent);
    if (!load->after.known)
        return;
    printf("server: %.1f %% of a core, %.0f %% of it in user space\n", c.cpu_percent,
           c.user_share * 100);
    if (mode->series[0])
        printf("a message: %.2f us of CPU and %.3f context switches\n", c.cpu_us, c.switches);
    if (load->calls.all)
        printf("a message: %.2f system calls, by strace: %s\n", c.calls, load->calls.names);
    else if (o->calls)
        printf("system calls: not known, for strace is missing or may not look at the server\n");
    printf("a connection: %.0f bytes of the server (PSS), %.0f of the kernel, for both ends\n",
           c.pss_each, c.kernel_each);
}

void load_print_json(const struct load *load)
{
    const struct load_options *o = &load->options;
    struct costs c = costs_of(load);
    printf("{\"mode\":\"%s\",\"connections\":%u,\"pipeline\":%u,\"size\":%u,\"rate\":%u,"
           "\"seconds\":%.3f",
           o->mode->name, o->connections, o->pipeline, o->size, o->rate, c.seconds);
    for (size_t i = 0; i < LOAD_SERIES && o->mode->series[i]; i++) {
        printf(",\"%s\":{", o->mode->series[i]);
        histogram_print_json(&load->series[i], c.seconds);
        printf("}");
    }
    printf(",\"load_cpu_percent\":%.1f", c.own_percent);
    if (load->after.known)
        printf(",\"server_cpu_us\":%.3f,\"server_switches\":%.4f,\"server_user_share\":%.3f,"
               "\"server_cpu_percent\":%.2f,\"pss_each\":%.1f,\"kernel_each\":%.1f",
               c.cpu_us, c.switches, c.user_share, c.cpu_percent, c.pss_each, c.kernel_each);
    if (load->calls.all)
        printf(",\"server_calls\":%.3f,\"server_waits\":%.3f,\"call_names\":\"%s\"", c.calls,
               c.waits, load->calls.names);
    printf("}\n");
}
