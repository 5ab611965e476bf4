/*
 * metrics: the server's counters in the Prometheus text format (version 0.0.4).
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "base/buf.h"

struct server;

void metrics_write(struct buf *out, const struct server *server);

#endif
