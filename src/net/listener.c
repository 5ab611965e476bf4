#include "net/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

/* Connections accepted in one turn, so that a rush of new ones does not hold the old ones up. */
#define LISTENER_BATCH 64
/* How long it rests when the system has no descriptors or no memory left. */
#define LISTENER_REST_MS 200

static void listener_rest(struct listener *l)
{
    l->rests++;
    loop_set_timer(l->loop, &l->source, LISTENER_REST_MS);
    /* Not being able to stop watching would only mean a busier rest. */
    if (loop_watch(l->loop, &l->source, 0)) {
    }
}

static void listener_wake(struct source *s)
{
    struct listener *l = container_of(s, struct listener, source);
    if (loop_watch(l->loop, &l->source, EPOLLIN))
        loop_set_timer(l->loop, &l->source, LISTENER_REST_MS);
}

static void listener_ready(struct source *s, uint32_t events)
{
    struct listener *l = container_of(s, struct listener, source);
    (void)events;
    for (int i = 0; i < LISTENER_BATCH && l->source.fd >= 0; i++) {
        struct address peer = {.n = sizeof peer.storage};
        int fd = accept4(l->source.fd, (struct sockaddr *)&peer.storage, &peer.n,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                listener_rest(l);
            /* Anything else is "none left", or the end of one that was still waiting. */
            return;
        }
        l->accepted(l, fd, &peer);
    }
}

static const struct source_kind listener_kind = {.ready = listener_ready, .fire = listener_wake};

int listener_open(struct listener *l, struct loop *loop, const struct address *address,
                  void (*accepted)(struct listener *, int, const struct address *), void *ctx)
{
    *l = (struct listener){.loop = loop, .address = *address, .accepted = accepted, .ctx = ctx};
    int fd = address_listen(&l->address);
    source_init(&l->source, &listener_kind, fd < 0 ? -1 : fd);
    if (fd < 0)
        return fd;
    int result = loop_watch(loop, &l->source, EPOLLIN);
    if (result)
        listener_close(l);
    return result;
}

void listener_close(struct listener *l)
{
    if (l->source.fd < 0)
        return;
    loop_stop_timer(&l->source);
    close(loop_unwatch(l->loop, &l->source));
    if (l->address.storage.ss_family == AF_UNIX) {
        struct sockaddr_un un;
        memcpy(&un, &l->address.storage, l->address.n);
        unlink(un.sun_path);
    }
}
