/* The end of the server, its next start, and what is found then. */
#include "step.h"

#include <inttypes.h>
#include <stdlib.h>

/* The id of the message with this content, which the device was shown; 0: it was not. */
static uint64_t find_message(unsigned d, const char *content)
{
    const char *text = (const char *)scene.seen[d].p, *end = text + scene.seen[d].n;
    for (; text < end; text += strlen(text) + 1)
        if (strncmp(text, STEP_LIVE, sizeof STEP_LIVE - 1) == 0 && strstr(text, content))
            return strtoull(text + sizeof STEP_LIVE - 1, NULL, 10);
    return 0;
}

/* The messages of which nobody knew that are there after all, in the order of their ids. Device d is
   that of user d. */
static void adopt_messages(struct model *m)
{
    static struct buf content;
    for (uint32_t i = 0; i < m->unsure_n; i++) {
        buf_clear(&content);
        model_content(m, &content, m->unsure[i].content, false);
        buf_append(&content, "", 1);
        m->unsure[i].id = find_message(m->unsure[i].from, (char *)content.p);
    }
    for (uint64_t above = 0;;) {
        const struct message *next = NULL;
        for (uint32_t i = 0; i < m->unsure_n; i++)
            if (m->unsure[i].id > above && (!next || m->unsure[i].id < next->id))
                next = &m->unsure[i];
        if (!next || m->count == MESSAGES)
            break;
        scene_say("         message %" PRIu64 " is there after all\n", next->id);
        above = next->id;
        m->messages[m->count++] = *next;
    }
    m->unsure_n = 0;
}

static void adopt_marks(struct model *m)
{
    for (uint32_t i = 0; i < m->unsure_marks_n; i++) {
        const struct mark *mark = &m->unsure_marks[i];
        const char *text = (const char *)scene.seen[mark->other].p;
        const char *end = text + scene.seen[mark->other].n;
        char head[100];
        snprintf(head, sizeof head, "{\"event\":\"snippets\",\"data\":{\"id\":%s,",
                 model_quoted[mark->reader]);
        for (; text < end; text += strlen(text) + 1) {
            const char *found =
                strncmp(text, head, strlen(head)) == 0 ? strstr(text, "\"readUpTo\":") : NULL;
            if (found && strtoull(found + 11, NULL, 10) == mark->up_to &&
                mark->up_to > m->marks[mark->reader][mark->other])
                m->marks[mark->reader][mark->other] = mark->up_to;
        }
    }
    m->unsure_marks_n = 0;
}

/* A device of each user sees all of his messages and conversations, and no more. */
static void step_look_at_all(struct steps *s)
{
    struct request r = {.kind = REGISTER, .token = TOKEN_GOOD, .expires = INT64_MAX};
    step_begin(s);
    for (unsigned d = 0; d < USERS; d++) {
        step_connect(s, d);
        r.device = r.token_user = (uint8_t)d;
        r.kind = REGISTER;
        step_send(s, &r);
        r.kind = SNIPPETS;
        r.ref = 1 + d;
        step_send(s, &r);
        r.ref = 0;
    }
    scene_settle();
    adopt_messages(&s->model);
    adopt_marks(&s->model);
    step_explain(s);
}

static void step_drain(struct steps *s)
{
    struct request r = {.kind = DRAIN};
    scene_turn();
    scene_say("         the server is to end\n");
    for (unsigned d = 0; d < DEVICES; d++) {
        r.device = (uint8_t)d;
        if (s->model.devices[d].state == DEVICE_OPEN)
            step_send(s, &r);
    }
    chat_drain(&scene.chat, 0);
    step_end(s);
}

void step_restart(struct steps *s, bool orderly, enum simdisk_end how)
{
    if (orderly)
        step_drain(s);
    else
        scene.disk.down = true;
    scene_stop();
    simdisk_restart(&scene.disk, how);
    scene_say("         %s, and it starts anew\n",
              how == SIMDISK_POWER ? "the power is cut" : "it ends");
    for (unsigned d = 0; d < DEVICES; d++)
        s->model.devices[d] = (struct device){.state = DEVICE_NONE};
    if (*s->wrong)
        return;
    if (scene_start())
        step_look_at_all(s);
    else
        steps_wrong(s, "the server does not start again");
}
