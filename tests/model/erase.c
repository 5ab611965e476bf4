/*
 * A user is erased through the backend's door while others read slowly; then two of them talk who may
 * never have done so. What is seen meanwhile is of no single moment, and so is judged by itself: nobody is
 * shown what is not his, nor anything twice, and what is left he is shown. Then all begin anew.
 */
#include "step.h"
#include "view.h"

#include "chat/api.h"
#include "chat/backend.h"

#include <inttypes.h>
#include <stdlib.h>

/* The backend's answer. */
static struct {
    unsigned status; /* 0: none yet */
    uint64_t id;
} answer;

static void on_answer(void *ctx, unsigned status, struct slice json)
{
    (void)ctx;
    answer.status = status;
    const char *id = memmem(json.p, json.n, "\"id\":", 5);
    answer.id = id ? strtoull(id + 5, NULL, 10) : 0;
    scene_say("         the backend hears %u %.*s\n", status, SLICE_FMT(json));
}

/* Nobody reads in these turns, but for the server. */
static void turn_until_answered(void)
{
    for (int i = 0; i < 3000 && (scene_turn() || !answer.status); i++)
        ;
}

static struct backend_call *call(void)
{
    answer.status = 0;
    return backend_call_new(&scene.chat, on_answer, &answer);
}

static bool is_of(const struct message *message, unsigned user)
{
    return message->from == user || message->to == user;
}

/* The message of the model with this id; NULL: there is none. */
static const struct message *find(const struct model *m, uint64_t id)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (m->messages[i].id == id)
            return &m->messages[i];
    return NULL;
}

/* What the device of that user may read slowly: all he missed since some id, or a page and the snippets. */
static void ask(struct steps *s, unsigned user, uint64_t since)
{
    struct request r = {.device = (uint8_t)user,
                        .kind = REGISTER,
                        .token = TOKEN_GOOD,
                        .token_user = (uint8_t)user,
                        .since = since,
                        .expires = INT64_MAX};
    step_connect(s, user);
    step_send(s, &r);
    if (since != NO_SINCE)
        return;
    r.kind = CONVERSATION;
    r.limit = 4;
    for (unsigned other = 0; other < USERS; other++)
        if (model_newest(&s->model, user, other))
            r.other = (uint8_t)other;
    step_send(s, &r);
    r.kind = SNIPPETS;
    step_send(s, &r);
}

/* Every message that stands in what he was shown is his. */
static void check_text(struct steps *s, unsigned user, const char *text)
{
    static const char head[] = "{\"id\":";
    for (const char *p = text; (p = strstr(p, head)) != NULL; p++) {
        uint64_t id = strtoull(p + sizeof head - 1, NULL, 10);
        const struct message *message = id ? find(&s->model, id) : NULL;
        if (id && (!message || !is_of(message, user)))
            steps_wrong(s, "device %u is shown message %" PRIu64 ", which is not its user's", user,
                        id);
    }
}

/* What came since: once, in order, and all that is not erased. */
static void check_since(struct steps *s, unsigned user, unsigned gone, uint64_t since)
{
    const char *text = (const char *)scene.seen[user].p, *end = text + scene.seen[user].n;
    uint64_t last = since;
    uint32_t kept = 0, seen = 0;
    for (; text < end; text += strlen(text) + 1) {
        if (strncmp(text, STEP_LIVE, sizeof STEP_LIVE - 1) != 0)
            continue;
        uint64_t id = strtoull(text + sizeof STEP_LIVE - 1, NULL, 10);
        const struct message *message = find(&s->model, id);
        if (id <= last)
            steps_wrong(s, "device %u is shown message %" PRIu64 " behind %" PRIu64, user, id,
                        last);
        last = id;
        seen += message && !is_of(message, gone);
    }
    for (uint32_t i = 0; i < s->model.count; i++) {
        const struct message *message = &s->model.messages[i];
        kept += is_of(message, user) && !is_of(message, gone) && message->id > since;
    }
    if (seen != kept)
        steps_wrong(s, "device %u is shown %u messages that are left, and there are %u", user, seen,
                    kept);
}

/* One snippet for each conversation that is left, and was begun by then. */
static void check_snippets(struct steps *s, unsigned user, unsigned gone, const bool had[NAMES])
{
    const char *text = (const char *)scene.seen[user].p, *end = text + scene.seen[user].n;
    static const char head[] = "{\"event\":\"snippets\",\"data\":{\"id\":";
    uint32_t count[NAMES] = {0};
    for (; text < end; text += strlen(text) + 1)
        for (unsigned other = 0; other < NAMES; other++) {
            size_t n = strlen(model_quoted[other]);
            count[other] += strncmp(text, head, sizeof head - 1) == 0 &&
                            strncmp(text + sizeof head - 1, model_quoted[other], n) == 0;
        }
    for (unsigned other = 0; other < NAMES; other++)
        if (other != gone && count[other] != had[other])
            steps_wrong(s, "device %u is shown %u snippets of %s", user, count[other],
                        model_names[other]);
}

static void forget(struct steps *s, unsigned gone)
{
    struct model *m = &s->model;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < m->count; i++)
        if (!is_of(&m->messages[i], gone))
            m->messages[kept++] = m->messages[i];
    m->count = kept;
    for (unsigned i = 0; i < NAMES; i++) {
        m->marks[gone][i] = 0;
        if (i < USERS)
            m->marks[i][gone] = 0;
    }
    memset(s->views, 0, sizeof s->views);
}

static void all_leave(struct steps *s)
{
    for (unsigned d = 0; d < DEVICES; d++) {
        scene_cut(d);
        s->model.devices[d] = (struct device){.state = DEVICE_NONE};
    }
    scene_settle();
}

void step_erase(struct steps *s, unsigned gone, const uint64_t since[USERS],
                const struct message *new)
{
    struct model *m = &s->model;
    static struct buf body;
    all_leave(s);
    step_begin(s);
    scene.disk.fail_write = scene.disk.stop_write = 0;
    scene.disk.room = UINT64_MAX;
    for (uint32_t i = 0; i < m->count; i++) /* its sender has gone before he saw it */
        if (!m->messages[i].id)
            return;
    bool had[USERS][NAMES];
    for (unsigned u = 0; u < USERS && !*s->wrong; u++) {
        for (unsigned other = 0; other < NAMES; other++)
            had[u][other] = model_newest(m, u, other) != 0;
        ask(s, u, since[u]);
    }
    while (scene_turn())
        ;
    scene_say("         %s is erased\n", model_names[gone]);
    struct backend_call *erase = call();
    backend_erase(erase, slice_str(model_names[gone]));
    turn_until_answered();
    if (answer.status != 200)
        steps_wrong(s, "erasing %s is answered with %u", model_names[gone], answer.status);
    buf_clear(&body);
    buf_printf(&body, "{\"from\":%s,\"to\":%s,\"content\":", model_quoted[new->from],
               model_quoted[new->to]);
    model_content(m, &body, new->content, true);
    buf_append_lit(&body, "}");
    struct backend_call *send = call();
    api_backend(send, "message", buf_slice(&body));
    turn_until_answered();
    if (answer.status != 200)
        steps_wrong(s, "a message of the backend is answered with %u", answer.status);
    m->messages[m->count] = *new;
    m->messages[m->count].id = answer.id;
    m->messages[m->count++].date = m->now;
    scene_settle();
    for (unsigned u = 0; u < USERS && !*s->wrong; u++) {
        const char *text = (const char *)scene.seen[u].p, *end = text + scene.seen[u].n;
        for (; text < end; text += strlen(text) + 1)
            check_text(s, u, text);
        if (u != gone && since[u] != NO_SINCE)
            check_since(s, u, gone, since[u]);
        else if (u != gone && scene.devices[u].fd >= 0)
            check_snippets(s, u, gone, had[u]);
    }
    forget(s, gone);
    all_leave(s);
}
