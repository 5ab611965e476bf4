#include "chat/answer.h"

#include "chat/wire.h"

#include <stdlib.h>

enum answer_part { ANSWER_PAGE, ANSWER_SNIPPETS };

struct answer {
    struct store_read read;
    enum answer_part part;
    struct buf ref;  /* as the client wrote it */
    struct buf tail; /* page: what ends its frame */
    struct buf held; /* frames that wait behind the answer */
};

void answer_free(struct session *s)
{
    struct answer *a = s->answer;
    if (!a)
        return;
    store_read_end(&a->read);
    buf_free(&a->ref);
    buf_free(&a->tail);
    buf_free(&a->held);
    free(a);
    s->answer = NULL;
}

void answer_hold(struct session *s, struct slice text)
{
    struct buf *held = &s->answer->held;
    uint8_t head[FRAME_MAX_HEAD];
    buf_append(held, head, frame_write_head(head, FRAME_TEXT, text.n));
    buf_append_slice(held, text);
    if (held->failed)
        stream_close(&s->ws.stream);
}

size_t answer_held(const struct session *s)
{
    return s->answer->held.n;
}

/* Out of memory, or a log that cannot be read: the frame may be half sent, so nothing can be said. */
static void answer_fail(struct session *s)
{
    stream_close(&s->ws.stream);
}

static void answer_write_snippet(struct session *s, const struct store_message *m)
{
    struct chat *chat = session_chat(s);
    struct slice self = online_name(s->user);
    buf_clear(&chat->text);
    buf_append_lit(&chat->text, "{\"id\":");
    wire_write_string(&chat->text, slice_eq(m->from, self) ? m->to : m->from);
    buf_append_lit(&chat->text, ",\"message\":");
    buf_append_slice(&chat->text, m->json);
    buf_append_lit(&chat->text, "}");
    buf_clear(&chat->frame);
    wire_write(&chat->frame, SLICE("snippets"), buf_slice(&chat->text), buf_slice(&s->answer->ref),
               SLICE(""));
    websocket_send(&s->ws, FRAME_TEXT, buf_slice(&chat->frame));
}

static void answer_write_part(struct session *s, const struct store_message *m)
{
    if (s->answer->part == ANSWER_SNIPPETS) {
        answer_write_snippet(s, m);
        return;
    }
    if (s->answer->read.next > 1)
        stream_write(&s->ws.stream, SLICE(","));
    stream_write(&s->ws.stream, m->json);
}

static void answer_write_end(struct session *s)
{
    struct answer *a = s->answer;
    if (a->part == ANSWER_PAGE) {
        stream_write(&s->ws.stream, buf_slice(&a->tail));
    } else if (a->ref.n) {
        struct chat *chat = session_chat(s);
        buf_clear(&chat->text);
        buf_printf(&chat->text, "{\"event\":\"snippets\",\"count\":%u}", a->read.count);
        buf_clear(&chat->frame);
        wire_write(&chat->frame, SLICE("end"), buf_slice(&chat->text), buf_slice(&a->ref),
                   SLICE(""));
        websocket_send(&s->ws, FRAME_TEXT, buf_slice(&chat->frame));
    }
    stream_write(&s->ws.stream, buf_slice(&a->held));
    answer_free(s);
}

void answer_continue(struct session *s)
{
    struct chat *chat = session_chat(s);
    while (s->answer && !stream_ending(&s->ws.stream)) {
        struct store_message m;
        if (s->ws.stream.queued > STREAM_HIGH) {
            stream_pause(&s->ws.stream);
            stream_want_drained(&s->ws.stream);
            return;
        }
        switch (store_read_next(chat->store, &s->answer->read, &m)) {
        case STORE_OK:
            answer_write_part(s, &m);
            break;
        case STORE_END:
            answer_write_end(s);
            break;
        default:
            answer_fail(s);
            return;
        }
    }
    session_resume(s);
}

static struct answer *answer_new(struct session *s, struct store_read *read, struct slice ref)
{
    struct answer *a = calloc(1, sizeof *a);
    if (!a) {
        store_read_end(read);
        stream_close(&s->ws.stream);
        return NULL;
    }
    a->read = *read;
    buf_append_slice(&a->ref, ref);
    s->answer = a;
    return a;
}

void answer_snippets(struct session *s, struct store_read *read, struct slice ref)
{
    struct answer *a = answer_new(s, read, ref);
    if (!a)
        return;
    a->part = ANSWER_SNIPPETS;
    if (a->ref.failed)
        answer_fail(s);
    else
        answer_continue(s);
}

void answer_page(struct session *s, struct store_read *read, struct slice correspondent,
                 struct slice ref)
{
    struct answer *a = answer_new(s, read, SLICE(""));
    if (!a)
        return;
    a->part = ANSWER_PAGE;
    struct buf *head = &session_chat(s)->frame;
    buf_clear(head);
    buf_append_lit(head, "{\"event\":\"conversation\",\"data\":{\"id\":");
    wire_write_string(head, correspondent);
    buf_append_lit(head, ",\"messages\":[");
    buf_append_lit(&a->tail, "]}");
    if (ref.n) {
        buf_append_lit(&a->tail, ",\"ref\":");
        buf_append_slice(&a->tail, ref);
    }
    buf_printf(&a->tail, ",\"meta\":{\"more\":%s}}", a->read.more ? "true" : "false");
    if (head->failed || a->tail.failed) {
        answer_fail(s);
        return;
    }
    uint64_t commas = a->read.count ? a->read.count - 1 : 0;
    websocket_send_head(&s->ws, FRAME_TEXT, head->n + a->read.bytes + commas + a->tail.n);
    stream_write(&s->ws.stream, buf_slice(head));
    answer_continue(s);
}
