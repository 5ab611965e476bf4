/* What the index takes in memory, and the log on the disk. */
#include "store_bench.h"

#include <malloc.h>
#include <stdio.h>

#define USERS_A 1000 /* a conversation's number is made of two users' numbers: rig.h */

static const struct score_line index_each = {"index, each conversation, without users", "B", NULL,
                                             SCORE_VALUE_MAX, 96};
static const struct score_line user_each = {"index, each user and his note to himself", "B", NULL,
                                            SCORE_NO_GOAL, 0};
static const struct score_line message_each = {"index, each further message", "B", NULL,
                                               SCORE_VALUE_MAX, 0.01};
static const struct score_line space = {"log and checkpoint on the disk, large log", "B",
                                        "1.25 x the message objects + 64 each", SCORE_RATIO_MAX, 1};
static const struct score_line space_each = {"  each message", "B", NULL, SCORE_NO_GOAL, 0};

/* Bytes that malloc has handed out. 0: this libc, or a sanitizer in front of it, does not tell. */
static double allocated(void)
{
#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 33)
    struct mallinfo2 m = mallinfo2();
    return (double)(m.uordblks + m.hblkhd);
#endif
#endif
    return 0;
}

struct state {
    double memory; /* of an open store that has done nothing yet */
    struct store_stats stats;
};

/* Without a checkpoint: its arrays have grown message by message, as they do in a server that runs. */
static struct state look(const char *path)
{
    struct state state;
    struct rig rig;
    rig_remove_checkpoint(path);
    double before = allocated();
    rig_open(&rig, path, STORE_SYNC_ALWAYS, false);
    state.memory = allocated() - before;
    store_get_stats(rig.store, &state.stats);
    rig_close(&rig);
    return state;
}

/* A message of each user to himself, so that all users are there before the conversations. */
static void fill_users(struct rig *r, uint32_t conversations)
{
    for (int side = 0; side < 2; side++) {
        uint32_t n = side ? USERS_A : conversations / USERS_A;
        for (uint32_t i = 0; i < n; i++) {
            char room[8];
            struct slice user = rig_user(room, side ? i : i * USERS_A, side);
            uint64_t id;
            int64_t date;
            int result =
                store_append(r->store, user, user, rig_content(i), SLICE(""), 1, &id, &date);
            if (result)
                run_die(-result, "cannot append");
            r->sent++;
        }
    }
    while (r->committed < r->sent)
        rig_turn(r);
}

void store_memory_once(struct bench *b)
{
    if (allocated() == 0) {
        fprintf(stderr, "skipped: memory of the index: this libc has no mallinfo2 that tells\n");
        return;
    }
    struct rig rig;
    uint32_t n = b->memory_conversations;
    struct state empty, users, conversations, messages;
    rig_open(&rig, b->scratch, STORE_SYNC_ALWAYS, false);
    rig_close(&rig);
    empty = look(b->scratch);
    rig_open(&rig, b->scratch, STORE_SYNC_ALWAYS, false);
    fill_users(&rig, n);
    rig_close(&rig);
    users = look(b->scratch);
    rig_open(&rig, b->scratch, STORE_SYNC_ALWAYS, false);
    rig_fill(&rig, &(struct rig_load){.conversations = n, .messages = n});
    rig_close(&rig);
    conversations = look(b->scratch);
    rig_open(&rig, b->scratch, STORE_SYNC_ALWAYS, false);
    rig_fill(&rig, &(struct rig_load){.conversations = n, .messages = 10 * (uint64_t)n});
    rig_close(&rig);
    messages = look(b->scratch);
    rig_remove(b->scratch);

    struct score *s = &b->score;
    score_add(s, &index_each, (conversations.memory - users.memory) / n);
    score_add(s, &user_each, (users.memory - empty.memory) / (double)users.stats.users);
    score_add(s, &message_each, (messages.memory - conversations.memory) / (10.0 * n));
}

void store_space_once(struct bench *b, uint64_t json)
{
    double bytes = (double)rig_disk_bytes(b->large_path), n = (double)b->large;
    score_add(&b->score, &space, bytes);
    score_add_peer(&b->score, &space, 1.25 * (double)json + 64 * n);
    score_add(&b->score, &space_each, bytes / n);
}
