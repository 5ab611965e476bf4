/* What time brings, and the end of connections. */
#include "view.h"

static void end(struct model *m, unsigned d)
{
    struct device *device = &m->devices[d];
    device->state = DEVICE_NONE;
    device->watches = 0;
    if (!device->registered)
        return;
    for (unsigned to = 0; to < NAMES; to++)
        if (device->typing[to])
            view_tell(m, to, d, "stopWriting", device->user);
    if (!model_connections(m, device->user))
        view_tell_presence(m, device->user);
}

/* When it is due: INT64_MAX: it is not to be expected. */
static int64_t due(const struct model *m, enum happening what, unsigned d, unsigned to)
{
    const struct device *device = &m->devices[d];
    bool open = device->state == DEVICE_OPEN;
    if (device->state == DEVICE_NONE)
        return INT64_MAX;
    switch (what) {
    case HAPPEN_END:
        return open ? INT64_MAX : 0;
    case HAPPEN_TYPING:
        return device->typing[to] ? device->typing[to] : INT64_MAX;
    case HAPPEN_EXPIRY:
        return open && device->registered ? device->expires : INT64_MAX;
    case HAPPEN_UNREGISTERED:
        return open && !device->registered ? device->opened + REGISTER_WITHIN : INT64_MAX;
    case HAPPEN_PING:
        return open && !device->pinged ? device->heard + SILENT_PING : INT64_MAX;
    case HAPPEN_SILENCE:
        return open && device->asleep ? device->heard + SILENT_END : INT64_MAX;
    case HAPPEN_REQUEST:
        break;
    }
    return INT64_MAX;
}

bool model_happen(struct model *m, enum happening what, unsigned d, unsigned to)
{
    struct device *device = &m->devices[d];
    if (due(m, what, d, to) > m->now || (what != HAPPEN_TYPING && to))
        return false;
    switch (what) {
    case HAPPEN_END:
        end(m, d);
        break;
    case HAPPEN_TYPING:
        device->typing[to] = 0;
        view_tell(m, to, d, "stopWriting", device->user);
        break;
    case HAPPEN_EXPIRY:
        view_info(m, d, "token_expired", NULL, "");
        view_close(m, d, "close 4001");
        break;
    case HAPPEN_UNREGISTERED:
        view_close(m, d, "close 4002");
        break;
    case HAPPEN_PING:
        view_see(m, d, "ping");
        device->pinged = device->asleep;
        if (!device->asleep)
            device->heard = m->now;
        break;
    case HAPPEN_SILENCE:
        view_close(m, d, "end");
        break;
    case HAPPEN_REQUEST:
        break;
    }
    return !m->wrong;
}

int64_t model_next_due(const struct model *m)
{
    int64_t next = INT64_MAX;
    for (unsigned d = 0; d < DEVICES; d++)
        for (enum happening what = HAPPEN_TYPING; what <= HAPPEN_END; what++)
            for (unsigned to = 0; to < (what == HAPPEN_TYPING ? NAMES : 1); to++)
                if (due(m, what, d, to) < next)
                    next = due(m, what, d, to);
    return next;
}

bool model_is_late(const struct model *m)
{
    return model_next_due(m) <= m->now - TIMER_LATE;
}
