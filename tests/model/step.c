#include "step.h"

#include "words.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

/* The server looks at each connection every 10 s, and is to get the turn for that. */
#define LONGEST_PASS 9000

void steps_wrong(struct steps *s, const char *format, ...)
{
    va_list args;
    if (*s->wrong)
        return;
    va_start(args, format);
    vsnprintf(s->wrong, sizeof s->wrong, format, args);
    va_end(args);
    scene_say("WRONG    %s\n", s->wrong);
}

/* ---- steps ------------------------------------------------------------------------------- */

void step_begin(struct steps *s)
{
    struct model *m = &s->model;
    s->n = 0;
    s->faults = scene.disk.faults;
    m->now = scene.now;
    m->done = 0;
    m->down = chat_failure(&scene.chat) != 0;
    m->seen = scene.seen;
    for (unsigned d = 0; d < DEVICES; d++) {
        buf_clear(&scene.seen[d]);
        m->devices[d].at = 0;
        m->devices[d].deaf = false;
    }
}

void step_connect(struct steps *s, unsigned d)
{
    if (!scene_connect(d))
        steps_wrong(s, "device %u cannot connect", d);
    s->model.devices[d] = (struct device){
        .state = DEVICE_OPEN, .opened = scene.now, .heard = scene.now, .expires = INT64_MAX};
}

void step_send(struct steps *s, const struct request *r)
{
    static struct buf text;
    if (s->n == REQUESTS)
        return;
    s->requests[s->n++] = *r;
    if (r->kind == CLOSE) {
        scene_send_close(r->device);
    } else if (r->kind == CUT) {
        if (r->ref % 2)
            scene_send_part(r->device);
        scene_say("%u         is cut off\n", r->device);
        scene_cut(r->device);
        s->model.devices[r->device].deaf = true;
    } else if (r->kind != DRAIN) {
        words_put_request(&s->model, &text, r);
        scene_send(r->device, buf_slice(&text));
    }
}

/* What the disk took, or not, nobody can tell before the next start. */
static void step_doubt(struct steps *s)
{
    struct model *m = &s->model;
    for (uint32_t i = 0; i < s->n; i++) {
        const struct request *r = &s->requests[i];
        uint8_t user = model_home[r->device];
        bool known = false;
        for (uint32_t k = 0; k < m->count && r->key; k++)
            known |= m->messages[k].from == user && m->messages[k].key == r->key;
        if (r->kind == MESSAGE && !known)
            model_doubt(m, &(struct message){0, m->now, r->content, user, r->other, r->key});
        if (r->kind == READ && m->unsure_marks_n < UNSURE)
            m->unsure_marks[m->unsure_marks_n++] = (struct mark){r->up_to, user, r->other};
    }
}

/* ---- what devices keep ------------------------------------------------------------------- */

static bool view_has(const struct view *v, uint64_t id)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (v->ids[i] == id)
            return true;
    return false;
}

/* It may resume from somewhere else than it should, or not at all: then it does not see all. */
static void view_register(struct view *v, const struct request *r, bool comes)
{
    if (r->since == 0)
        *v = (struct view){.whole = true};
    else if (r->since == NO_SINCE ? comes : r->since != v->last)
        v->whole = false;
}

static void view_add(struct steps *s, unsigned d, uint64_t id, bool answer)
{
    struct view *v = &s->views[d];
    bool has = view_has(v, id);
    if (v->whole && has && !answer)
        steps_wrong(s, "device %u is shown message %" PRIu64 " a second time", d, id);
    if (v->whole && !has && id < v->last)
        steps_wrong(s, "device %u is shown message %" PRIu64 " behind %" PRIu64, d, id, v->last);
    if (!has && v->n < 2 * MESSAGES)
        v->ids[v->n++] = id;
    v->last = id > v->last ? id : v->last;
}

/* As a client would: by what came, and nothing else. */
static void view_take(struct steps *s, unsigned d, bool was_registered)
{
    static const char ok[] = "{\"event\":\"registerMessages\",\"data\":\"OK\"";
    static const char sent[] = "{\"event\":\"message\",\"data\":{\"success\":true}";
    const char *text = (const char *)scene.seen[d].p, *end = text + scene.seen[d].n;
    for (; text < end; text += strlen(text) + 1) {
        if (strncmp(text, ok, sizeof ok - 1) == 0) {
            for (uint32_t i = 0; i < s->n; i++)
                if (s->requests[i].kind == REGISTER && s->requests[i].device == d)
                    view_register(&s->views[d], &s->requests[i], !was_registered);
        } else if (strncmp(text, STEP_LIVE, sizeof STEP_LIVE - 1) == 0) {
            view_add(s, d, strtoull(text + sizeof STEP_LIVE - 1, NULL, 10), false);
        } else if (strncmp(text, sent, sizeof sent - 1) == 0) {
            view_add(s, d, strtoull(strstr(text, "\"id\":") + 5, NULL, 10), true);
        }
    }
}

/* Who is connected and has always resumed has everything. */
static void view_check(struct steps *s, unsigned d)
{
    const struct model *m = &s->model;
    uint32_t n = 0;
    if (m->devices[d].state != DEVICE_OPEN || !m->devices[d].registered || !s->views[d].whole)
        return;
    for (uint32_t i = 0; i < m->count; i++)
        n += m->messages[i].from == m->devices[d].user || m->messages[i].to == m->devices[d].user;
    if (n != s->views[d].n)
        steps_wrong(s, "device %u has %u messages of its user, and there are %u", d, s->views[d].n,
                    n);
}

/* What a device sent just before it went may have been seen by nobody, and the server may or may not have
   read it: whether it did, and the id, is the store's word. Whatever is seen later must agree. */
static void step_look_up(struct steps *s, struct request *r)
{
    static struct buf content;
    struct store_read read;
    struct store_message message;
    struct slice user = slice_str(model_names[model_home[r->device]]);
    for (uint32_t i = 0; i < s->model.count; i++)
        if (s->model.messages[i].content == r->content) /* it is sent once more */
            return;
    buf_clear(&content);
    model_content(&s->model, &content, r->content, false);
    r->unseen = true;
    enum store_status status = store_read_since(scene.chat.store, &read, user, 0, STORE_MAX_PAGE);
    while (!status && !(status = store_read_next(scene.chat.store, &read, &message)))
        if (memmem(message.json.p, message.json.n, content.p, content.n))
            r->id = message.id;
    store_read_end(&read);
}

static void step_look_up_all(struct steps *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        for (uint32_t k = i + 1; k < s->n && s->requests[i].kind == MESSAGE; k++)
            if (s->requests[k].device == s->requests[i].device &&
                (s->requests[k].kind == CUT || s->requests[k].kind == CLOSE))
                step_look_up(s, &s->requests[i]);
}

void step_explain(struct steps *s)
{
    struct model *m = &s->model;
    bool registered[DEVICES];
    step_look_up_all(s);
    m->requests = s->requests;
    m->request_n = s->n;
    m->failed = chat_failure(&scene.chat) != 0;
    m->faulty = m->failed || scene.disk.faults != s->faults;
    for (unsigned d = 0; d < DEVICES; d++)
        registered[d] = m->devices[d].state == DEVICE_OPEN && m->devices[d].registered;
    if (!explain(m)) {
        steps_wrong(s, "device %u should see %s and sees %s", model_difference.device,
                    model_difference.expected, model_difference.seen);
        return;
    }
    for (unsigned d = 0; d < DEVICES; d++)
        if (!m->devices[d].deaf && scene.seen[d].n)
            view_take(s, d, registered[d]);
    for (unsigned d = 0; d < DEVICES; d++)
        view_check(s, d);
}

bool step_end(struct steps *s)
{
    scene_settle();
    if (scene.disk.down) {
        step_doubt(s);
        return false;
    }
    step_explain(s);
    return true;
}

void step_pass(struct steps *s, int64_t ms)
{
    int64_t next, end = scene.now + ms;
    /* Not to a moment at which it is open whether a timer has fired. */
    while (next = model_next_due(&s->model), (scene.now < end || next <= scene.now) && !*s->wrong) {
        int64_t to = next < end || next <= scene.now ? next + 200 : end;
        if (to > scene.now + LONGEST_PASS)
            to = scene.now + LONGEST_PASS;
        scene_say("         %" PRId64 " ms pass\n", to - scene.now);
        scene_pass(to - scene.now);
        step_begin(s);
        step_end(s);
    }
}
