/*
 * parleyd: the server that lies beside this program, started for a benchmark and ended with it.
 *
 * It listens on a free port of 127.0.0.1. Whatever goes wrong ends the process.
 */
#ifndef BENCH_PARLEYD_H
#define BENCH_PARLEYD_H

#include "../tools/client/url.h"
#include "codec/hmac.h"
#include "codec/jwt.h"
#include "net/websocket.h"

#include <stdio.h>
#include <sys/types.h>

struct parleyd {
    pid_t pid;
    FILE *errors; /* what it prints; not read but for its metrics: it must not print much */
    struct url url;
    struct hmac_key key;
    char metrics[8192]; /* as it printed them last */
};

/* options end with NULL; a line is written for no event below a warning. */
void parleyd_start(struct parleyd *d, const char *data, const char *const *options);

/* SIGTERM; it has to end well. */
void parleyd_end(struct parleyd *d);

/* A connection to it; 0 or -errno. */
__attribute__((warn_unused_result)) int
parleyd_connect(const struct parleyd *d, struct websocket *ws, const struct websocket_kind *kind);

/* Sends the registration of that user. */
void parleyd_register(const struct parleyd *d, struct websocket *ws, const char *user);

/* Has it print its metrics; one of them then. */
void parleyd_ask_metrics(struct parleyd *d);
uint64_t parleyd_metric(const struct parleyd *d, const char *name);

#endif
