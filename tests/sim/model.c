#include "model.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

const char *const model_users[MODEL_USERS] = {
    "alice",      "bob", "q\"uo\\te",
    "zo\xc3\xab", "z",   "0123456789012345678901234567890123456789012345678901234567890123",
};

/* The same as JSON. */
static const char *const model_names[MODEL_USERS] = {
    "\"alice\"",
    "\"bob\"",
    "\"q\\\"uo\\\\te\"",
    "\"zo\xc3\xab\"",
    "\"z\"",
    "\"0123456789012345678901234567890123456789012345678901234567890123\"",
};

static bool model_between(const struct message *message, unsigned user, unsigned other)
{
    return (message->from == user && message->to == other) ||
           (message->from == other && message->to == user);
}

void model_init(struct model *m, struct simdisk *disk)
{
    *m =
        (struct model){.disk = disk, .first_id = 1, .erasing = MODEL_USERS, .reading = MODEL_USERS};
}

void model_fini(struct model *m)
{
    for (uint32_t i = 0; i < m->count; i++)
        free(m->all[i].json);
    free(m->all);
    free(m->marks);
}

void model_wrong(struct model *m, const char *format, ...)
{
    if (*m->wrong)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(m->wrong, sizeof m->wrong, format, args);
    va_end(args);
    if (m->disk->trace)
        fprintf(m->disk->trace, "WRONG  %s\n", m->wrong);
}

/* ---- appending, and what became of it --------------------------------------------------- */

/* The ids of messages and marks rise together. */
static void model_check_id(struct model *m, uint64_t id)
{
    uint64_t last = m->count ? m->all[m->count - 1].id : 0;
    if (m->mark_count && m->marks[m->mark_count - 1].id > last)
        last = m->marks[m->mark_count - 1].id;
    if (id <= last)
        model_wrong(m, "id %" PRIu64 " comes after %" PRIu64, id, last);
    if (id <= m->called)
        model_wrong(m, "id %" PRIu64 " comes again", id);
}

void model_append(struct model *m, uint64_t id, int64_t date, int64_t now, unsigned from,
                  unsigned to, const char *content, unsigned key)
{
    int64_t expected = now > m->last_date ? now : m->last_date;
    if (id <= m->shown)
        model_wrong(m, "id %" PRIu64 " is handed out, and %" PRIu64 " has been shown", id,
                    m->shown);
    model_check_id(m, id);
    /* Not below any that was shown; the store may remember one that was refused. */
    if (date < expected || (date != expected && date > m->highest))
        model_wrong(m, "message %" PRIu64 " has date %" PRId64 ", not %" PRId64, id, date,
                    expected);
    m->highest = date > m->highest ? date : m->highest;
    if (m->count == m->cap) { /* a run has fewer: those that a read expects stay where they are */
        m->cap = m->cap ? m->cap * 2 : 1024;
        m->all = realloc(m->all, m->cap * sizeof *m->all);
        assert(m->all);
    }
    struct message *new = &m->all[m->count++];
    *new = (struct message){
        .id = id,
        .date = date,
        .from = (uint8_t)from,
        .to = (uint8_t)to,
        .batch = m->batch,
        .key = (uint8_t)key,
        .keyed = key ? ++m->keyed : 0,
        .synced = m->sync == STORE_SYNC_ALWAYS,
    };
    int n =
        asprintf(&new->json,
                 "{\"id\":%" PRIu64 ",\"from\":%s,\"to\":%s,\"content\":%s,\"date\":%" PRId64 "}",
                 id, model_names[from], model_names[to], content, date);
    assert(n > 0);
    new->json_n = (size_t)n;
    m->last_date = date;
}

static struct message *model_find(struct model *m, uint64_t id)
{
    uint32_t low = 0, high = m->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (m->all[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->count && m->all[low].id == id ? &m->all[low] : NULL;
}

static void model_compare(struct model *m, const struct message *expected,
                          const struct store_message *got)
{
    if (got->id != expected->id || got->date != expected->date ||
        !slice_eq(got->from, slice_str(model_users[expected->from])) ||
        !slice_eq(got->to, slice_str(model_users[expected->to])) ||
        !slice_eq(got->json, slice_of(expected->json, expected->json_n)))
        model_wrong(m, "message %" PRIu64 " was expected and this is there: %" PRIu64 " %.*s",
                    expected->id, got->id, (int)(got->json.n < 200 ? got->json.n : 200),
                    (const char *)got->json.p);
}

static void model_call(struct model *m, uint64_t id)
{
    if (id <= m->called)
        model_wrong(m, "a callback for %" PRIu64 " after that for %" PRIu64, id, m->called);
    m->called = id;
}

/* The message whose turn it is to be called back for. */
static struct message *model_next(struct model *m, uint64_t id)
{
    model_call(m, id);
    while (m->waiting < m->count && m->all[m->waiting].state != MESSAGE_PENDING)
        m->waiting++;
    if (m->waiting < m->count && m->all[m->waiting].id == id)
        return &m->all[m->waiting];
    model_wrong(m, "a callback for message %" PRIu64 " out of turn", id);
    return NULL;
}

void model_committed(struct model *m, const struct store_message *message)
{
    struct message *expected = model_next(m, message->id);
    if (!expected)
        return;
    model_compare(m, expected, message);
    if (store_newest(m->store, message->from) != message->id)
        model_wrong(m, "message %" PRIu64 " is acknowledged before it can be read", message->id);
    expected->state = MESSAGE_COMMITTED;
    expected->durable = m->sync == STORE_SYNC_ALWAYS;
    m->shown = message->id;
}

static struct mark *model_find_mark(struct model *m, uint64_t id)
{
    for (uint32_t i = m->mark_count; i-- > 0 && m->marks[i].id >= id;)
        if (m->marks[i].id == id && m->marks[i].state == MESSAGE_PENDING)
            return &m->marks[i];
    return NULL;
}

void model_failed(struct model *m, uint64_t id, int error)
{
    struct mark *mark = model_find_mark(m, id);
    if (error >= 0)
        model_wrong(m, "message %" PRIu64 " failed with %d", id, error);
    if (mark) {
        model_call(m, id);
        mark->state = store_failure(m->store) ? MESSAGE_OPEN : MESSAGE_REFUSED;
        return;
    }
    struct message *expected = model_next(m, id);
    if (expected)
        expected->state = store_failure(m->store) ? MESSAGE_OPEN : MESSAGE_REFUSED;
}

void model_closed(struct model *m, bool clean)
{
    m->store = NULL;
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->all[i].state == MESSAGE_PENDING)
            model_wrong(m, "closing did not call back for message %" PRIu64, m->all[i].id);
        if (clean && m->all[i].state == MESSAGE_COMMITTED)
            m->all[i].durable = true;
    }
    for (uint32_t i = 0; i < m->mark_count; i++) {
        if (m->marks[i].state == MESSAGE_PENDING)
            model_wrong(m, "closing did not call back for mark %" PRIu64, m->marks[i].id);
        if (clean && m->marks[i].state == MESSAGE_COMMITTED)
            m->marks[i].durable = true;
    }
}

bool model_waits(const struct model *m)
{
    return (m->count && m->all[m->count - 1].state == MESSAGE_PENDING) ||
           (m->mark_count && m->marks[m->mark_count - 1].state == MESSAGE_PENDING);
}

/* ---- erasing ---------------------------------------------------------------------------- */

static bool model_is_of(const struct message *message, unsigned user)
{
    return message->from == user || message->to == user;
}

static bool model_is_hazy(const struct model *m, unsigned user, unsigned other)
{
    return m->erasing < MODEL_USERS && (user == m->erasing || other == m->erasing);
}

/* Nothing of him may be there, in any file. */
static void model_forget_user(struct model *m, unsigned user)
{
    const char *name;
    for (uint32_t i = 0; i < m->count; i++) {
        struct message *c = &m->all[i];
        if (!model_is_of(c, user))
            continue;
        if (c->state == MESSAGE_COMMITTED || c->state == MESSAGE_OPEN)
            c->state = MESSAGE_ERASED;
        for (size_t k = 0; (name = simdisk_name(m->disk, k)) != NULL; k++) {
            const struct buf *b = simdisk_bytes(m->disk, name);
            if (b->n && memmem(b->p, b->n, c->json, c->json_n))
                model_wrong(m, "message %" PRIu64 " is erased, and stands in %s", c->id, name);
        }
    }
    for (size_t k = 0; (name = simdisk_name(m->disk, k)) != NULL; k++) {
        const struct buf *b = simdisk_bytes(m->disk, name);
        bool log = strstr(name, ".seg") && strlen(model_users[user]) < 5;
        if (!log && b->n && strlen(model_users[user]) > 1 &&
            memmem(b->p, b->n, model_users[user], strlen(model_users[user])))
            model_wrong(m, "user %u is erased, and his name stands in %s", user, name);
    }
    for (uint32_t i = 0; i < m->mark_count; i++)
        if (m->marks[i].reader == user || m->marks[i].other == user)
            m->marks[i].state = MESSAGE_ERASED;
    m->erased = true;
}

void model_erase(struct model *m, unsigned user)
{
    m->erasing = user;
}

void model_erased(struct model *m, struct slice user, int error)
{
    if (m->erasing == MODEL_USERS || !slice_eq(user, slice_str(model_users[m->erasing]))) {
        model_wrong(m, "somebody is said to be erased, whom nobody erases");
    } else if (!error) {
        model_forget_user(m, m->erasing);
        m->erasing = MODEL_USERS;
    }
}

void model_look_erasing(struct model *m)
{
    if (m->erasing < MODEL_USERS && !store_is_erasing(m->store, slice_str(model_users[m->erasing])))
        m->erasing = MODEL_USERS;
}

/* ---- revoking --------------------------------------------------------------------------- */

/* Never below what was promised, nor above what was asked for. */
static void model_check_revoked(struct model *m)
{
    for (unsigned i = 0; i < MODEL_USERS; i++) {
        uint64_t now = store_revoked(m->store, slice_str(model_users[i]));
        if (now < m->kept[i] || now > m->revoked[i])
            model_wrong(m, "tokens of user %u are revoked before %" PRIu64 ", not %" PRIu64, i, now,
                        m->kept[i]);
    }
}

void model_revoke(struct model *m, unsigned user, uint64_t before, uint64_t number)
{
    m->revocation = number;
    if (before > m->revoked[user])
        m->revoked[user] = before;
    model_check_revoked(m);
}

void model_revoked(struct model *m, uint64_t number, int error)
{
    if (number > m->revocation)
        model_wrong(m, "revocation %" PRIu64 " is said to be over, and is not begun", number);
    if (!error && number == m->revocation)
        memcpy(m->kept, m->revoked, sizeof m->kept);
}

/* ---- keys ------------------------------------------------------------------------------- */

const struct message *model_keyed(const struct model *m, unsigned from, unsigned key)
{
    for (uint32_t i = m->count; i-- > 0;)
        if (m->all[i].from == from && m->all[i].key == key && m->all[i].state != MESSAGE_REFUSED &&
            m->all[i].state != MESSAGE_ERASED)
            return &m->all[i];
    return NULL;
}

void model_check_key(struct model *m, unsigned from, unsigned to, const char *content, unsigned key,
                     int result, uint64_t id, int64_t date)
{
    const struct message *first = model_keyed(m, from, key);
    if (m->erasing < MODEL_USERS)
        return; /* his may be forgotten already, or not yet */
    if (result && m->erased && (m->interrupted || m->retain_bytes || m->retain_days))
        return; /* or not at all, if his message was dropped before, or a crash came in between */
    bool known = first && first->state != MESSAGE_DROPPED &&
                 m->keyed - first->keyed < m->max_keys && m->highest - first->date <= 86400000;
    if (result == 0) {
        if (known)
            model_wrong(m, "what user %u sent with key %u as %" PRIu64 " is taken for new", from,
                        key, first->id);
        return;
    }
    const char *sent = first ? strstr(first->json, "\"content\":") + 10 : "";
    bool same = first && first->to == to && strncmp(sent, content, strlen(content)) == 0 &&
                strncmp(sent + strlen(content), ",\"date\"", 7) == 0;
    int expected = !same ? -EEXIST : first->state == MESSAGE_PENDING ? STORE_PENDING : STORE_KNOWN;
    if (!first || result != expected || (same && (id != first->id || date != first->date)))
        model_wrong(m, "user %u sends %s with key %u, and hears %d of %" PRIu64, from,
                    same ? "the same" : "another message", key, result, id);
}

/* ---- marks ------------------------------------------------------------------------------ */

/* How far has he read, as far as it is committed? */
static uint64_t model_said(const struct model *m, unsigned reader, unsigned other)
{
    uint64_t up_to = 0;
    for (uint32_t i = 0; i < m->mark_count; i++) {
        const struct mark *c = &m->marks[i];
        if (c->state == MESSAGE_COMMITTED && c->reader == reader && c->other == other &&
            c->up_to > up_to)
            up_to = c->up_to;
    }
    return up_to;
}

/* The same, if what he read is kept. */
static uint64_t model_read(const struct model *m, unsigned reader, unsigned other)
{
    uint64_t up_to = model_said(m, reader, other);
    return up_to >= m->first_id ? up_to : 0;
}

static uint32_t model_unread(const struct model *m, unsigned reader, unsigned other)
{
    uint64_t up_to = model_read(m, reader, other);
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->count && reader != other; i++)
        if (m->all[i].state == MESSAGE_COMMITTED && m->all[i].from == other &&
            m->all[i].to == reader && m->all[i].id > up_to)
            count++;
    return count;
}

static struct mark *model_push_mark(struct model *m)
{
    if (m->mark_count == m->mark_cap) {
        m->mark_cap = m->mark_cap ? m->mark_cap * 2 : 64;
        m->marks = realloc(m->marks, m->mark_cap * sizeof *m->marks);
        assert(m->marks);
    }
    return &m->marks[m->mark_count++];
}

void model_mark(struct model *m, uint64_t id, int64_t now, unsigned reader, unsigned other,
                uint64_t up_to)
{
    model_check_id(m, id);
    m->highest = now > m->highest ? now : m->highest;
    m->mark_bytes += 44 + 8 + 64;
    *model_push_mark(m) =
        (struct mark){.id = id, .up_to = up_to, .reader = (uint8_t)reader, .other = (uint8_t)other};
}

void model_marked(struct model *m, const struct store_mark *mark)
{
    struct mark *expected = model_find_mark(m, mark->id);
    model_call(m, mark->id);
    if (!expected) {
        model_wrong(m, "a callback for mark %" PRIu64 ", which nobody waits for", mark->id);
        return;
    }
    bool moved = expected->up_to > model_said(m, expected->reader, expected->other);
    if (!slice_eq(mark->reader, slice_str(model_users[expected->reader])) ||
        !slice_eq(mark->other, slice_str(model_users[expected->other])) ||
        mark->up_to != expected->up_to || mark->moved != moved)
        model_wrong(m, "mark %" PRIu64 " was for %" PRIu64 " and is said to be for %" PRIu64,
                    mark->id, expected->up_to, mark->up_to);
    expected->state = MESSAGE_COMMITTED;
    expected->durable = m->sync == STORE_SYNC_ALWAYS;
    m->shown = mark->id;
}

void model_retained(struct model *m, int64_t now)
{
    struct store_stats stats;
    uint64_t bytes = m->mark_bytes, shown = 0;
    int64_t newest = 0;
    store_get_stats(m->store, &stats);
    if (stats.first_id == m->first_id)
        return;
    if (stats.first_id < m->first_id)
        model_wrong(m, "what was dropped is back: the log begins with id %" PRIu64, stats.first_id);
    m->first_id = stats.first_id;
    for (uint32_t i = 0; i < m->count; i++) {
        struct message *c = &m->all[i];
        if (c->state == MESSAGE_REFUSED || c->state == MESSAGE_DROPPED ||
            c->state == MESSAGE_ERASED)
            continue;
        bytes += 44 + c->json_n + 20 + 64; /* each may have a segment of its own */
        if (c->id >= m->first_id)
            continue;
        shown++;
        newest = c->date;
        c->state = MESSAGE_DROPPED;
    }
    /* What was erased still counts. One that is due may be done later, when the limits have been changed: by one of those before. */
    if (shown && !m->erased && !(m->retain_bytes && bytes + 200 > m->retain_bytes) &&
        !(m->retain_days && newest < now - m->retain_days * INT64_C(86400000)))
        model_wrong(m, "%" PRIu64 " messages are dropped, and nothing asks for it", shown);
}

/* ---- views ------------------------------------------------------------------------------ */

int model_expect_mark(const struct model *m, unsigned reader, unsigned other, uint64_t up_to)
{
    uint64_t newest = 0;
    if (model_is_hazy(m, reader, other))
        return -EBUSY;
    for (uint32_t i = 0; i < m->count; i++)
        if (m->all[i].state == MESSAGE_COMMITTED && model_between(&m->all[i], reader, other))
            newest = m->all[i].id;
    return up_to > newest                                                 ? -ERANGE
           : up_to < m->first_id || up_to <= model_read(m, reader, other) ? STORE_KNOWN
                                                                          : 0;
}

/* A conversation that was shown to one of its users. */
static void model_check_marks(struct model *m, unsigned user, const struct message *message,
                              const struct store_read *read)
{
    unsigned other = message->from == user ? message->to : message->from;
    uint32_t unread = model_unread(m, user, other);
    uint64_t read_up_to = model_read(m, other, user);
    if (read->unread != unread || read->read_up_to != read_up_to)
        model_wrong(m,
                    "user %u has %u messages of %u to read, not %u; that one has read to %" PRIu64
                    ", not %" PRIu64,
                    user, unread, other, read->unread, read_up_to, read->read_up_to);
}

/* Whether it may be left out of a read that began before. */
static bool model_may_be_gone(const struct model *m, const struct message *message)
{
    return message->state == MESSAGE_ERASED || message->state == MESSAGE_DROPPED ||
           model_is_hazy(m, message->from, message->to);
}

/* Reads on, and expects these, but for what is erased or dropped meanwhile; `user` is whose snippets these are, or
 * MODEL_USERS. The read is ended. */
static void model_check_read(struct model *m, enum store_status status, struct store_read *read,
                             struct message *const *expected, uint32_t count, unsigned faults,
                             unsigned user)
{
    struct store_message got;
    uint32_t n = 0, gone = 0;
    uint64_t first_id = m->first_id;
    bool page = !read->merge && !read->numbers;
    m->reading = user;
    while (!status && (status = store_read_next(m->store, read, &got)) == STORE_OK) {
        while (n < count && expected[n]->id != got.id && model_may_be_gone(m, expected[n]))
            gone += expected[n++]->id != 0;
        if (n == count || expected[n]->state == MESSAGE_ERASED)
            model_wrong(m, "message %" PRIu64 " was not expected", got.id);
        if (n < count && user < MODEL_USERS)
            model_check_marks(m, user, expected[n], read);
        if (n < count)
            model_compare(m, expected[n++], &got);
        if (m->between)
            m->between(m->ctx);
    }
    while (n < count && model_may_be_gone(m, expected[n]))
        gone += expected[n++]->id != 0;
    m->reading = MODEL_USERS;
    store_read_end(read);
    if (m->disk->down || m->disk->faults != faults || m->first_id != first_id)
        return;
    if (status != STORE_END && !(page && gone && status == STORE_IO))
        model_wrong(m, "a read ends with status %d", status);
    else if (n < count)
        model_wrong(m, "message %" PRIu64 " is missing: %u are shown, not %u", expected[n]->id, n,
                    count);
}

void model_check_page(struct model *m, unsigned user, unsigned other, uint64_t before,
                      uint32_t limit)
{
    static struct message *expected[STORE_MAX_PAGE];
    uint32_t count = 0;
    bool more = false;
    uint64_t bytes = 0;
    if (model_is_hazy(m, user, other))
        return;
    for (uint32_t i = m->count; i-- && !more;) {
        struct message *message = &m->all[i];
        if (message->state != MESSAGE_COMMITTED || !model_between(message, user, other) ||
            (before && message->id >= before))
            continue;
        more = count == limit;
        if (more)
            break;
        expected[STORE_MAX_PAGE - ++count] = message;
        bytes += message->json_n;
    }
    struct store_read read;
    unsigned faults = m->disk->faults;
    enum store_status status = store_read_page(m->store, &read, slice_str(model_users[user]),
                                               slice_str(model_users[other]), before, limit);
    if (!status && (read.more != more || read.bytes != bytes))
        model_wrong(m, "a page of users %u and %u before %" PRIu64 " has %u messages, %s, not %u",
                    user, other, before, read.count, read.more ? "and more" : "no more", count);
    model_check_read(m, status, &read, &expected[STORE_MAX_PAGE - count], count, faults,
                     MODEL_USERS);
}

void model_check_since(struct model *m, unsigned user, uint64_t since, uint32_t limit)
{
    static struct message *expected[STORE_MAX_PAGE];
    uint32_t count = 0;
    bool more = false;
    if (m->erasing < MODEL_USERS)
        return;
    for (uint32_t i = m->count; i-- && !more;) {
        struct message *message = &m->all[i];
        if (message->state != MESSAGE_COMMITTED || message->id <= since ||
            (message->from != user && message->to != user))
            continue;
        more = count == limit;
        if (!more)
            expected[STORE_MAX_PAGE - ++count] = message;
    }
    struct store_read read;
    unsigned faults = m->disk->faults;
    enum store_status status =
        store_read_since(m->store, &read, slice_str(model_users[user]), since, limit);
    more |= since + 1 < m->first_id; /* there may have been more */
    if (!status && read.more != more)
        model_wrong(m, "of user %u, %u messages since %" PRIu64 ", %s, not %u", user, read.count,
                    since, read.more ? "and more" : "no more", count);
    model_check_read(m, status, &read, &expected[STORE_MAX_PAGE - count], count, faults,
                     MODEL_USERS);
}

void model_check_user(struct model *m, unsigned user)
{
    struct message *expected[MODEL_USERS];
    bool seen[MODEL_USERS] = {false};
    uint32_t count = 0;
    if (m->erasing < MODEL_USERS)
        return;
    for (uint32_t i = m->count; i--;) {
        struct message *message = &m->all[i];
        if (message->state != MESSAGE_COMMITTED || (message->from != user && message->to != user))
            continue;
        unsigned other = message->from == user ? message->to : message->from;
        if (!seen[other])
            expected[count++] = message;
        seen[other] = true;
    }
    uint64_t newest = store_newest(m->store, slice_str(model_users[user]));
    if (newest != (count ? expected[0]->id : 0))
        model_wrong(m, "the newest message of user %u is said to be %" PRIu64, user, newest);
    struct store_read read;
    unsigned faults = m->disk->faults;
    enum store_status status = store_read_snippets(m->store, &read, slice_str(model_users[user]));
    model_check_read(m, status, &read, expected, count, faults, user);
}

static void model_check_stats(struct model *m)
{
    struct store_stats stats;
    bool user[MODEL_USERS] = {false}, pair[MODEL_USERS][MODEL_USERS] = {{false}};
    uint64_t messages = 0, users = 0, pairs = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct message *c = &m->all[i];
        if (c->state != MESSAGE_COMMITTED)
            continue;
        messages++;
        users += !user[c->from];
        user[c->from] = true;
        users += !user[c->to];
        user[c->to] = true;
        pairs += !pair[c->from][c->to];
        pair[c->from][c->to] = pair[c->to][c->from] = true;
    }
    store_get_stats(m->store, &stats);
    bool all = m->first_id == 1 && !m->erased; /* or a checkpoint may know of more */
    if (stats.messages < messages || stats.users < users || stats.conversations != pairs ||
        (all && (stats.messages != messages || stats.users != users)) ||
        stats.bytes != simdisk_log(m->disk))
        model_wrong(m,
                    "the store counts %" PRIu64 " messages, %" PRIu64 " users, %" PRIu64
                    " conversations, %" PRIu64 " bytes",
                    stats.messages, stats.users, stats.conversations, stats.bytes);
}

void model_check_all(struct model *m)
{
    for (unsigned a = 0; a < MODEL_USERS; a++) {
        for (unsigned b = 0; b < MODEL_USERS; b++)
            model_check_page(m, a, b, 0, STORE_MAX_PAGE);
        model_check_since(m, a, 0, STORE_MAX_PAGE);
        model_check_user(m, a);
    }
}

/* ---- after a start ---------------------------------------------------------------------- */

/* Notes which messages are there. False: the disk refused a read. */
static bool model_look(struct model *m, unsigned user, unsigned other, bool *there)
{
    struct store_read read;
    struct store_message got;
    unsigned faults = m->disk->faults;
    enum store_status status = store_read_page(m->store, &read, slice_str(model_users[user]),
                                               slice_str(model_users[other]), 0, STORE_MAX_PAGE);
    while (!status && (status = store_read_next(m->store, &read, &got)) == STORE_OK) {
        const struct message *expected = model_find(m, got.id);
        if (expected && expected->state != MESSAGE_REFUSED && expected->state != MESSAGE_DROPPED &&
            expected->state != MESSAGE_ERASED) {
            model_compare(m, expected, &got);
            there[expected - m->all] = true;
        } else {
            model_wrong(m, "message %" PRIu64 " has come from nowhere", got.id);
        }
    }
    store_read_end(&read);
    if (status == STORE_END)
        return true;
    if (!m->disk->down && m->disk->faults == faults)
        model_wrong(m, "a read after the start ends with status %d", status);
    return false;
}

/* What the snippets say of how far everybody has read. False: the disk refused a read. */
struct seen_marks {
    bool there[MODEL_USERS][MODEL_USERS];
    uint64_t up_to[MODEL_USERS][MODEL_USERS]; /* of the first, with the second */
};

static bool model_look_marks(struct model *m, unsigned user, struct seen_marks *seen)
{
    struct store_read read;
    struct store_message got;
    unsigned faults = m->disk->faults;
    enum store_status status = store_read_snippets(m->store, &read, slice_str(model_users[user]));
    while (!status && (status = store_read_next(m->store, &read, &got)) == STORE_OK) {
        struct slice name = slice_eq(got.from, slice_str(model_users[user])) ? got.to : got.from;
        unsigned other = 0;
        while (other < MODEL_USERS && !slice_eq(name, slice_str(model_users[other])))
            other++;
        if (other == MODEL_USERS)
            break;
        seen->there[other][user] = true;
        seen->up_to[other][user] = read.read_up_to;
    }
    store_read_end(&read);
    if (status == STORE_END)
        return true;
    if (!m->disk->down && m->disk->faults == faults)
        model_wrong(m, "snippets after the start end with status %d", status);
    return false;
}

/* Every mark that was promised, or that is followed by a message that is there; perhaps others. */
static void model_judge_marks(struct model *m, unsigned reader, unsigned other, uint64_t newest,
                              uint64_t up_to)
{
    uint64_t least = 0;
    bool may = false;
    for (uint32_t i = 0; i < m->mark_count; i++) {
        const struct mark *c = &m->marks[i];
        if (c->reader != reader || c->other != other || c->state == MESSAGE_REFUSED ||
            c->state == MESSAGE_ERASED || c->up_to < m->first_id)
            continue;
        bool must = c->durable || (m->intact && c->state == MESSAGE_COMMITTED) || c->id < newest;
        if (must && c->up_to > least)
            least = c->up_to;
        may |= c->up_to == up_to;
    }
    if (up_to != least && !(may && up_to > least))
        model_wrong(m, "user %u had read to %" PRIu64 " with %u, and it is said to be %" PRIu64,
                    reader, least, other, up_to);
}

/* The newest message that is there, or was dropped: what was written in front of it is there. */
static uint64_t model_newest(const struct model *m, const bool *there)
{
    for (uint32_t i = m->count; i-- > 0;)
        if (there[i] || m->all[i].state == MESSAGE_DROPPED)
            return m->all[i].id; /* what was erased is not always known to have been written */
    return 0;
}

/* What is shown is there, the rest will never come. */
static void model_settle_marks(struct model *m, const struct seen_marks *seen, uint64_t newest)
{
    for (unsigned a = 0; a < MODEL_USERS; a++)
        for (unsigned b = 0; b < MODEL_USERS; b++)
            if (seen->there[a][b])
                model_judge_marks(m, a, b, newest, seen->up_to[a][b]);
    m->mark_count = 0;
    m->called = 0;
    for (unsigned a = 0; a < MODEL_USERS; a++)
        for (unsigned b = 0; b < MODEL_USERS; b++)
            if (seen->there[a][b] && seen->up_to[a][b])
                *model_push_mark(m) = (struct mark){.up_to = seen->up_to[a][b],
                                                    .reader = (uint8_t)a,
                                                    .other = (uint8_t)b,
                                                    .state = MESSAGE_COMMITTED,
                                                    .durable = true};
}

/* What is there must be a beginning of what was written, and all that was promised. */
static void model_judge(struct model *m, const bool *there)
{
    const struct message *missing = NULL;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct message *c = &m->all[i];
        if (there[i] && missing)
            model_wrong(m, "message %" PRIu64 " is there, and %" PRIu64 " before it is not", c->id,
                        missing->id);
        if (there[i] || c->state == MESSAGE_REFUSED || c->state == MESSAGE_DROPPED ||
            c->state == MESSAGE_ERASED)
            continue;
        missing = c;
        if (c->durable)
            model_wrong(m, "message %" PRIu64 " is lost: it was durable", c->id);
        else if (m->intact && c->state == MESSAGE_COMMITTED)
            model_wrong(m, "message %" PRIu64 " is lost, and only the process had ended", c->id);
    }
}

/* What is there is committed, by having been shown; the rest will never come. */
static void model_settle(struct model *m, const bool *there)
{
    uint32_t kept = 0;
    int64_t dropped = m->dropped_date;
    m->last_date = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        struct message *c = &m->all[i];
        if (!there[i]) {
            if (c->state == MESSAGE_DROPPED && c->date > dropped)
                dropped = c->date;
            if (c->state == MESSAGE_DROPPED && c->key) /* which may be known still */
                m->all[kept++] = *c;
            else
                free(c->json);
            continue;
        }
        c->state = MESSAGE_COMMITTED;
        c->durable = true;
        m->last_date = c->date;
        m->shown = c->id > m->shown ? c->id : m->shown;
        m->all[kept++] = *c;
    }
    m->count = m->waiting = kept;
    m->dropped_date = dropped;
    if (m->last_date < dropped)
        m->last_date = dropped;
    m->intact = true;
}

/* The start goes on with erasing him, or has nothing to do for that any more. */
static void model_settle_erased(struct model *m)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (model_is_of(&m->all[i], m->erasing) && m->all[i].state != MESSAGE_DROPPED)
            m->all[i].state = MESSAGE_ERASED;
    for (uint32_t i = 0; i < m->mark_count; i++)
        if (m->marks[i].reader == m->erasing || m->marks[i].other == m->erasing)
            m->marks[i].state = MESSAGE_ERASED;
    m->erased = true;
}

bool model_opened(struct model *m, int64_t now)
{
    void (*between)(void *ctx) = m->between;
    m->between = NULL;
    model_retained(m, now);
    bool *there = calloc(m->count + 1, sizeof *there);
    bool known = true;
    assert(there);
    for (unsigned a = 0; a < MODEL_USERS && known; a++)
        for (unsigned b = a; b < MODEL_USERS && known; b++)
            known = model_look(m, a, b, there);
    struct seen_marks seen = {0};
    for (unsigned a = 0; a < MODEL_USERS && known; a++)
        known = model_look_marks(m, a, &seen);
    m->interrupted |= m->erasing < MODEL_USERS;
    if (known && m->erasing < MODEL_USERS) {
        bool any = false;
        for (uint32_t i = 0; i < m->count; i++)
            any |= there[i] && model_is_of(&m->all[i], m->erasing);
        if (!any)
            model_settle_erased(m);
        model_look_erasing(m);
        if (any && m->erasing < MODEL_USERS)
            model_wrong(m, "user %u is being erased, and is shown", m->erasing);
    }
    m->revocation = 0;
    model_check_revoked(m);
    for (unsigned i = 0; i < MODEL_USERS; i++)
        m->revoked[i] = store_revoked(m->store, slice_str(model_users[i]));
    if (known) {
        model_judge(m, there);
        model_settle_marks(m, &seen, model_newest(m, there));
        model_settle(m, there);
        model_check_all(m);
        model_check_stats(m);
    }
    free(there);
    m->between = between;
    return known;
}
