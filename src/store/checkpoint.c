#include "store/checkpoint.h"

#include "base/endian.h"
#include "base/list.h"

#include <errno.h>
#include <stdlib.h>

#define CHECKPOINT_VERSION 1
#define CHECKPOINT_HEAD 104
#define CHECKPOINT_KEY 40
#define CHECKPOINT_MAX (UINT64_C(8) << 30) /* bytes; more is no checkpoint of ours */

/* Entries put together in one turn: some ten microseconds. */
#define CHECKPOINT_SLICE 1024

static const uint8_t magic[8] = {'p', 'a', 'r', 'l', 'e', 'y', 'c', 'k'};

void checkpoint_init(struct checkpoint *c, const struct disk *disk, const struct log *log,
                     struct worker *worker, const struct index *index, const struct keys *keys)
{
    *c = (struct checkpoint){
        .disk = disk, .log = log, .worker = worker, .index = index, .keys = keys};
}

/* ---- writing ----------------------------------------------------------------------------- */

static void checkpoint_run(struct worker_job *job)
{
    struct checkpoint *c = container_of(job, struct checkpoint, job);
    int result = disk_write_file(c->disk, CHECKPOINT_NAME, c->bytes.p, c->bytes.n);
    if (result)
        log_write(c->log, LOG_WARN, "cannot write a checkpoint, the next start takes longer: %s",
                  strerror(-result));
}

static void checkpoint_hand_over(struct checkpoint *c)
{
    c->open = false;
    c->job.run = checkpoint_run;
    if (worker_give(c->worker, &c->job))
        log_write(c->log, LOG_WARN, "no thread for a checkpoint; the next start takes longer");
}

void checkpoint_fini(struct checkpoint *c)
{
    buf_free(&c->bytes);
}

static void checkpoint_put_head(struct buf *out, const struct checkpoint_head *head,
                                uint32_t conversations)
{
    uint8_t *p = buf_reserve(out, CHECKPOINT_HEAD);
    if (!p)
        return;
    memcpy(p, magic, sizeof magic);
    le32_store(p + 8, CHECKPOINT_VERSION);
    le32_store(p + 12, CHECKPOINT_HEAD);
    le64_store(p + 16, head->log);
    le64_store(p + 24, head->place);
    le64_store(p + 32, head->next_id);
    le64_store(p + 40, (uint64_t)head->tip.date);
    le64_store(p + 48, head->tip.messages);
    le64_store(p + 56, head->tip.place);
    le32_store(p + 64, head->tip.check);
    le32_store(p + 68, head->tip.flags);
    le32_store(p + 72, conversations);
    le64_store(p + 80, head->begin);
    /* Not known yet: users, the place that is reached, keys. */
    le32_store(p + 76, 0);
    memset(p + 88, 0, CHECKPOINT_HEAD - 88);
    out->n += CHECKPOINT_HEAD;
}

void checkpoint_begin(struct checkpoint *c, const struct checkpoint_head *head)
{
    /* A disk that has not taken the one before yet goes without this one. */
    if (c->open || worker_is_busy(&c->job))
        return;
    buf_clear(&c->bytes);
    c->open = true;
    c->place = head->place;
    c->names = false;
    c->done = c->users = 0;
    c->key = 0;
    c->next_id = head->next_id;
    c->conversations = c->index->conversation_count;
    checkpoint_put_head(&c->bytes, head, c->conversations);
    while (c->open && !c->worker->threaded)
        checkpoint_step(c, head->place);
}

static void checkpoint_put_conversation(struct checkpoint *c, const struct conversation *one)
{
    uint8_t *p = buf_reserve(&c->bytes, CHECKPOINT_CONVERSATION);
    if (!p)
        return;
    /* One of which nothing is committed may yet be forgotten; all of another may be gone. */
    bool hole = one->last == 0 || one->last < c->index->begin;
    le32_store(p, hole ? INDEX_NONE : one->user[0]);
    le32_store(p + 4, hole ? INDEX_NONE : one->user[1]);
    le64_store(p + 8, one->last);
    le64_store(p + 16, one->last_id);
    for (int i = 0; i < 2; i++) {
        le64_store(p + 24 + 8 * i, one->mark[i]);
        le32_store(p + 40 + 4 * i, one->unread[i]);
    }
    c->bytes.n += CHECKPOINT_CONVERSATION;
    for (int i = 0; i < 2 && !hole; i++)
        if (one->user[i] >= c->users)
            c->users = one->user[i] + 1;
}

/* The name of one who has no conversation any more may be there no more. */
static void checkpoint_put_user(struct checkpoint *c, uint32_t user)
{
    struct slice name =
        c->index->users[user].head == INDEX_NONE ? SLICE("-") : index_name(c->index, user);
    uint8_t n = (uint8_t)name.n;
    buf_append(&c->bytes, &n, 1);
    buf_append_slice(&c->bytes, name);
}

/* Those that are forgotten meanwhile are left out. False: there is none left. */
static bool checkpoint_put_key(struct checkpoint *c)
{
    const struct keys *k = c->keys;
    if (c->key < k->first)
        c->key = k->first;
    const struct key *key = c->key < k->next ? &k->ring[c->key % k->max] : NULL;
    if (!key || key->id >= c->next_id)
        return false;
    uint8_t *p = buf_reserve(&c->bytes, CHECKPOINT_KEY);
    if (!p)
        return true;
    memcpy(p, key->who, sizeof key->who);
    memcpy(p + 16, key->what, sizeof key->what);
    le64_store(p + 24, key->id);
    le64_store(p + 32, (uint64_t)key->date);
    c->bytes.n += CHECKPOINT_KEY;
    c->key++;
    return true;
}

void checkpoint_step(struct checkpoint *c, uint64_t end)
{
    if (!c->open && c->bytes.cap && !worker_is_busy(&c->job))
        buf_free(&c->bytes);
    for (int i = 0; c->open && i < CHECKPOINT_SLICE; i++) {
        if (c->bytes.failed) {
            log_write(c->log, LOG_WARN, "no memory for a checkpoint; the next start takes longer");
            c->open = false;
        } else if (!c->names && c->done < c->conversations) {
            checkpoint_put_conversation(c, &c->index->conversations[c->done++]);
        } else if (!c->names) {
            c->names = true;
            c->done = 0;
            le32_store(c->bytes.p + 76, c->users);
            le64_store(c->bytes.p + 88, end);
        } else if (c->done < c->users) {
            checkpoint_put_user(c, c->done++);
        } else if (checkpoint_put_key(c)) {
            c->done++;
        } else {
            le32_store(c->bytes.p + 96, c->done - c->users);
            record_append_check(&c->bytes);
            if (!c->bytes.failed)
                checkpoint_hand_over(c);
        }
    }
}

/* ---- reading ----------------------------------------------------------------------------- */

/* The users' names, in their order: false if the bytes are not just that many names. */
static bool checkpoint_read_names(struct slice in, struct slice *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (in.n < 1 || in.p[0] < 1 || in.p[0] > 64 || in.n - 1 < in.p[0])
            return false;
        names[i] = slice_of(in.p + 1, in.p[0]);
        in = slice_skip(in, 1 + names[i].n);
    }
    return in.n == 0;
}

/* Conversations get the numbers they had, users perhaps others. What is said to lie behind `place`
 * must be found there: until then, no record is the tail. */
static bool checkpoint_fill(struct index *ix, const uint8_t *p, uint32_t conversations,
                            const struct slice *names, uint32_t users, uint64_t place)
{
    for (uint32_t i = 0; i < conversations; i++, p += CHECKPOINT_CONVERSATION) {
        uint32_t first = le32_load(p), second = le32_load(p + 4);
        if (first == INDEX_NONE)
            continue;
        if (first >= users || second >= users || le64_load(p + 8) == 0 ||
            index_load_users(ix, names[first], names[second], i))
            return false;
        index_load_record(ix, i, le64_load(p + 8), le64_load(p + 16));
        if (le64_load(p + 8) >= place)
            ix->conversations[i].tail = 0;
        for (int k = 0; k < 2; k++) {
            ix->conversations[i].mark[k] = le64_load(p + 24 + 8 * k);
            ix->conversations[i].unread[k] = le32_load(p + 40 + 4 * k);
        }
    }
    return true;
}

static bool checkpoint_read_keys(struct keys *keys, const uint8_t *p, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++, p += CHECKPOINT_KEY) {
        struct key key = {.id = le64_load(p + 24), .date = (int64_t)le64_load(p + 32)};
        memcpy(key.who, p, sizeof key.who);
        memcpy(key.what, p + 16, sizeof key.what);
        if (keys_load(keys, &key))
            return false;
    }
    return true;
}

static const char *checkpoint_parse(const uint8_t *p, size_t n, struct index *ix, struct keys *keys,
                                    struct checkpoint_head *head)
{
    if (n < CHECKPOINT_HEAD + 4 || memcmp(p, magic, sizeof magic) != 0)
        return "it is none of ours";
    if (le32_load(p + 8) != CHECKPOINT_VERSION || le32_load(p + 12) != CHECKPOINT_HEAD)
        return "it has another version";
    if (!record_has_check(p, n))
        return "its check does not match";
    *head = (struct checkpoint_head){.log = le64_load(p + 16),
                                     .place = le64_load(p + 24),
                                     .next_id = le64_load(p + 32),
                                     .tip = {.date = (int64_t)le64_load(p + 40),
                                             .messages = le64_load(p + 48),
                                             .place = le64_load(p + 56),
                                             .check = le32_load(p + 64),
                                             .flags = le32_load(p + 68)},
                                     .begin = le64_load(p + 80),
                                     .reach = le64_load(p + 88)};
    uint32_t conversations = le32_load(p + 72), users = le32_load(p + 76);
    uint32_t known = le32_load(p + 96);
    uint64_t lists = (uint64_t)conversations * CHECKPOINT_CONVERSATION;
    uint64_t body = n - CHECKPOINT_HEAD - 4, tail = (uint64_t)known * CHECKPOINT_KEY;
    if (lists > body || tail > body - lists || users > body - lists - tail)
        return "it is too short";
    struct slice *names = calloc((size_t)users + 1, sizeof *names);
    const char *why = NULL;
    struct slice list = slice_of(p + CHECKPOINT_HEAD + lists, (size_t)(body - lists - tail));
    if (names &&
        (!checkpoint_read_names(list, names, users) ||
         !checkpoint_fill(ix, p + CHECKPOINT_HEAD, conversations, names, users, head->place)))
        why = "it contradicts itself";
    else if (!names || !checkpoint_read_keys(keys, p + n - 4 - tail, known))
        why = "there is no memory to read it";
    free(names);
    return why;
}

const char *checkpoint_load(const struct disk *disk, struct index *ix, struct keys *keys,
                            struct checkpoint_head *head)
{
    struct buf file = {0};
    int result = disk_read_file(disk, CHECKPOINT_NAME, CHECKPOINT_MAX, &file);
    const char *why = result == -ENOENT ? ""
                      : result          ? "it cannot be read"
                                        : checkpoint_parse(file.p, file.n, ix, keys, head);
    buf_free(&file);
    return why;
}

void checkpoint_remove(const struct disk *disk)
{
    if (disk->remove(disk->ctx, CHECKPOINT_NAME) == 0)
        disk->sync_dir(disk->ctx);
}
