#include "chat/presence.h"

#include "chat/wire.h"

#include <errno.h>
#include <stdlib.h>

/* The name of a link is its watcher's number << 8 | its place in `links`; 0: none. So it takes less than an
   address, and watchers may be anywhere. */
struct watch_link {
    uint32_t prev; /* or WATCH_FIRST | the store's number of the user */
    uint32_t next;
};

#define WATCH_FIRST (UINT32_C(1) << 31)
/* In `next`: a stranger. The rest of it, and `prev`, are a hash of his name. */
#define WATCH_STRANGER (UINT32_C(1) << 31)
#define WATCHER_NUMBERS (WATCH_FIRST >> 8)

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

/* ---- links ------------------------------------------------------------------------------- */

static struct watcher *watcher_of(const struct hub *hub, uint32_t name)
{
    return hub->watchers[name >> 8].watcher;
}

static struct watch_link *link_of(const struct hub *hub, uint32_t name)
{
    return &watcher_of(hub, name)->links[name & 255];
}

/* The first link of those who watch him. */
static uint32_t first_of(const struct chat *chat, struct slice id)
{
    uint32_t user = store_user(chat->store, id);
    return user < chat->hub.watched_n ? chat->hub.watched[user] : 0;
}

static struct watch_link stranger(const struct chat *chat, struct slice id)
{
    return (struct watch_link){table_hash(chat->hub.secret, id),
                               table_hash(chat->sids.key, id) | WATCH_STRANGER};
}

static bool reserve_watched(struct hub *hub, uint32_t user)
{
    if (user < hub->watched_n)
        return true;
    uint32_t n = user < 8 ? 16 : 2 * user;
    uint32_t *watched = user < WATCH_FIRST ? realloc(hub->watched, n * sizeof *hub->watched) : NULL;
    if (!watched)
        return false;
    memset(watched + hub->watched_n, 0, (n - hub->watched_n) * sizeof *watched);
    *hub->memory += (n - hub->watched_n) * sizeof *watched;
    hub->watched = watched;
    hub->watched_n = n;
    return true;
}

/* Makes this place a link of those who watch him: the first, so that the newest come first. */
static bool link_in(struct chat *chat, struct watcher *w, uint32_t place, struct slice id)
{
    struct hub *hub = &chat->hub;
    uint32_t user = store_user(chat->store, id), name = w->number << 8 | place;
    if (!reserve_watched(hub, user))
        return false;
    uint32_t next = hub->watched[user];
    w->links[place] = (struct watch_link){WATCH_FIRST | user, next};
    if (next)
        link_of(hub, next)->prev = name;
    hub->watched[user] = name;
    return true;
}

static void link_out(struct hub *hub, const struct watch_link *link)
{
    if (link->prev & WATCH_FIRST)
        hub->watched[link->prev & ~WATCH_FIRST] = link->next;
    else
        link_of(hub, link->prev)->next = link->next;
    if (link->next)
        link_of(hub, link->next)->prev = link->prev;
}

/* The session's list, or NULL. */
static struct watcher *watcher_by(const struct session *s)
{
    return s->ws.stream.more ? session_more(s)->watcher : NULL;
}

/* ---- lists ------------------------------------------------------------------------------- */

/* Gives the watcher a number. -ENOMEM. */
static int watcher_enter(struct hub *hub, struct watcher *w)
{
    if (hub->watcher_vacant == hub->watcher_n && hub->watcher_n >= hub->watcher_cap) {
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
    struct session_more *more = stream_more(&s->ws.stream);
    struct watcher *w = more ? malloc(watcher_size(n)) : NULL;
    if (!w || watcher_enter(hub, w)) {
        free(w);
        stream_less(&s->ws.stream);
        return -ENOMEM;
    }
    s->ws.stream.kind->set->memory += sizeof *w;
    w->session = s;
    w->n = 0;
    more->watcher = w;
    return 0;
}

/* Whether the one is told truthfully of the other. */
static bool are_known(const struct chat *chat, struct slice a, struct slice b)
{
    return store_has_conversation(chat->store, a, b) && !store_is_erasing(chat->store, a) &&
           !store_is_erasing(chat->store, b);
}

/* The place in the list where he stands as a stranger, or n. */
static uint32_t find_stranger(const struct watcher *w, struct watch_link hash)
{
    uint32_t i = 0;
    while (i < w->n && (w->links[i].prev != hash.prev || w->links[i].next != hash.next))
        i++;
    return i;
}

int presence_add(struct session *s, struct slice id)
{
    struct chat *chat = session_chat(s);
    struct watcher *w = watcher_by(s);
    if (are_known(chat, online_name(s->user), id)) {
        if (first_of(chat, id) >> 8 == w->number) /* a session's list is made in one go */
            return 0;
        if (!link_in(chat, w, w->n, id))
            return -ENOMEM;
    } else {
        struct watch_link hash = stranger(chat, id);
        if (find_stranger(w, hash) < w->n)
            return 0;
        w->links[w->n] = hash;
    }
    w->n++;
    s->ws.stream.kind->set->memory += sizeof *w->links;
    return 1;
}

void presence_end(struct session *s)
{
    struct hub *hub = &session_chat(s)->hub;
    struct watcher *w = watcher_by(s);
    if (!w)
        return;
    for (uint32_t i = 0; i < w->n; i++)
        if (!(w->links[i].next & WATCH_STRANGER))
            link_out(hub, &w->links[i]);
    s->ws.stream.kind->set->memory -= watcher_size(w->n);
    hub->watchers[w->number].vacant = hub->watcher_vacant;
    hub->watcher_vacant = w->number;
    free(w);
    session_more(s)->watcher = NULL;
    stream_less(&s->ws.stream);
}

/* ---- what is told ------------------------------------------------------------------------ */

static void write_state(struct chat *chat, struct slice id, bool online)
{
    buf_clear(&chat->text);
    buf_append_lit(&chat->text, "{\"id\":");
    wire_write_string(&chat->text, id);
    buf_printf(&chat->text, ",\"online\":%s}", online ? "true" : "false");
}

void presence_write(struct session *s, struct slice id)
{
    struct chat *chat = session_chat(s);
    write_state(chat, id, hub_find(&chat->hub, id) && are_known(chat, online_name(s->user), id));
}

static void tell(struct session *s, struct slice id, bool online)
{
    struct chat *chat = session_chat(s);
    write_state(chat, id, online);
    session_send_live(s,
                      &(struct event){.name = SLICE("presence"), .data = wire_json(&chat->text)});
}

void presence_changed(struct chat *chat, const struct online *user)
{
    const struct slice id = online_name(user);
    for (uint32_t name = first_of(chat, id); name; name = link_of(&chat->hub, name)->next) {
        struct session *s = watcher_of(&chat->hub, name)->session;
        if (are_known(chat, online_name(s->user), id))
            tell(s, id, user->count);
    }
}

/* The sessions of the one who watch the other. */
static void meet(struct chat *chat, struct slice watching, struct slice id)
{
    const struct online *user = hub_find(&chat->hub, watching);
    if (!user)
        return;
    const struct watch_link hash = stranger(chat, id);
    SESSION_EACH(s, user->sessions)
    {
        struct watcher *w = watcher_by(s);
        uint32_t place = w ? find_stranger(w, hash) : 0;
        if (!w || place == w->n)
            continue;
        if (!link_in(chat, w, place, id))
            stream_close(&s->ws.stream);
        else if (hub_find(&chat->hub, id))
            tell(s, id, true);
    }
}

void presence_met(struct chat *chat, struct slice a, struct slice b)
{
    if (!are_known(chat, a, b))
        return;
    meet(chat, a, b);
    if (!slice_eq(a, b))
        meet(chat, b, a);
}

void presence_erased(struct chat *chat, struct slice user)
{
    const bool online = hub_find(&chat->hub, user);
    uint32_t name;
    while ((name = first_of(chat, user)) != 0) {
        struct watch_link *link = link_of(&chat->hub, name);
        link_out(&chat->hub, link);
        *link = stranger(chat, user);
        if (online)
            tell(watcher_of(&chat->hub, name)->session, user, false);
    }
}

void presence_kept(struct chat *chat, struct slice user)
{
    const struct online *other;
    for (uint32_t i = 0; i < chat->hub.n; i++)
        if ((other = hub_user(&chat->hub, i)))
            presence_met(chat, online_name(other), user);
}
