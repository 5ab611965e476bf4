#include "chat/typing.h"

#include "chat/wire.h"

#include <stdlib.h>

struct typing {
    struct list link; /* in chat->typing: the next to be due comes first */
    struct session *session;
    struct typing *next; /* of the session: the one that began, or went on, before this one */
    int64_t due;         /* loop->now */
    uint8_t to_n;
    uint8_t to[];
};

static void typing_tell(const struct session *s, const char *event, struct slice to)
{
    struct chat *chat = session_chat(s);
    buf_clear(&chat->text);
    buf_append_lit(&chat->text, "{\"id\":");
    wire_write_string(&chat->text, online_name(s->user));
    buf_append_lit(&chat->text, "}");
    struct event e = {.name = slice_str(event), .data = wire_json(&chat->text)};
    session_deliver(chat, s, &e, to, to);
}

static size_t typing_size(size_t to_n)
{
    return sizeof(struct typing) + to_n;
}

/* Forgets what *at points to. */
static void typing_remove(struct typing **at)
{
    struct typing *t = *at;
    *at = t->next;
    list_remove(&t->link);
    t->session->ws.stream.kind->set->memory -= typing_size(t->to_n);
    free(t);
}

static void typing_stop(struct typing **at)
{
    struct typing *t = *at;
    typing_tell(t->session, "stopWriting", slice_of(t->to, t->to_n));
    typing_remove(at);
}

/* What points to it, or to the NULL at the end. */
static struct typing **typing_find(struct session *s, struct slice to)
{
    struct typing **at = &session_more(s)->typing;
    while (*at && !slice_eq(slice_of((*at)->to, (*at)->to_n), to))
        at = &(*at)->next;
    return at;
}

static struct typing *typing_new(struct session *s, struct slice to)
{
    struct typing *t = malloc(typing_size(to.n));
    if (!t)
        return NULL;
    s->ws.stream.kind->set->memory += typing_size(to.n);
    list_init(&t->link);
    t->session = s;
    t->to_n = (uint8_t)to.n;
    memcpy(t->to, to.p, to.n);
    return t;
}

void typing_begin(struct session *s, struct slice to)
{
    struct chat *chat = session_chat(s);
    struct loop *loop = s->ws.stream.kind->set->loop;
    struct session_more *more = stream_more(&s->ws.stream);
    struct typing **at = more ? typing_find(s, to) : NULL, *t = more ? *at : NULL;
    if (t)
        *at = t->next;
    else if (more)
        t = typing_new(s, to);
    if (!t) {
        stream_less(&s->ws.stream);
        stream_close(&s->ws.stream);
        return;
    }
    t->next = more->typing;
    more->typing = t;
    t->due = loop->now + TYPING_MS;
    list_remove(&t->link);
    if (list_empty(&chat->typing))
        loop_set_timer(loop, &chat->typing_due, TYPING_MS);
    list_append(&chat->typing, &t->link);
    typing_tell(s, "startWriting", to);
    at = &more->typing;
    for (int i = 0; i < TYPING_MAX && *at; i++)
        at = &(*at)->next;
    if (*at)
        typing_stop(at);
}

void typing_end(struct session *s, struct slice to)
{
    struct typing **at = session_more(s) ? typing_find(s, to) : NULL;
    if (at && *at)
        typing_remove(at);
    stream_less(&s->ws.stream);
    typing_tell(s, "stopWriting", to);
}

void typing_end_all(struct session *s)
{
    struct session_more *more = session_more(s);
    while (more && more->typing)
        typing_stop(&more->typing);
    stream_less(&s->ws.stream);
}

void typing_timer(struct source *timer)
{
    struct chat *chat = container_of(timer, struct chat, typing_due);
    struct loop *loop = chat->kind.stream.set->loop;
    while (!list_empty(&chat->typing)) {
        struct typing *t = container_of(chat->typing.next, struct typing, link);
        if (t->due > loop->now) {
            loop_set_timer(loop, timer, t->due - loop->now);
            return;
        }
        struct session *s = t->session;
        struct typing **at = &session_more(s)->typing;
        while (*at != t)
            at = &(*at)->next;
        typing_stop(at);
        stream_less(&s->ws.stream);
    }
}
