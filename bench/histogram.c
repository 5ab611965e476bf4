#include "histogram.h"

#include <stdio.h>
#include <time.h>

uint64_t histogram_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
    unsigned shift = ns < 2 * HISTOGRAM_STEPS ? 0 : 55 - (unsigned)__builtin_clzll(ns);
    h->slots[shift * HISTOGRAM_STEPS + (ns >> shift)]++;
    h->count++;
    if (ns > h->max)
        h->max = ns;
}

double histogram_us(const struct histogram *h, double percent)
{
    uint64_t rank = (uint64_t)((double)h->count * percent / 100 + 0.999999), seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_SLOTS; i++) {
        seen += h->slots[i];
        if (seen && seen >= rank) {
            unsigned shift = i < 2 * HISTOGRAM_STEPS ? 0 : i / HISTOGRAM_STEPS - 1;
            uint64_t top = ((uint64_t)(i - shift * HISTOGRAM_STEPS + 1) << shift) - 1;
            return (double)(top < h->max ? top : h->max) / 1000;
        }
    }
    return 0;
}

const double histogram_percents[HISTOGRAM_PERCENTS] = {50, 90, 99, 99.9, 99.99};

void histogram_print_json(const struct histogram *h, double seconds)
{
    printf("\"count\":%llu,\"per_second\":%.1f,\"latency_us\":{", (unsigned long long)h->count,
           (double)h->count / seconds);
    for (size_t i = 0; i < HISTOGRAM_PERCENTS; i++)
        printf("\"p%g\":%.1f,", histogram_percents[i], histogram_us(h, histogram_percents[i]));
    printf("\"max\":%.1f}", (double)h->max / 1000);
}
