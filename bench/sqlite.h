/*
 * sqlite: the peer for writing, SQLite in WAL mode with synchronous=FULL. The library is looked up at
 * run time, so that nothing here depends on it.
 *
 * The table is the plainest that holds a message, and has no index beside its key: a page of a
 * conversation could not be read from it, which is in favour of the peer.
 */
#ifndef BENCH_SQLITE_H
#define BENCH_SQLITE_H

#include "base/slice.h"
#include "run.h"

/* False: the library is not installed. */
bool sqlite_load(void);

/* Into a new database at this path, one connection, for this many seconds. A latency is that of a
 * transaction. */
void sqlite_run(struct run *r, const char *path, unsigned per_transaction, struct slice content,
                double seconds);

#endif
