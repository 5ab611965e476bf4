/*
 * store_bench: the parts of store-bench. Each adds to the score, one round at a time; what they read
 * has been made before.
 */
#ifndef BENCH_STORE_BENCH_H
#define BENCH_STORE_BENCH_H

#include "rig.h"
#include "score.h"

/* A reader of old history: so many messages a page, so many pages back in one conversation; then comes
 * the next one. */
#define WALK_PAGE 100
#define WALK_PAGES 20

struct bench {
    struct score score;
    bool sqlite; /* it is there */
    uint32_t rounds;
    double seconds;                    /* of each measured stretch of writing */
    uint32_t pages;                    /* read in a round */
    uint64_t large, small, wide, cold; /* messages of the logs */
    uint32_t conversations;            /* of the large, the small and the cold log */
    uint32_t wide_conversations;
    uint32_t memory_conversations;
    char path[256]; /* the temporary folder, with all that follow */
    char large_path[256], small_path[256], wide_path[256], cold_path[256];
    char arranged_path[256]; /* the same messages as in the cold log, arranged */
    char killed_path[256];   /* the wide log's checkpoint, as a killed process left it */
    char scratch[256];       /* a path that is free */
};

/* Starts: without a checkpoint, with one, after a kill. The large log and the wide one. */
void store_start_round(struct bench *b);

/* Writing, beside SQLite and a bare file. */
void store_commit_round(struct bench *b);

/* Pages and snippets from the page cache. The large log and the small one. */
void store_read_round(struct bench *b);

/* A conversation that is not in the page cache; live messages beside a reader of such. The cold log. */
void store_cold_round(struct bench *b);

/* The same through a parleyd, which lies beside this program. */
void store_server_round(struct bench *b);

/* Memory of the index. Once. */
void store_memory_once(struct bench *b);

/* Bytes on the disk; `json` are those of the message objects in the large log. Once. */
void store_space_once(struct bench *b, uint64_t json);

#endif
