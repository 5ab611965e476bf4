#include "store/inside.h"

#include "base/endian.h"
#include "codec/json.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* What gathers while a batch is being written is bounded: the disk has stopped when it is full. */
#define GATHER_MAX (8u << 20)
/* Bytes that a sync may well take at once: beyond them it takes longer than its call is worth. */
#define GATHER_ENOUGH (256u << 10)

/* Of arranging, checkpoints and what else can wait. */
#define STORE_NICE 10

/* ---- opening and closing ---------------------------------------------------------------- */

static enum store_status store_start_commit(struct store *s, struct store_error *error)
{
    int result = commit_init(&s->commit, &s->options, segments_last(&s->segments), s->end);
    if (!result) {
        prefetch_init(&s->prefetch, s->options.disk, s->commit.fd);
        worker_init(&s->worker, s->commit.fd, STORE_NICE, !s->options.inline_commit);
        checkpoint_init(&s->checkpoint, s->options.disk, s->options.log, &s->worker, &s->index,
                        &s->keys);
        return STORE_OK;
    }
    snprintf(error->text, sizeof error->text, "cannot start the commit thread: %s",
             strerror(-result));
    return STORE_SYSTEM;
}

static enum store_status store_lock(const struct store *s, struct store_error *error)
{
    int result = s->options.disk->lock(s->options.disk->ctx);
    if (!result)
        return STORE_OK;
    if (result == -EWOULDBLOCK) {
        snprintf(error->text, sizeof error->text, "another process uses the data directory");
        return STORE_LOCKED;
    }
    snprintf(error->text, sizeof error->text,
             "cannot lock the data directory: %s; expected one that this user may write to",
             strerror(-result));
    return STORE_SYSTEM;
}

static void store_free(struct store *s)
{
    segments_fini(&s->segments, s->options.disk);
    index_fini(&s->index);
    keys_fini(&s->keys);
    erase_fini(&s->erase);
    revoked_fini(&s->revoked);
    buf_free(&s->batches[0].records);
    buf_free(&s->batches[1].records);
    buf_free(&s->scratch);
    recent_fini(&s->recent);
    free(s->stash);
    free(s);
}

enum store_status store_open(struct store **out, const struct store_options *options,
                             struct store_error *error)
{
    *error = (struct store_error){0};
    struct store *s = calloc(1, sizeof *s);
    if (!s || index_init(&s->index) || keys_init(&s->keys, options->max_keys)) {
        snprintf(error->text, sizeof error->text, "no memory, or no source of random numbers");
        if (s)
            store_free(s);
        return STORE_SYSTEM;
    }
    s->options = *options;
    s->recent.size = options->recent < 1 << 30 ? options->recent : 1 << 30;
    if (s->options.segment_size == 0 || s->options.segment_size > 1 << 30)
        s->options.segment_size = STORE_SEGMENT_SIZE;
    /* Likewise for its size: what is dropped at a time is an eighth of what is kept. */
    if (options->retain_bytes && s->options.segment_size > options->retain_bytes / 64)
        s->options.segment_size = options->retain_bytes / 64;
    s->gathering = &s->batches[0];
    enum store_status status = store_lock(s, error);
    if (!status)
        status = revoked_load(s, error);
    if (!status)
        status = recover_log(s, error);
    if (!status && erase_resume(s)) {
        snprintf(error->text, sizeof error->text, "no memory to go on erasing a user");
        status = STORE_SYSTEM;
    }
    if (!status)
        status = store_start_commit(s, error);
    if (status) {
        store_free(s);
        return status;
    }
    s->tail = s->end;
    s->tail_base = segments_last(&s->segments)->head.base;
    s->tail_date = segments_last(&s->segments)->head.date;
    s->now = s->last_date;
    s->upkeep.due = true;
    *out = s;
    return STORE_OK;
}

/* Of all that is committed. */
static struct checkpoint_head store_checkpoint_head(const struct store *s, uint64_t next_id)
{
    return (struct checkpoint_head){.log = s->commit.segment.head.log,
                                    .place = s->end,
                                    .next_id = next_id,
                                    .tip = s->tip,
                                    .begin = s->index.begin};
}

int store_close(struct store *s)
{
    for (;;) {
        commit_wait(&s->commit);
        store_collect(s);
        if (s->gathering->records.n == 0)
            break;
        store_flush(s);
    }
    worker_fini(&s->worker);
    revoked_step(s); /* what was asked for last; the worker's jobs are done at once by now */
    revoked_step(s);
    prefetch_fini(&s->prefetch);
    upkeep_fini(s);
    int failure = commit_fini(&s->commit);
    if (!failure && s->checkpointed != s->end && erase_is_noted(&s->erase)) {
        const struct checkpoint_head head = store_checkpoint_head(s, s->next_id);
        s->checkpoint.open = false;
        checkpoint_begin(&s->checkpoint, &head);
    }
    checkpoint_fini(&s->checkpoint);
    if (failure && !s->failure)
        log_write(s->options.log, LOG_ERROR, "cannot sync the log at its end: %s",
                  strerror(-failure));
    if (!failure)
        failure = s->failure;
    store_free(s);
    return failure;
}

/* ---- appending -------------------------------------------------------------------------- */

/* A segment goes when nothing in it is to be kept, and eight may have become one by then: so that
 * nothing is kept much longer than it is to be, a segment is not filled for ever. */
static bool store_is_old(const struct store *s, int64_t begun)
{
    const int64_t hour = 60 * 60 * 1000;
    int64_t most = s->options.retain_days * 24 * hour / 64;
    return most && s->now - begun > (most > hour ? most : hour);
}

/* The first record of a batch decides where the batch goes: into a new segment, if the record
 * would make the last one too large. The rest of the batch follows it in any case. */
static bool store_is_full(const struct store *s, size_t record)
{
    uint64_t used = s->tail - s->tail_base;
    return used > SEGMENT_HEAD &&
           (s->sealing || used + record > s->options.segment_size || store_is_old(s, s->tail_date));
}

static int store_begin_batch(struct store *s, bool rotate)
{
    struct batch *b = s->gathering;
    if (rotate && segments_reserve(&s->segments))
        return -ENOMEM;
    b->rotate = rotate;
    b->place = b->rotate ? s->tail + SEGMENT_HEAD : s->tail;
    b->first_id = s->next_id;
    b->date = s->last_date;
    /* A batch is written after all in front of it is durable if every batch is synced, and also
     * at the begin of a segment. */
    bool durable = b->rotate || s->options.sync == STORE_SYNC_ALWAYS;
    s->gathering_durable = durable ? b->place : commit_durable(&s->commit);
    return 0;
}

/* The caller has reserved the room. */
static void store_put_message(struct buf *b, uint64_t id, struct slice from, struct slice to,
                              struct slice content, int64_t date)
{
    uint8_t *p = buf_put_lit(b->p + b->n, "{\"id\":");
    p = buf_put_u64(p, id);
    p = buf_put_lit(p, ",\"from\":");
    p += json_string_encode(p, from);
    p = buf_put_lit(p, ",\"to\":");
    p += json_string_encode(p, to);
    p = buf_put_lit(p, ",\"content\":");
    p = buf_put(p, content.p, content.n);
    p = buf_put_lit(p, ",\"date\":");
    p = buf_put_u64(p, (uint64_t)date);
    p = buf_put_lit(p, "}");
    b->n = (size_t)(p - b->p);
}

/* An empty batch is to begin a new segment, and to wait for nothing. False: it need not, or cannot. */
static bool store_begin_seal(struct store *s)
{
    if (!s->sealing || s->failure || store_begin_batch(s, store_is_full(s, 0)))
        return false;
    s->sealing = s->gathering->rotate;
    return s->sealing;
}

/* Room for a record of that length in the batch, which begins with it if it is the first. */
static int store_reserve(struct store *s, size_t need, int64_t now)
{
    struct buf *b = &s->gathering->records;
    if (s->next_id >= RECORD_MAX_ID)
        return -EOVERFLOW;
    if (b->n + need > GATHER_MAX)
        return -ENOBUFS;
    if (!buf_reserve(b, need)) {
        b->failed = false;
        return -ENOMEM;
    }
    s->now = now;
    return b->n == 0 ? store_begin_batch(s, store_is_full(s, need)) : 0;
}

/* The date of what is appended now. */
static int64_t store_date(const struct store *s)
{
    return s->now > s->last_date ? s->now : s->last_date;
}

/* The record whose body stands at the end of the batch gets its id and its head. */
static uint64_t store_seal_record(struct store *s, struct record *r, size_t start)
{
    struct buf *b = &s->gathering->records;
    uint64_t place = s->gathering->place + start, back = place - s->gathering_durable;
    r->length = (uint32_t)(b->n - start);
    r->flags |= s->options.sync != STORE_SYNC_ALWAYS ? RECORD_UNSYNCED : 0;
    r->back = back < RECORD_BACK_UNKNOWN ? (uint32_t)back : RECORD_BACK_UNKNOWN;
    r->id = s->next_id++;
    r->date = s->last_date = store_date(s);
    record_seal(r, b->p + start, place);
    return place;
}

/* The message whose body has been put at the end of the batch: was it sent before? 0: it is new. What was
 * stored before a failure is known behind it, too. */
static int store_know(struct store *s, const struct key *key, uint64_t *id, int64_t *date)
{
    const struct key *first = keys_find(&s->keys, key);
    if (!first)
        return s->failure ? s->failure : keys_add(&s->keys, key);
    if (memcmp(first->what, key->what, sizeof key->what) != 0)
        return -EEXIST;
    *id = first->id;
    *date = first->date;
    return first->id <= s->committed_id ? STORE_KNOWN : STORE_PENDING;
}

int store_append(struct store *s, struct slice from, struct slice to, struct slice content,
                 struct slice key, int64_t now, uint64_t *id, int64_t *date)
{
    assert(from.n >= 1 && from.n <= STORE_MAX_USER && to.n >= 1 && to.n <= STORE_MAX_USER);
    assert(content.n <= STORE_MAX_CONTENT && key.n <= STORE_MAX_KEY);
    if (s->erase.state && (store_is_erasing(s, from) || store_is_erasing(s, to)))
        return -EBUSY;
    if (s->failure && !key.n)
        return s->failure;
    int result = store_reserve(s, RECORD_HEAD + content.n + RECORD_AROUND, now);
    if (result)
        return result;
    uint32_t number = 0;
    struct buf *b = &s->gathering->records;
    size_t start = b->n;
    b->n += RECORD_HEAD;
    *id = s->next_id;
    *date = store_date(s);
    store_put_message(b, *id, from, to, content, *date);
    if (key.n) {
        struct slice json = slice_of(b->p + start + RECORD_HEAD, b->n - start - RECORD_HEAD);
        const struct key known = keys_describe(from, key, json, *id, *date);
        result = store_know(s, &known, id, date);
        buf_append_slice(b, key);
    }
    if (!result && index_intern(&s->index, from, to, &number)) {
        keys_forget(&s->keys, s->next_id);
        result = -ENOMEM;
    }
    if (result) {
        b->n = start;
        return result;
    }
    struct conversation *c = &s->index.conversations[number];
    struct record r = {.kind = RECORD_KIND_MESSAGE,
                       .flags = slice_cmp(from, to) > 0 ? RECORD_FROM_SECOND : 0,
                       .key_length = (uint8_t)key.n,
                       .conversation = number,
                       .prev = c->tail};
    c->tail = store_seal_record(s, &r, start);
    return 0;
}

int store_mark(struct store *s, struct slice reader, struct slice other, uint64_t up_to,
               int64_t now, uint64_t *id)
{
    if (store_is_erasing(s, reader) || store_is_erasing(s, other))
        return -EBUSY;
    uint32_t number = index_find(&s->index, reader, other);
    const struct conversation *c = number == INDEX_NONE ? NULL : &s->index.conversations[number];
    if (!c || c->last < s->index.begin || up_to > c->last_id)
        return -ERANGE;
    bool second = slice_cmp(reader, other) > 0;
    if (up_to < store_first_id(s) || up_to <= c->mark[second])
        return STORE_KNOWN;
    int result = s->failure ? s->failure : store_reserve(s, RECORD_MARK, now);
    if (result)
        return result;
    struct buf *b = &s->gathering->records;
    size_t start = b->n;
    struct record r = {
        .kind = RECORD_KIND_MARK, .flags = second ? RECORD_FROM_SECOND : 0, .conversation = number};
    le64_store(b->p + start + RECORD_HEAD, up_to);
    b->n += RECORD_MARK;
    *id = s->next_id;
    store_seal_record(s, &r, start);
    return 0;
}

bool store_is_pressed(const struct store *s)
{
    return s->gathering->records.n >= GATHER_ENOUGH;
}

/* Unless the batch before it is under way. */
static void store_submit(struct store *s)
{
    struct batch *b = s->gathering;
    if (!commit_submit(&s->commit, b))
        return;
    if (b->rotate) {
        s->sealing = false;
        s->tail_base = s->tail;
        s->tail_date = b->date;
    }
    s->tail = b->place + b->records.n;
    s->gathering = b == &s->batches[0] ? &s->batches[1] : &s->batches[0];
}

void store_flush(struct store *s)
{
    checkpoint_step(&s->checkpoint, s->end);
    if (!store_can_look(s)) /* who asked for the next turn may have been heard in this one */
        prefetch_yield(&s->prefetch);
    s->steps = 0;
    upkeep_step(s);
    revoked_step(s);
    if (s->gathering->records.n || store_begin_seal(s))
        store_submit(s);
}

void store_tick(struct store *s, int64_t now)
{
    s->now = now;
    upkeep_tick(s);
}

int store_compact(struct store *s, void (*progress)(void *ctx, uint64_t done, uint64_t total),
                  void *ctx)
{
    int result = 0;
    if (!s->failure) {
        s->sealing = true;
        store_flush(s);
        store_collect(s);
    }
    uint64_t done = 0, total = s->end - s->segments.at[0].head.base;
    for (uint32_t i = 0; i + 1 < s->segments.count; i++)
        if (!s->segments.at[i].head.end)
            total += segments_end(&s->segments, i) - s->segments.at[i].head.base;
    s->compacting = s->upkeep.due = true;
    s->upkeep.rests = 0;
    while (upkeep_step(s)) {
        if (progress)
            progress(ctx, done < total ? done : total, total);
        done += s->upkeep.arrange.end - s->upkeep.arrange.inputs[0].head.base;
    }
    s->compacting = false;
    for (uint32_t i = 0; i < s->segments.count && !result; i++)
        result = s->segments.at[i].stuck ? -EBADMSG : 0;
    return s->failure ? s->failure : result ? result : s->upkeep.rests ? -EIO : 0;
}

int store_fd(const struct store *s)
{
    return s->commit.fd;
}

int store_failure(const struct store *s)
{
    return s->failure;
}

/* ---- what became of a batch ------------------------------------------------------------- */

void store_message_of(const struct store *s, const struct record *r, const uint8_t *p,
                      struct store_message *out)
{
    const struct conversation *c = &s->index.conversations[r->conversation];
    int second = r->flags & RECORD_FROM_SECOND;
    out->id = r->id;
    out->date = r->date;
    out->from = index_name(&s->index, c->user[second]);
    out->to = index_name(&s->index, c->user[!second]);
    out->json = record_json(r, p);
}

static void store_deliver_message(struct store *s, const struct record *r, const uint8_t *p,
                                  uint64_t place)
{
    struct store_message message;
    index_commit(&s->index, r->conversation, place, r->id);
    index_count(&s->index, r->conversation, r->flags & RECORD_FROM_SECOND, r->id);
    s->tip.messages++;
    store_message_of(s, r, p, &message);
    s->options.committed(s->options.ctx, &message);
}

static void store_deliver_mark(struct store *s, const struct record *r, const uint8_t *p)
{
    const struct conversation *c = &s->index.conversations[r->conversation];
    bool second = r->flags & RECORD_FROM_SECOND;
    struct store_mark mark = {.id = r->id,
                              .reader = index_name(&s->index, c->user[second]),
                              .other = index_name(&s->index, c->user[!second]),
                              .up_to = record_up_to(p)};
    mark.moved = index_mark(&s->index, r->conversation, second, mark.up_to);
    s->options.marked(s->options.ctx, &mark);
}

/* Each message is readable before the callback hears of it. The callback may append. */
static void store_deliver(struct store *s, const struct batch *b)
{
    s->end = b->place + b->records.n;
    s->batch_count++;
    recent_add(&s->recent, b->place, buf_slice(&b->records));
    struct record r;
    for (size_t at = 0; at < b->records.n; at += r.length) {
        const uint8_t *p = b->records.p + at;
        bool ours = record_read(&r, p);
        assert(ours);
        s->tip.date = r.date;
        s->committed_id = r.id;
        s->tip.place = b->place + at;
        s->tip.check = le32_load(p);
        s->tip.flags = r.flags;
        if (r.kind == RECORD_KIND_MARK)
            store_deliver_mark(s, &r, p);
        else
            store_deliver_message(s, &r, p, b->place + at);
    }
}

/* Makes each conversation end where it did before the batch. */
static void store_reset_tails(struct store *s, const struct batch *b)
{
    struct record r;
    for (size_t at = 0; at < b->records.n; at += r.length) {
        bool ours = record_read(&r, b->records.p + at);
        assert(ours);
        s->index.conversations[r.conversation].tail = s->index.conversations[r.conversation].last;
    }
}

/* The batch that was written, if that failed, and the one that gathers, whose places counted on
 * it. All is as before them when the callback hears of it, except that no id comes again. */
static void store_drop(struct store *s, struct batch *written, int error)
{
    uint64_t first = s->gathering->records.n ? s->gathering->first_id : s->next_id;
    if (written) {
        first = written->first_id;
        store_reset_tails(s, written);
        buf_clear(&written->records);
        commit_release(&s->commit);
    }
    store_reset_tails(s, s->gathering);
    buf_clear(&s->gathering->records);
    index_forget_uncommitted(&s->index);
    keys_forget(&s->keys, first);
    s->tail = s->end;
    s->tail_base = segments_last(&s->segments)->head.base;
    s->tail_date = segments_last(&s->segments)->head.date;
    uint64_t behind = s->next_id;
    log_write(s->options.log, LOG_ERROR,
              "cannot write the log, %llu messages and marks are refused: %s",
              (unsigned long long)(behind - first), strerror(-error));
    for (uint64_t id = first; id < behind; id++)
        s->options.failed(s->options.ctx, id, error);
    if (s->erase.state == ERASE_SEALS || (s->erase.state && s->failure))
        erase_failed(s, error);
}

void store_collect(struct store *s)
{
    int before = s->failure;
    struct batch *b = commit_take(&s->commit, &s->failure);
    if (b && b->opened.file >= 0) {
        segments_push(&s->segments, &b->opened);
        s->upkeep.due = true;
        s->end = b->opened.head.base + SEGMENT_HEAD;
        /* All in front of it is durable, whatever --sync says, and so is its head. */
        const struct checkpoint_head head = store_checkpoint_head(s, b->first_id);
        /* Small segments do without some: as much is logged as a checkpoint takes. */
        if (!b->error && erase_is_noted(&s->erase) &&
            s->end - s->checkpoint.place >= checkpoint_bytes(&s->index))
            checkpoint_begin(&s->checkpoint, &head);
    }
    if (b && b->error) {
        store_drop(s, b, b->error);
    } else if (b) {
        store_deliver(s, b);
        buf_clear(&b->records);
        commit_release(&s->commit);
    }
    if (s->failure && !before)
        store_drop(s, NULL, s->failure);
    if (prefetch_take(&s->prefetch) && s->options.readable)
        s->options.readable(s->options.ctx);
}

/* Bytes of all segments, without prepared space. */
static uint64_t store_bytes(const struct store *s)
{
    uint64_t bytes = s->end - segments_last(&s->segments)->head.base;
    for (uint32_t i = 0; i + 1 < s->segments.count; i++) {
        const struct segment *one = &s->segments.at[i];
        bytes += one->head.end ? one->size : segments_end(&s->segments, i) - one->head.base;
    }
    return bytes;
}

void store_get_stats(const struct store *s, struct store_stats *out)
{
    *out = (struct store_stats){
        .messages = s->tip.messages,
        .conversations = s->index.conversation_count - s->index.hole_count,
        .users = s->index.user_count,
        .bytes = store_bytes(s),
        .segments = s->segments.count,
        .first_id = store_first_id(s),
        .batches = s->batch_count,
    };
}
