#include "chat/presence.h"

#include "chat/wire.h"

#include <errno.h>
#include <stdlib.h>

/* Its number and the place in `links` make the name of a link: number << 8 | place. */
#define WATCHER_NUMBERS (HUB_USER_LINK >> 8)

struct watcher {
    struct session *session;
    uint32_t number; /* its place in hub->watchers */
    uint32_t n;
    struct watch_link links[];
};

static size_t watcher_size(uint32_t n)
{
    return sizeof(struct watcher) + n * sizeof(struct watch_link);
}

static struct watch_link *link_of(const struct hub *hub, uint32_t name)
{
    if (name & HUB_USER_LINK)
        return &hub->users[name & ~HUB_USER_LINK]->watchers;
    return &hub->watchers[name >> 8].watcher->links[name & 255];
}

/* Gives the watcher a number. -ENOMEM. */
static int watcher_enter(struct hub *hub, struct watcher *w)
{
    if (hub->watcher_vacant == hub->watcher_n && hub->watcher_n == hub->watcher_cap) {
        uint32_t cap = hub->watcher_cap ? 2 * hub->watcher_cap : 16;
        union watcher_place *places =
            cap <= WATCHER_NUMBERS ? realloc(hub->watchers, cap * sizeof *places) : NULL;
        if (!places)
            return -ENOMEM;
        hub->watchers = places;
        hub->watcher_cap = cap;
    }
    w->number = hub->watcher_vacant;
    if (w->number == hub->watcher_n)
        hub->watcher_vacant = ++hub->watcher_n;
    else
        hub->watcher_vacant = hub->watchers[w->number].vacant;
    hub->watchers[w->number].watcher = w;
    return 0;
}

int presence_begin(struct session *s, uint32_t n)
{
    struct hub *hub = &session_chat(s)->hub;
    presence_end(s);
    if (n == 0)
        return 0;
    struct watcher *w = malloc(watcher_size(n));
    if (!w || watcher_enter(hub, w)) {
        free(w);
        return -ENOMEM;
    }
    s->ws.stream.kind->set->memory += sizeof *w;
    w->session = s;
    w->n = 0;
    s->watcher = w;
    return 0;
}

int presence_add(struct session *s, struct slice id)
{
    struct hub *hub = &session_chat(s)->hub;
    struct watcher *w = s->watcher;
    struct online *user = hub_enter(hub, id);
    if (!user)
        return -ENOMEM;
    /* The newest come first, and a session's list is made in one go. */
    uint32_t next = user->watchers.next;
    if (next >> 8 == w->number)
        return 0;
    uint32_t name = w->number << 8 | w->n;
    w->links[w->n++] = (struct watch_link){HUB_USER_LINK | user->number, next};
    link_of(hub, next)->prev = name;
    user->watchers.next = name;
    s->ws.stream.kind->set->memory += sizeof *w->links;
    return 1;
}

void presence_end(struct session *s)
{
    struct hub *hub = &session_chat(s)->hub;
    struct watcher *w = s->watcher;
    if (!w)
        return;
    for (uint32_t i = 0; i < w->n; i++) {
        struct watch_link *link = &w->links[i];
        link_of(hub, link->prev)->next = link->next;
        link_of(hub, link->next)->prev = link->prev;
        if (link->prev == link->next) /* the user's own: nobody else watches him */
            hub_leave(hub, hub->users[link->next & ~HUB_USER_LINK]);
    }
    s->ws.stream.kind->set->memory -= watcher_size(w->n);
    hub->watchers[w->number].vacant = hub->watcher_vacant;
    hub->watcher_vacant = w->number;
    free(w);
    s->watcher = NULL;
}

static void presence_write_state(struct chat *chat, struct slice id, bool online)
{
    buf_clear(&chat->text);
    buf_append_lit(&chat->text, "{\"id\":");
    wire_write_string(&chat->text, id);
    buf_printf(&chat->text, ",\"online\":%s}", online ? "true" : "false");
}

void presence_write(struct session *s, struct slice id)
{
    struct chat *chat = session_chat(s);
    const struct online *user = hub_find(&chat->hub, id);
    presence_write_state(chat, id,
                         user && user->count &&
                             store_has_conversation(chat->store, online_name(s->user), id));
}

void presence_changed(struct chat *chat, const struct online *user)
{
    const struct slice id = online_name(user);
    for (uint32_t name = user->watchers.next; !(name & HUB_USER_LINK);
         name = link_of(&chat->hub, name)->next) {
        struct session *s = chat->hub.watchers[name >> 8].watcher->session;
        if (!store_has_conversation(chat->store, online_name(s->user), id))
            continue;
        presence_write_state(chat, id, user->count);
        session_send_live(
            s, &(struct event){.name = SLICE("presence"), .data = wire_json(&chat->text)});
    }
}
