#include "model.h"

#include <assert.h>
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

void model_init(struct model *m, struct simdisk *disk)
{
    *m = (struct model){.disk = disk, .first_id = 1};
}

void model_fini(struct model *m)
{
    for (uint32_t i = 0; i < m->count; i++)
        free(m->all[i].json);
    free(m->all);
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

void model_append(struct model *m, uint64_t id, int64_t date, int64_t now, unsigned from,
                  unsigned to, const char *content)
{
    int64_t expected = now > m->last_date ? now : m->last_date;
    if (id <= m->shown)
        model_wrong(m, "id %" PRIu64 " is handed out, and %" PRIu64 " has been shown", id,
                    m->shown);
    if (m->count && id <= m->all[m->count - 1].id)
        model_wrong(m, "id %" PRIu64 " comes after %" PRIu64, id, m->all[m->count - 1].id);
    /* Not below any that was shown; the store may remember one that was refused. */
    if (date < expected || (date != expected && date > m->highest))
        model_wrong(m, "message %" PRIu64 " has date %" PRId64 ", not %" PRId64, id, date,
                    expected);
    m->highest = date > m->highest ? date : m->highest;
    if (m->count == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 64;
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

/* The message whose turn it is to be called back for. */
static struct message *model_next(struct model *m, uint64_t id)
{
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

void model_failed(struct model *m, uint64_t id, int error)
{
    struct message *expected = model_next(m, id);
    if (error >= 0)
        model_wrong(m, "message %" PRIu64 " failed with %d", id, error);
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
}

void model_retained(struct model *m, int64_t now)
{
    struct store_stats stats;
    uint64_t bytes = 0, shown = 0;
    int64_t newest = 0;
    store_get_stats(m->store, &stats);
    if (stats.first_id == m->first_id)
        return;
    if (stats.first_id < m->first_id)
        model_wrong(m, "what was dropped is back: the log begins with id %" PRIu64, stats.first_id);
    m->first_id = stats.first_id;
    for (uint32_t i = 0; i < m->count; i++) {
        struct message *c = &m->all[i];
        if (c->state == MESSAGE_REFUSED || c->state == MESSAGE_DROPPED)
            continue;
        bytes += 44 + c->json_n + 64; /* each may have a segment of its own */
        if (c->id >= m->first_id)
            continue;
        shown++;
        newest = c->date;
        c->state = MESSAGE_DROPPED;
    }
    /* One that is due may be done later, when the limits have been changed: by one of those before. */
    if (shown && !(m->retain_bytes && bytes + 200 > m->retain_bytes) &&
        !(m->retain_days && newest < now - m->retain_days * INT64_C(86400000)))
        model_wrong(m, "%" PRIu64 " messages are dropped, and nothing asks for it", shown);
}

/* ---- views ------------------------------------------------------------------------------ */

static bool model_between(const struct message *message, unsigned user, unsigned other)
{
    return (message->from == user && message->to == other) ||
           (message->from == other && message->to == user);
}

/* Reads on, and expects these. The read is ended. */
static void model_check_read(struct model *m, enum store_status status, struct store_read *read,
                             struct message *const *expected, uint32_t count, unsigned faults)
{
    struct store_message got;
    uint32_t n = 0;
    uint64_t first_id = m->first_id;
    while (!status && (status = store_read_next(m->store, read, &got)) == STORE_OK) {
        if (m->between)
            m->between(m->ctx);
        if (n < count)
            model_compare(m, expected[n], &got);
        else
            model_wrong(m, "message %" PRIu64 " was not expected", got.id);
        n++;
    }
    store_read_end(read);
    if (m->disk->down || m->disk->faults != faults || m->first_id != first_id)
        return;
    if (status != STORE_END)
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
    model_check_read(m, status, &read, &expected[STORE_MAX_PAGE - count], count, faults);
}

void model_check_since(struct model *m, unsigned user, uint64_t since, uint32_t limit)
{
    static struct message *expected[STORE_MAX_PAGE];
    uint32_t count = 0;
    bool more = false;
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
    model_check_read(m, status, &read, &expected[STORE_MAX_PAGE - count], count, faults);
}

void model_check_user(struct model *m, unsigned user)
{
    struct message *expected[MODEL_USERS];
    bool seen[MODEL_USERS] = {false};
    uint32_t count = 0;
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
    model_check_read(m, status, &read, expected, count, faults);
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
    bool all = m->first_id == 1; /* or a checkpoint may know of more */
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
        if (expected && expected->state != MESSAGE_REFUSED && expected->state != MESSAGE_DROPPED) {
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

/* What is there must be a beginning of what was written, and all that was promised. */
static void model_judge(struct model *m, const bool *there)
{
    const struct message *missing = NULL;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct message *c = &m->all[i];
        if (there[i] && missing)
            model_wrong(m, "message %" PRIu64 " is there, and %" PRIu64 " before it is not", c->id,
                        missing->id);
        if (there[i] || c->state == MESSAGE_REFUSED || c->state == MESSAGE_DROPPED)
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
    if (known) {
        model_judge(m, there);
        model_settle(m, there);
        model_check_all(m);
        model_check_stats(m);
    }
    free(there);
    m->between = between;
    return known;
}
