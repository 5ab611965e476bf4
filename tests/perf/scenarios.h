/*
 * scenarios: what the server's core does most, over and over: for counting instructions (count) and for
 * measuring time (bench/micro-bench).
 *
 * Time and randomness of the core are those of tests/sim/world, so that every run does the same.
 */
#ifndef PERF_SCENARIOS_H
#define PERF_SCENARIOS_H

#include <stddef.h>
#include <stdint.h>

struct scenario {
    const char *name;
    void (*before)(void), (*run)(void), (*after)(void);
    unsigned steps; /* of one run */
    size_t bytes;   /* that a step reads or writes; 0: they are not what counts */
};

/* Ends with a NULL name. */
extern const struct scenario scenarios[];

/* What the scenarios found, so that no compiler leaves their work out. */
extern uint64_t scenario_found;

#define SCENARIO_ENVELOPE                                                       \
    "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"see you at " \
    "the station at a quarter past seven\"},\"ref\":4711}"
#define SCENARIO_TEXT                \
    "plain text, gr\xc3\xbc\xc3\x9f" \
    "e, \xe4\xbd\xa0\xe5\xa5\xbd, \xf0\x9f\x98\x80; "
#define SCENARIO_TEXT_SIZE (64 << 10)
#define SCENARIO_USERS 1000

#endif
