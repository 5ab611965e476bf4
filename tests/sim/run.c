#include "run.h"

#include "rng.h"
#include "world.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>

#define MAX_CONTENT 4000
#define MAX_MESSAGES 600 /* of one run: all of a conversation fit on a page */
#define SYNC_MS 50
#define KEYS 10 /* that each user has */

struct run {
    struct rng rng;
    struct simdisk disk;
    struct model model;
    struct log log;
    struct store_options options;
    struct store *store;

    uint32_t gathered;     /* messages behind the last batch that was handed over */
    bool in_flight;        /* a batch was handed over and not collected */
    uint64_t final_writes; /* simdisk.writes when the store ended all writing; 0: it goes on */
    bool answered;         /* who was to be erased is, or that failed */
    bool ended;            /* a message was refused because it had */
    unsigned appended;
    int64_t time; /* ms that the wall clock has gone on */

    /* What may go wrong in this run; percent for each step. */
    unsigned stops, fails, shortages, kills, flips;
    unsigned keyed, marks; /* percent of the messages */
    unsigned erases;       /* percent of some steps */
    int stop_how;          /* enum simdisk_end, or -1: chosen each time */
};

static bool run_wrong(const struct run *r)
{
    return *r->model.wrong;
}

static int64_t run_now(const struct run *r)
{
    return 1000000 + r->time;
}

/* ---- callbacks -------------------------------------------------------------------------- */

static void run_committed(void *ctx, const struct store_message *message)
{
    struct run *r = ctx;
    model_committed(&r->model, message);
}

static void run_marked(void *ctx, const struct store_mark *mark)
{
    struct run *r = ctx;
    model_marked(&r->model, mark);
}

static void run_failed(void *ctx, uint64_t id, int error)
{
    struct run *r = ctx;
    model_failed(&r->model, id, error);
    r->ended |= store_failure(r->store) != 0;
}

static void run_erased(void *ctx, struct slice user, uint64_t messages, int error,
                       const char *damaged)
{
    (void)damaged;
    struct run *r = ctx;
    if (r->disk.trace)
        fprintf(r->disk.trace, "       erased: %u messages, %d\n", (unsigned)messages, error);
    r->answered = true;
    model_erased(&r->model, user, error);
}

static void run_revoked(void *ctx, uint64_t number, int error)
{
    struct run *r = ctx;
    model_revoked(&r->model, number, error);
}

static void run_log(void *ctx, enum log_level level, const char *line)
{
    const struct run *r = ctx;
    (void)level;
    if (r->disk.trace)
        fprintf(r->disk.trace, "       %s\n", line);
}

__attribute__((format(printf, 2, 3))) static void run_say(const struct run *r, const char *format,
                                                          ...)
{
    va_list args;
    if (!r->disk.trace)
        return;
    va_start(args, format);
    vfprintf(r->disk.trace, format, args);
    va_end(args);
}

/* ---- opening and closing ---------------------------------------------------------------- */

static void run_disarm(struct run *r)
{
    r->disk.fail_at = r->disk.fail_write = r->disk.stop_at = r->disk.stop_write = 0;
    r->disk.room = UINT64_MAX;
}

/* Most calls read: half of what goes wrong is to meet the others. */
static void run_arm_stop(struct run *r)
{
    if (rng_percent(&r->rng, 50))
        r->disk.stop_at = r->disk.calls + 1 + rng_below(&r->rng, 30);
    else
        r->disk.stop_write = r->disk.writes + 1 + rng_below(&r->rng, 8);
}

static void run_arm_fail(struct run *r)
{
    if (rng_percent(&r->rng, 50))
        r->disk.fail_at = r->disk.calls + 1 + rng_below(&r->rng, 20);
    else
        r->disk.fail_write = r->disk.writes + 1 + rng_below(&r->rng, 6);
}

/* Whether all went well, and so all is durable. */
static bool run_close(struct run *r)
{
    unsigned faults = r->disk.faults;
    run_say(r, "       ---- close\n");
    store_close(r->store);
    r->store = NULL;
    r->gathered = 0;
    r->in_flight = false;
    bool clean = !r->disk.down && r->disk.faults == faults && !r->disk.failed_syncs && !r->ended;
    model_closed(&r->model, clean);
    if (clean && simdisk_dirty(&r->disk))
        model_wrong(&r->model, "closing left something that is not synced");
    if (r->disk.open_files)
        model_wrong(&r->model, "%u files were left open", r->disk.open_files);
    if (r->final_writes && r->disk.writes != r->final_writes)
        model_wrong(&r->model, "the store wrote on after it had ended all writing");
    return clean;
}

/* Whatever ended the store: what may the next start find? */
static void run_restart(struct run *r)
{
    enum simdisk_end how = r->stop_how >= 0                 ? (enum simdisk_end)r->stop_how
                           : rng_percent(&r->rng, r->kills) ? SIMDISK_KILL
                                                            : SIMDISK_POWER;
    if (how == SIMDISK_POWER)
        r->model.intact = false;
    simdisk_restart(&r->disk, how);
}

/* One attempt. A store that does not open must have met a fault, and never calls it damage. */
static bool run_try_open(struct run *r)
{
    struct store_error error;
    unsigned faults = r->disk.faults;
    if (r->disk.gone && rng_percent(&r->rng, 40)) {
        simdisk_evict(&r->disk);
        r->model.intact = false;
    }
    r->disk.failed_syncs = 0;
    r->final_writes = 0;
    r->ended = false;
    r->model.sync = r->options.sync;
    run_say(r, "       ---- open, sync mode %d, segments of %" PRIu64 "\n", r->options.sync,
            r->options.segment_size);
    enum store_status status = store_open(&r->store, &r->options, &error);
    r->model.store = status ? NULL : r->store;
    bool met = r->disk.down || r->disk.faults != faults;
    if (!status && model_opened(&r->model, run_now(r) + 1000))
        return true;
    if (!status) {
        /* What is there was not all seen: closing well makes none of it certain. */
        r->ended = true;
        run_close(r);
        return false;
    }
    r->store = NULL;
    run_say(r, "       %s\n", error.text);
    if (status == STORE_DAMAGED || status == STORE_LOCKED || !met)
        model_wrong(&r->model, "opening ends with status %d: %s", status, error.text);
    if (r->disk.open_files)
        model_wrong(&r->model, "opening left %u files open", r->disk.open_files);
    return false;
}

static void run_choose_options(struct run *r, unsigned synced_percent)
{
    static const uint64_t sizes[] = {1, 400, 2000, 6000, 20000, 1 << 20};
    r->options.segment_size = sizes[rng_below(&r->rng, sizeof sizes / sizeof *sizes)];
    r->options.prepare = rng_percent(&r->rng, 50) ? rng_below(&r->rng, 5000) : 0;
    r->options.recent = rng_percent(&r->rng, 50) ? rng_below(&r->rng, 4000) : 0;
    /* The limits hold for all of the run: what is due under one may be done under the next. */
    r->options.arrange = rng_percent(&r->rng, 60);
    r->options.sync = rng_percent(&r->rng, synced_percent) ? STORE_SYNC_ALWAYS
                      : rng_percent(&r->rng, 50)           ? STORE_SYNC_TIMED
                                                           : STORE_SYNC_NONE;
}

/* Until it is open; what is to go wrong on the way goes wrong again and again, but not for ever. */
static void run_open(struct run *r)
{
    for (int i = 0; !run_wrong(r); i++) {
        if (rng_percent(&r->rng, 2 * r->stops))
            run_arm_stop(r);
        if (rng_percent(&r->rng, 2 * r->fails))
            run_arm_fail(r);
        if (i > 4)
            run_disarm(r);
        if (run_try_open(r) && !r->disk.down)
            return;
        if (r->store)
            run_close(r);
        if (r->disk.down)
            run_restart(r);
    }
}

/* After a step: if the machine has stopped, it starts anew. */
static void run_go_on(struct run *r)
{
    if (!r->disk.down || run_wrong(r))
        return;
    run_close(r);
    run_restart(r);
    run_open(r);
}

/* ---- steps ------------------------------------------------------------------------------ */

static size_t run_content(struct run *r, char content[MAX_CONTENT + 3])
{
    static const uint32_t sizes[] = {1, 20, 60, 60, 60, 300, 600, MAX_CONTENT};
    size_t n = 1 + rng_below(&r->rng, sizes[rng_below(&r->rng, 8)]);
    content[0] = '"';
    for (size_t i = 1; i <= n; i++) {
        char c = (char)(0x20 + rng_below(&r->rng, 0x5f));
        content[i] = c == '"' || c == '\\' ? '.' : c;
    }
    content[n + 1] = '"';
    content[n + 2] = 0;
    return n + 2;
}

/* What was sent with that key before, once more. */
static size_t run_again(const struct message *message, char content[MAX_CONTENT + 3])
{
    const char *from = strstr(message->json, "\"content\":") + 10;
    size_t n = strlen(from) - strlen(strrchr(from, ','));
    memcpy(content, from, n);
    content[n] = 0;
    return n;
}

/* The bytes that the store was handed change afterwards: it must have taken a copy. */
static void run_append(struct run *r)
{
    char content[MAX_CONTENT + 3], key[16];
    unsigned users = 2 + rng_below(&r->rng, MODEL_USERS - 1);
    unsigned from = rng_below(&r->rng, users), to = rng_below(&r->rng, users);
    int64_t now = run_now(r) + rng_below(&r->rng, 1000), date = 0;
    uint64_t id = 0;
    if (r->appended++ >= MAX_MESSAGES)
        return;
    unsigned number = rng_percent(&r->rng, r->keyed) ? 1 + rng_below(&r->rng, KEYS) : 0;
    const struct message *before = number ? model_keyed(&r->model, from, number) : NULL;
    size_t n =
        before && rng_percent(&r->rng, 80) ? run_again(before, content) : run_content(r, content);
    if (before && rng_percent(&r->rng, 80))
        to = before->to;
    if (from == r->model.reading || to == r->model.reading)
        return;
    size_t key_n = number ? (size_t)snprintf(key, sizeof key, "key %u", number) : 0;
    int failure = store_failure(r->store);
    model_look_erasing(&r->model);
    int result = store_append(r->store, slice_str(model_users[from]), slice_str(model_users[to]),
                              slice_of(content, n), slice_of(key, key_n), now, &id, &date);
    run_say(r, "       append %u -> %u, %zu bytes, key %u: id %" PRIu64 ", %d\n", from, to, n,
            number, id, result);
    if (r->model.erasing < MODEL_USERS && (from == r->model.erasing || to == r->model.erasing)) {
        if (result != -EBUSY)
            model_wrong(&r->model, "appending says %d, and one of the two is being erased", result);
    } else if (number && (!failure || result != failure))
        model_check_key(&r->model, from, to, content, number, result, id, date);
    else if (result != failure)
        model_wrong(&r->model, "appending says %d, and the store's failure is %d", result, failure);
    if (result)
        return;
    model_append(&r->model, id, date, now, from, to, content, number);
    memset(content, '#', n);
    memset(key, '#', sizeof key);
    r->gathered++;
}

static void run_mark(struct run *r)
{
    struct model *m = &r->model;
    uint64_t id = 0, up_to = 1 + rng_below(&r->rng, 2000);
    unsigned reader = rng_below(&r->rng, MODEL_USERS), other = rng_below(&r->rng, MODEL_USERS);
    if (m->count && rng_percent(&r->rng, 95)) {
        uint32_t recent = m->count < 12 ? m->count : 12;
        uint32_t some = rng_percent(&r->rng, 70) ? recent : m->count;
        const struct message *message = &m->all[m->count - 1 - rng_below(&r->rng, some)];
        bool own = rng_percent(&r->rng, 20);
        reader = own ? message->from : message->to;
        other = own ? message->to : message->from;
        up_to = message->id;
    }
    model_look_erasing(m);
    int expected = model_expect_mark(m, reader, other, up_to);
    if (!expected)
        expected = store_failure(r->store);
    int result = store_mark(r->store, slice_str(model_users[reader]), slice_str(model_users[other]),
                            up_to, run_now(r) + 500, &id);
    run_say(r, "       mark %u of %u to %" PRIu64 ": id %" PRIu64 ", %d\n", reader, other, up_to,
            id, result);
    if (result != expected)
        model_wrong(m, "marking says %d, not %d", result, expected);
    if (result)
        return;
    model_mark(m, id, run_now(r) + 500, reader, other, up_to);
    r->gathered++;
}

static void run_flush(struct run *r)
{
    run_say(r, "       flush\n");
    store_flush(r->store);
    model_retained(&r->model, run_now(r) + 1000);
    struct pollfd p = {.fd = store_fd(r->store), .events = POLLIN};
    if (!r->gathered) /* one without messages, perhaps */
        r->in_flight |= poll(&p, 1, 0) == 1;
    if (!r->gathered || r->in_flight)
        return;
    r->in_flight = true;
    r->gathered = 0;
    r->model.batch++;
    if (rng_percent(&r->rng, 10) && poll(&p, 1, 0) != 1)
        model_wrong(&r->model, "a batch is through, and the descriptor says nothing");
}

static void run_collect(struct run *r)
{
    run_say(r, "       collect\n");
    store_collect(r->store);
    r->in_flight = false;
    r->ended |= store_failure(r->store) != 0; /* perhaps of a batch without messages */
    if (store_failure(r->store) && !r->final_writes)
        r->final_writes = r->disk.writes;
    if (r->disk.failed_syncs && !store_failure(r->store))
        model_wrong(&r->model, "a sync has failed, and the store goes on");
    /* A failure takes along what gathers. */
    if (!model_waits(&r->model))
        r->gathered = 0;
}

/* Until it is done, or fails, or nothing goes on any more. */
static void run_erase(struct run *r)
{
    struct model *m = &r->model;
    unsigned user = m->erasing < MODEL_USERS ? m->erasing : rng_below(&r->rng, MODEL_USERS);
    int failure = store_failure(r->store);
    int result = store_erase(r->store, slice_str(model_users[user]));
    run_say(r, "       erase %u: %d\n", user, result);
    if (result != failure)
        model_wrong(m, "erasing says %d, and the store's failure is %d", result, failure);
    if (result)
        return;
    model_erase(m, user);
    r->answered = false;
    for (int i = 0; i < 1000 && !r->answered && !run_wrong(r); i++) {
        run_flush(r);
        run_collect(r);
        if (rng_percent(&r->rng, 10))
            run_append(r);
    }
    if (!r->answered)
        model_wrong(m, "nobody says that user %u is erased", user);
    model_look_erasing(m);
}

/* Between two messages of a read: old segments are replaced, or dropped, or somebody is erased, and others
 * begin to talk. */
static void run_between(void *ctx)
{
    struct run *r = ctx;
    if (!rng_percent(&r->rng, 20) || r->disk.down)
        return;
    run_say(r, "       tick\n");
    store_tick(r->store, run_now(r) + 1000);
    model_retained(&r->model, run_now(r) + 1000);
    /* What is committed late would be among the snippets, or not. */
    if (!rng_percent(&r->rng, r->erases / 4) || model_waits(&r->model))
        return;
    run_erase(r);
    for (int i = 0; i < 6 && !r->disk.down; i++)
        run_append(r);
    run_flush(r);
    run_collect(r);
}

static void run_revoke(struct run *r)
{
    unsigned user = rng_below(&r->rng, MODEL_USERS);
    uint64_t before = 1 + rng_below(&r->rng, 1000), number = 0;
    int failure = store_failure(r->store);
    int result = store_revoke(r->store, slice_str(model_users[user]), before, &number);
    run_say(r, "       revoke %u before %" PRIu64 ": %d\n", user, before, result);
    if (result != failure)
        model_wrong(&r->model, "revoking says %d, and the store's failure is %d", result, failure);
    if (!result)
        model_revoke(&r->model, user, before, number);
}

static void run_compact(struct run *r)
{
    if (r->gathered || r->in_flight)
        return;
    run_say(r, "       compact\n");
    int result = store_compact(r->store, NULL, NULL);
    if (result && !store_failure(r->store) && r->disk.faults == 0 && !r->disk.down)
        model_wrong(&r->model, "compacting says %d", result);
    r->ended |= store_failure(r->store) != 0;
    if (store_failure(r->store) && !r->final_writes)
        r->final_writes = r->disk.writes;
    model_retained(&r->model, run_now(r) + 1000);
}

static void run_look(struct run *r)
{
    unsigned user = rng_below(&r->rng, MODEL_USERS), other = rng_below(&r->rng, MODEL_USERS);
    uint64_t before = 0;
    model_look_erasing(&r->model);
    if (r->model.count && rng_percent(&r->rng, 50))
        before = r->model.all[rng_below(&r->rng, r->model.count)].id + rng_below(&r->rng, 2);
    model_check_page(&r->model, user, other, before, 1 + rng_below(&r->rng, 20));
    model_check_since(&r->model, user, before, 1 + rng_below(&r->rng, 20));
    model_check_user(&r->model, user);
}

/* ---- damage ----------------------------------------------------------------------------- */

/* A record behind which another batch was written, when it was durable: its file, and the offset
 * of its first byte. NULL: none was found. */
static const char *run_find_sealed(struct run *r, const struct message *message, size_t *at)
{
    const struct model *m = &r->model;
    uint32_t last = m->count;
    while (last && !(m->all[last - 1].synced && m->all[last - 1].state == MESSAGE_COMMITTED))
        last--;
    if (!last || message->state != MESSAGE_COMMITTED || m->all[last - 1].batch <= message->batch)
        return NULL;
    const char *name;
    for (size_t i = 0; (name = simdisk_name(&r->disk, i)) != NULL; i++) {
        const struct buf *b = simdisk_bytes(&r->disk, name);
        const uint8_t *p = b->n ? memmem(b->p, b->n, message->json, message->json_n) : NULL;
        if (p && strstr(name, ".seg")) {
            *at = (size_t)(p - b->p) - 44;
            return name;
        }
    }
    if (!m->retain_bytes && !m->retain_days) /* it may have been dropped at the very end */
        model_wrong(&r->model, "message %" PRIu64 " is not on the disk", message->id);
    return NULL;
}

/* The store is closed, all is durable. One flipped bit where no crash can have been must keep it
 * from opening, and from changing anything. */
static void run_flip(struct run *r)
{
    /* With it, only what is behind it is read. */
    simdisk_drop(&r->disk, "checkpoint");
    const struct message *message;
    size_t at = 0, n = 64; /* the head of a segment */
    const char *name = NULL;
    if (r->model.count && rng_percent(&r->rng, 80)) {
        uint32_t recent = r->model.count < 8 ? r->model.count : 8;
        uint32_t some = rng_percent(&r->rng, 50) ? recent : r->model.count;
        message = &r->model.all[r->model.count - 1 - rng_below(&r->rng, some)];
        name = run_find_sealed(r, message, &at);
        n = 44 + message->json_n;
    } else if (r->model.count) {
        size_t files = 0;
        while (simdisk_name(&r->disk, files))
            files++;
        name = simdisk_name(&r->disk, rng_below(&r->rng, files));
        if (simdisk_bytes(&r->disk, name)->n <= n || !strstr(name, ".seg"))
            name = NULL;
    }
    if (!name)
        return;
    uint64_t bit = at * 8 + rng_below(&r->rng, n * 8), writes = r->disk.writes;
    struct store *store;
    struct store_error error;
    simdisk_flip(&r->disk, name, bit);
    enum store_status status = store_open(&store, &r->options, &error);
    run_say(r, "       ---- bit %" PRIu64 " of %s is flipped: %s\n", bit, name, error.text);
    if (status != STORE_DAMAGED)
        model_wrong(&r->model, "bit %" PRIu64 " of %s was flipped, and opening ends with status %d",
                    bit, name, status);
    if (r->disk.writes != writes)
        model_wrong(&r->model, "bit %" PRIu64 " of %s was flipped, and opening changed the files",
                    bit, name);
    if (!status)
        store_close(store);
    if (!run_wrong(r))
        simdisk_flip(&r->disk, name, bit);
}

/* A damaged checkpoint, or none, costs time and nothing else. */
static void run_spoil_checkpoint(struct run *r)
{
    const struct buf *b = simdisk_bytes(&r->disk, "checkpoint");
    if (b && b->n && rng_percent(&r->rng, 70))
        simdisk_flip(&r->disk, "checkpoint", rng_below(&r->rng, b->n * 8));
    else
        simdisk_drop(&r->disk, "checkpoint");
}

static void run_reopen(struct run *r)
{
    bool clean = run_close(r);
    if (r->disk.down) {
        run_restart(r);
    } else if (clean && r->model.erasing == MODEL_USERS && !r->disk.gone &&
               !r->model.retain_bytes && !r->model.retain_days &&
               rng_percent(&r->rng, r->flips)) { /* or it may be in what was dropped */
        run_disarm(r);
        for (int i = 0; i < 4 && !run_wrong(r); i++)
            run_flip(r);
    } else if (clean && rng_percent(&r->rng, 30)) {
        run_spoil_checkpoint(r);
    }
    run_open(r);
}

/* ---- runs ------------------------------------------------------------------------------- */

static void run_begin(struct run *r, uint64_t seed, FILE *trace)
{
    *r = (struct run){.rng = {seed}, .stop_how = -1};
    world_begin(rng_next(&r->rng));
    simdisk_init(&r->disk, rng_next(&r->rng));
    r->disk.trace = trace;
    model_init(&r->model, &r->disk);
    r->model.ctx = r;
    r->log = (struct log){LOG_DEBUG, run_log, r, "store"};
    r->options = (struct store_options){
        .disk = &r->disk.disk,
        .log = &r->log,
        .sync_ms = SYNC_MS,
        .inline_commit = true,
        .committed = run_committed,
        .marked = run_marked,
        .failed = run_failed,
        .erased = run_erased,
        .revoked = run_revoked,
        .ctx = r,
    };
}

/* The power is cut once more, and then all must be there, and go on. */
static void run_end(struct run *r, struct run_result *result)
{
    run_disarm(r);
    r->stops = r->fails = 0;
    for (int i = 0; i < 2 && !run_wrong(r); i++) {
        if (i)
            for (int k = 0; k < 3; k++)
                run_append(r);
        run_close(r);
        r->stop_how = SIMDISK_POWER;
        run_restart(r);
        run_open(r);
    }
    if (r->store)
        run_close(r);
    memcpy(result->wrong, r->model.wrong, sizeof result->wrong);
    result->calls = r->disk.calls;
    result->writes = r->disk.writes;
    model_fini(&r->model);
    simdisk_fini(&r->disk);
}

static void run_step(struct run *r)
{
    uint32_t n = 1;
    switch (rng_below(&r->rng, 12)) {
    case 0:
        n = rng_below(&r->rng, 30);
        /* fall through */
    case 1:
    case 2:
    case 3:
        for (uint32_t i = 0; i < n; i++) {
            run_append(r);
            if (rng_percent(&r->rng, r->marks))
                run_mark(r);
        }
        break;
    case 4:
    case 5:
    case 6:
        run_flush(r);
        break;
    case 7:
    case 8:
    case 9:
        run_collect(r);
        break;
    case 10:
        world_pass(rng_below(&r->rng, 2 * SYNC_MS));
        if (rng_percent(&r->rng, 20))
            r->time += rng_below(&r->rng, 3 * 86400000);
        if (rng_percent(&r->rng, 30))
            run_between(r);
        if (rng_percent(&r->rng, 20))
            run_compact(r);
        if (rng_percent(&r->rng, r->erases))
            run_erase(r);
        if (rng_percent(&r->rng, 30))
            run_revoke(r);
        break;
    case 11:
        if (store_failure(r->store) || rng_percent(&r->rng, 30))
            run_reopen(r);
        break;
    }
}

static void run_arm(struct run *r)
{
    if (rng_percent(&r->rng, r->stops))
        run_arm_stop(r);
    if (rng_percent(&r->rng, r->fails))
        run_arm_fail(r);
    if (r->disk.room != UINT64_MAX && rng_percent(&r->rng, 20))
        r->disk.room = UINT64_MAX;
    else if (rng_percent(&r->rng, r->shortages))
        r->disk.room =
            simdisk_used(&r->disk) + rng_below(&r->rng, rng_percent(&r->rng, 50) ? 80 : 1500);
}

void run_seed(struct run_result *result, uint64_t seed, FILE *trace)
{
    struct run r;
    run_begin(&r, seed, trace);
    r.stops = rng_percent(&r.rng, 70) ? 1 + rng_below(&r.rng, 10) : 0;
    r.fails = rng_percent(&r.rng, 50) ? 1 + rng_below(&r.rng, 10) : 0;
    r.shortages = rng_percent(&r.rng, 30) ? 1 + rng_below(&r.rng, 20) : 0;
    r.kills = rng_below(&r.rng, 60);
    r.flips = 30;
    static const uint32_t max_keys[] = {2, 6, 1000};
    r.keyed = rng_percent(&r.rng, 50) ? rng_below(&r.rng, 101) : 0;
    r.marks = rng_percent(&r.rng, 60) ? rng_below(&r.rng, 101) : 0;
    r.erases = rng_percent(&r.rng, 50) ? rng_below(&r.rng, 101) : 0;
    r.options.max_keys = r.model.max_keys = max_keys[rng_below(&r.rng, 3)];
    unsigned synced = rng_percent(&r.rng, 60) ? 100 : rng_below(&r.rng, 101);
    run_choose_options(&r, synced);
    if (rng_percent(&r.rng, 30))
        r.options.retain_bytes = r.model.retain_bytes = 300 + rng_below(&r.rng, 20000);
    if (rng_percent(&r.rng, 20))
        r.options.retain_days = r.model.retain_days = 1 + rng_below(&r.rng, 9);
    if (rng_percent(&r.rng, 50))
        r.model.between = run_between;
    run_open(&r);
    for (uint32_t steps = 20 + rng_below(&r.rng, 100); steps && !run_wrong(&r); steps--) {
        run_arm(&r);
        if (rng_percent(&r.rng, 10))
            run_choose_options(&r, synced);
        run_step(&r);
        if (!run_wrong(&r) && !r.disk.down && r.store)
            run_look(&r);
        run_go_on(&r);
    }
    run_end(&r, result);
}

/* A batch of n messages, all the way. */
static void run_batch(struct run *r, int n)
{
    for (int i = 0; i < n && !run_wrong(r); i++)
        run_append(r);
    run_flush(r);
    run_append(r);
    run_collect(r);
    run_go_on(r);
    if (!run_wrong(r))
        run_look(r);
    run_go_on(r);
}

void run_script(struct run_result *result, uint64_t seed, const struct run_fault *fault,
                FILE *trace)
{
    struct run r;
    run_begin(&r, 1, trace);
    r.disk.rng.state = seed;
    r.disk.fail_at = fault->fail_at;
    r.disk.fail_write = fault->fail_write;
    r.disk.fail_error = fault->fail_error;
    r.disk.stop_at = fault->stop_at;
    r.disk.stop_write = fault->stop_write;
    r.stop_how = (int)fault->stop_how;
    r.options.sync = fault->sync;
    r.options.segment_size = 3000;
    run_open(&r);
    for (int i = 0; i < 12 && !run_wrong(&r); i++) {
        world_pass(SYNC_MS / 2);
        if (i % 4 == 1) /* room for a part of the batch, or for no new segment */
            r.disk.room = simdisk_used(&r.disk) + (i == 5 ? 30 : 300);
        run_batch(&r, 1 + i % 3);
        r.disk.room = UINT64_MAX;
        if (run_wrong(&r))
            break;
        if (i == 6 || store_failure(r.store))
            run_reopen(&r);
    }
    run_end(&r, result);
}
