#include "chat/answer.h"

#include "chat/wire.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* Messages that are replayed, at most: PROTOCOL.md, section 4. */
#define ANSWER_REPLAY 1000

enum answer_part { ANSWER_PAGE, ANSWER_SNIPPETS, ANSWER_RESUMED };

struct answer {
    struct session *session;
    struct list link; /* in chat->waiting, while it waits for the disk */
    struct store_read read;
    enum answer_part part;
    bool begun;     /* page: the head of its frame is sent; resumed: the "OK" is */
    uint64_t last;  /* resumed: the newest id of the user, when he registered */
    uint8_t user_n; /* page: the correspondent */
    uint8_t user[STORE_MAX_USER];
    struct buf ref; /* as the client wrote it */
};

/* The one under way, or NULL. */
static struct answer *answer_find(const struct session *s)
{
    return s->holding ? session_more(s)->answer : NULL;
}

static struct answer *answer_of(const struct session *s)
{
    struct answer *a = answer_find(s);
    assert(a);
    return a;
}

static struct answer *answer_new(struct session *s, enum answer_part part, struct slice ref)
{
    struct answer *a = calloc(1, sizeof *a);
    if (!a || session_hold(s)) {
        free(a);
        stream_close(&s->ws.stream);
        return NULL;
    }
    a->session = s;
    a->part = part;
    list_init(&a->link);
    buf_append_slice(&a->ref, ref);
    session_more(s)->answer = a;
    return a;
}

void answer_free(struct session *s)
{
    struct answer *a = answer_find(s);
    if (!a)
        return;
    list_remove(&a->link);
    store_read_end(&a->read);
    buf_free(&a->ref);
    free(a);
    session_more(s)->answer = NULL;
}

bool answer_is_in_frame(const struct session *s)
{
    const struct answer *a = answer_find(s);
    return a && a->begun && a->part == ANSWER_PAGE;
}

/* Out of memory, or a log that cannot be read. */
static void answer_fail(struct session *s)
{
    session_close(s, CLOSE_SERVER_ERROR, "the store cannot be read");
}

/* ---- snippets ---------------------------------------------------------------------------- */

static void write_snippet(struct session *s, const struct store_message *m)
{
    struct chat *chat = session_chat(s);
    const struct store_read *read = &answer_of(s)->read;
    struct slice self = online_name(s->user);
    char meta[80];
    int n = snprintf(meta, sizeof meta, "{\"unread\":%lu,\"readUpTo\":%llu}",
                     (unsigned long)read->unread, (unsigned long long)read->read_up_to);
    buf_clear(&chat->text);
    buf_append_lit(&chat->text, "{\"id\":");
    wire_write_string(&chat->text, slice_eq(m->from, self) ? m->to : m->from);
    buf_append_lit(&chat->text, ",\"message\":");
    buf_append_slice(&chat->text, m->json);
    buf_append_lit(&chat->text, "}");
    session_send_now(s, &(struct event){SLICE("snippets"), wire_json(&chat->text),
                                        buf_slice(&answer_of(s)->ref), slice_of(meta, (size_t)n),
                                        EVENT_PART});
}

static void write_snippets_end(struct session *s)
{
    struct answer *a = answer_of(s);
    char data[32];
    int n = snprintf(data, sizeof data, "{\"count\":%lu}", (unsigned long)a->read.count);
    if (a->ref.n)
        session_send_now(s, &(struct event){SLICE("snippets"), slice_of(data, (size_t)n),
                                            buf_slice(&a->ref), SLICE(""), EVENT_END});
}

/* ---- a page ------------------------------------------------------------------------------ */

/* The frame of a page without its messages, or NULL for want of memory. They belong at *gap. */
static const struct buf *page_frame(struct session *s, size_t *gap)
{
    struct chat *chat = session_chat(s);
    const struct answer *a = answer_of(s);
    struct buf *frame = &chat->frames[s->framing];
    buf_clear(&chat->text);
    buf_append_lit(&chat->text, "{\"id\":");
    wire_write_string(&chat->text, slice_of(a->user, a->user_n));
    buf_append_lit(&chat->text, ",\"messages\":[]}");
    buf_clear(frame);
    *gap = wire_write(
               frame, s->framing,
               &(struct event){SLICE("conversation"), wire_json(&chat->text), buf_slice(&a->ref),
                               a->read.more ? SLICE("{\"more\":true}") : SLICE("{\"more\":false}"),
                               EVENT_WHOLE}) -
           2;
    if (!frame->failed)
        return frame;
    stream_close(&s->ws.stream);
    return NULL;
}

/* Once the page is looked up its size is known, and with it the head of the frame. */
static void write_page_begin(struct session *s)
{
    const struct answer *a = answer_of(s);
    size_t gap;
    const struct buf *frame = page_frame(s, &gap);
    uint64_t commas = a->read.count ? a->read.count - 1 : 0;
    if (!frame)
        return;
    websocket_send_head(&s->ws, FRAME_TEXT, frame->n + a->read.bytes + commas);
    stream_write(&s->ws.stream, slice_of(frame->p, gap));
}

static void write_page_message(struct session *s, const struct store_message *m)
{
    if (answer_of(s)->read.next > 1)
        stream_write(&s->ws.stream, SLICE(","));
    stream_write(&s->ws.stream, m->json);
}

static void write_page_end(struct session *s)
{
    size_t gap;
    const struct buf *frame = page_frame(s, &gap);
    if (frame)
        stream_write(&s->ws.stream, slice_skip(buf_slice(frame), gap));
}

/* ---- a registration ---------------------------------------------------------------------- */

static void write_registered(struct session *s, uint64_t last, bool gap, struct slice ref)
{
    struct chat *chat = session_chat(s);
    buf_clear(&chat->meta);
    buf_append_lit(&chat->meta, "{\"user\":");
    wire_write_string(&chat->meta, online_name(s->user));
    buf_append_lit(&chat->meta, ",\"last\":");
    buf_append_u64(&chat->meta, last);
    if (gap)
        buf_append_lit(&chat->meta, ",\"gap\":true");
    buf_append_lit(&chat->meta, "}");
    struct event e = {SLICE("registerMessages"), chat->meta.failed ? SLICE("") : SLICE("\"OK\""),
                      ref, buf_slice(&chat->meta), EVENT_WHOLE};
    session_send_now(s, &e);
}

static void write_missed(struct session *s, const struct store_message *m)
{
    session_send_now(s, &(struct event){SLICE("message"), m->json, SLICE(""),
                                        SLICE("{\"replay\":true}"), EVENT_PART});
}

/* ---- the way of all --------------------------------------------------------------------- */

static void write_end(struct session *s)
{
    if (answer_of(s)->part == ANSWER_PAGE)
        write_page_end(s);
    else if (answer_of(s)->part == ANSWER_SNIPPETS)
        write_snippets_end(s);
    answer_free(s);
    session_release(s);
}

static enum store_status write_next(struct session *s)
{
    struct store *store = session_chat(s)->store;
    struct answer *a = answer_of(s);
    struct store_message m;
    enum store_status status = STORE_OK;
    if (!a->begun && a->part != ANSWER_SNIPPETS) {
        status = store_read_look(store, &a->read);
        if (status == STORE_OK && a->part == ANSWER_PAGE)
            write_page_begin(s);
        else if (status == STORE_OK)
            write_registered(s, a->last, a->read.more, buf_slice(&a->ref));
        a->begun = status == STORE_OK;
        return status;
    }
    status = store_read_next(store, &a->read, &m);
    if (status == STORE_END)
        write_end(s);
    else if (status == STORE_OK && a->part == ANSWER_PAGE)
        write_page_message(s, &m);
    else if (status == STORE_OK && a->part == ANSWER_SNIPPETS)
        write_snippet(s, &m);
    else if (status == STORE_OK)
        write_missed(s, &m);
    return status;
}

void answer_continue(struct session *s)
{
    struct stream *stream = &s->ws.stream;
    enum store_status status = STORE_OK;
    while (answer_find(s) && status == STORE_OK && !stream_ending(stream)) {
        if (stream_queued(stream) > STREAM_HIGH) {
            stream_pause(stream);
            stream_want_drained(stream);
            return;
        }
        status = write_next(s);
    }
    if (status == STORE_WAIT) {
        stream_pause(stream);
        list_remove(&answer_of(s)->link);
        list_append(&session_chat(s)->waiting, &answer_of(s)->link);
    } else if (answer_find(s) && status != STORE_OK) {
        answer_fail(s);
    }
}

void answer_continue_waiting(struct chat *chat)
{
    struct list waiting; /* those that have to wait again stand in chat->waiting */
    list_init(&waiting);
    list_splice(&waiting, &chat->waiting);
    while (!list_empty(&waiting) && store_can_look(chat->store)) {
        struct answer *a = container_of(waiting.next, struct answer, link);
        list_remove(&a->link);
        answer_continue(a->session);
    }
    /* Those that had no turn come first in the next one, which whoever took the last step asked for. */
    list_splice(&waiting, &chat->waiting);
    list_splice(&chat->waiting, &waiting);
}

/* One that has to wait is asked again, and then waits in the list. */
static void answer_start(struct session *s, enum store_status status)
{
    if (status != STORE_OK && status != STORE_WAIT)
        answer_fail(s);
    else
        answer_continue(s);
}

void answer_snippets(struct session *s, struct slice ref)
{
    struct answer *a = answer_new(s, ANSWER_SNIPPETS, ref);
    if (!a)
        return;
    answer_start(s, a->ref.failed ? STORE_SYSTEM
                                  : store_read_snippets(session_chat(s)->store, &a->read,
                                                        online_name(s->user)));
}

void answer_page(struct session *s, struct slice correspondent, uint64_t before, uint32_t limit,
                 struct slice ref)
{
    struct answer *a = answer_new(s, ANSWER_PAGE, ref);
    if (!a)
        return;
    memcpy(a->user, correspondent.p, correspondent.n);
    a->user_n = (uint8_t)correspondent.n;
    enum store_status status =
        a->ref.failed ? STORE_SYSTEM
                      : store_read_page(session_chat(s)->store, &a->read, online_name(s->user),
                                        correspondent, before, limit);
    answer_start(s, status);
}

void answer_registered(struct session *s, struct slice ref)
{
    write_registered(s, store_newest(session_chat(s)->store, online_name(s->user)), false, ref);
}

void answer_resumed(struct session *s, uint64_t since, struct slice ref)
{
    struct store *store = session_chat(s)->store;
    struct answer *a = answer_new(s, ANSWER_RESUMED, ref);
    if (!a)
        return;
    a->last = store_newest(store, online_name(s->user));
    enum store_status status =
        a->ref.failed
            ? STORE_SYSTEM
            : store_read_since(store, &a->read, online_name(s->user), since, ANSWER_REPLAY);
    answer_start(s, status);
}
