#include "program.h"

#include "step.h"

struct program {
    struct rng rng;
    struct steps steps;
    uint32_t refs, contents;
    /* Percent, of this run. */
    unsigned faults, stops, keyed, several, lost;
    /* Few connections a user: one is registered in a step, or who is evicted would not be certain. */
    bool once;
};

static unsigned below(struct program *p, unsigned n)
{
    return rng_below(&p->rng, n);
}

static bool percent(struct program *p, unsigned n)
{
    return rng_percent(&p->rng, n);
}

static struct device *device_of(struct program *p, unsigned d)
{
    return &p->steps.model.devices[d];
}

/* An id that somebody has seen; 0: there is none. */
static uint64_t any_id(struct program *p)
{
    const struct model *m = &p->steps.model;
    if (!m->count)
        return 0;
    uint32_t recent = m->count < 6 ? m->count : 6;
    uint32_t i = m->count - 1 - below(p, percent(p, 70) ? recent : m->count);
    return m->messages[i].id;
}

/* ---- requests ---------------------------------------------------------------------------- */

static void choose_registration(struct program *p, struct request *r)
{
    const struct view *view = &p->steps.views[r->device];
    r->kind = REGISTER;
    r->token = percent(p, 92) ? TOKEN_GOOD : percent(p, 50) ? TOKEN_EXPIRED : TOKEN_FORGED;
    r->token_user = model_home[r->device];
    if (device_of(p, r->device)->registered && percent(p, 10))
        r->token_user = (uint8_t)below(p, USERS);
    r->expires = percent(p, 75) ? INT64_MAX : (scene.now / 1000 + 2 + below(p, 60)) * 1000;
    r->since = percent(p, 70) ? (view->whole ? view->last : 0) : NO_SINCE;
    if (percent(p, 7))
        r->since = any_id(p);
}

/* New, or once more what has this key. */
static void choose_message(struct program *p, struct request *r)
{
    const struct model *m = &p->steps.model;
    unsigned user = model_home[r->device];
    r->kind = MESSAGE;
    r->content = ++p->contents;
    r->key = percent(p, p->keyed) ? (uint8_t)(1 + below(p, KEYS)) : 0;
    const struct request *last = p->steps.n ? &p->steps.requests[p->steps.n - 1] : NULL;
    if (last && last->kind == MESSAGE && model_home[last->device] == user && percent(p, 30))
        r->key = last->key; /* which may still wait for the disk */
    if (!r->key || percent(p, 20))
        return;
    for (uint32_t i = 0; i < p->steps.n; i++) {
        const struct request *before = &p->steps.requests[i];
        if (before->kind != MESSAGE || before->key != r->key || model_home[before->device] != user)
            continue;
        r->content = before->content;
        r->other = before->other;
    }
    for (uint32_t i = 0; i < m->count + m->unsure_n; i++) {
        const struct message *before = i < m->count ? &m->messages[i] : &m->unsure[i - m->count];
        if (before->from != user || before->key != r->key)
            continue;
        r->content = before->content;
        r->other = before->to;
    }
}

static void choose_writing(struct program *p, struct request *r)
{
    r->kind = percent(p, 65) ? START_WRITING : STOP_WRITING;
    r->other = (uint8_t)below(p, USERS);
    if (r->kind == START_WRITING || percent(p, 60))
        return;
    r->token = percent(p, 70) ? TOKEN_GOOD : percent(p, 50) ? TOKEN_EXPIRED : TOKEN_FORGED;
    r->token_user = percent(p, 80) ? model_home[r->device] : (uint8_t)below(p, USERS);
    r->expires = INT64_MAX;
}

static void choose_wrong(struct program *p, struct request *r)
{
    static const struct {
        const char *frame, *code, *event;
    } all[] = {
        {"{\"event\":\"message\",\"data\":{\"to\":\"bob\"}%s}", "bad_request", "message"},
        {"{\"event\":\"message\",\"data\":{\"to\":\"\",\"content\":\"x\"}%s}", "bad_request",
         "message"},
        {"{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"\"}%s}", "bad_request",
         "message"},
        {"{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"x\",\"key\":\"\"}%s}",
         "bad_request", "message"},
        {"{\"event\":\"conversation\",\"data\":{\"id\":\"bob\",\"limit\":0}%s}", "bad_request",
         "conversation"},
        {"{\"event\":\"conversation\",\"data\":{\"id\":\"bob\",\"limit\":1001}%s}", "bad_request",
         "conversation"},
        {"{\"event\":\"conversation\",\"data\":{\"id\":\"bob\",\"before\":\"1\"}%s}", "bad_request",
         "conversation"},
        {"{\"event\":\"conversation\"%s}", "bad_request", "conversation"},
        {"{\"event\":\"read\",\"data\":{\"id\":\"bob\"}%s}", "bad_request", "read"},
        {"{\"event\":\"presence\",\"data\":{\"ids\":[\"bob\",true]}%s}", "bad_request", "presence"},
        {"{\"event\":\"startWriting\",\"data\":{}%s}", "bad_request", "startWriting"},
        {"{\"event\":\"snippets\",\"data\":7%s}", "bad_request", "snippets"},
        {"{\"event\":\"registerMessages\",\"data\":{}%s}", "bad_request", "registerMessages"},
        {"{\"event\":\"registerMessages\",\"data\":{\"since\":-1}%s}", "bad_request",
         "registerMessages"},
        {"{\"event\":\"nonsense\"%s}", "unknown_event", "nonsense"},
        {"{\"event\":\"snippets\",}", "bad_json", NULL},
        {"[]", "bad_json", NULL},
    };
    unsigned i = below(p, sizeof all / sizeof *all);
    r->kind = WRONG;
    r->frame = all[i].frame;
    r->code = all[i].code;
    r->event = all[i].event;
}

static void choose_page(struct program *p, struct request *r)
{
    r->kind = CONVERSATION;
    r->limit = percent(p, 60) ? 1 + below(p, 6) : 0;
    r->before = percent(p, 40) ? any_id(p) : 0;
    if (r->before && percent(p, 20))
        r->before++;
}

static void choose_presence(struct program *p, struct request *r)
{
    r->kind = PRESENCE;
    r->ids_n = (uint8_t)below(p, NAMES + 2);
    for (unsigned i = 0; i < r->ids_n; i++)
        r->ids[i] = (uint8_t)below(p, NAMES);
}

/* Snippets that are read slowly are not those of one moment: each is as new as can be. */
static void choose(struct program *p, struct request *r, unsigned d)
{
    *r = (struct request){.device = (uint8_t)d, .since = NO_SINCE, .expires = INT64_MAX};
    r->ref = percent(p, 65) ? ++p->refs : 0;
    r->other = (uint8_t)below(p, scene.little ? 2 : percent(p, 90) ? USERS : NAMES);
    unsigned what = below(p, 100);
    if ((!device_of(p, d)->registered && percent(p, 80)) || what < 4)
        choose_registration(p, r);
    else if (what < 44)
        choose_message(p, r);
    else if (what < 54 || (what < 61 && scene.little))
        choose_page(p, r);
    else if (what < 61)
        r->kind = SNIPPETS;
    else if (what < 73) {
        r->kind = READ;
        r->other = (uint8_t)below(p, USERS);
        r->up_to = percent(p, 92) ? any_id(p) : 0;
        if (!r->up_to) /* the next id, say, may be there by then, or not yet */
            r->up_to = UINT64_C(1) << 50;
    } else if (what < 83)
        choose_writing(p, r);
    else if (what < 91)
        choose_presence(p, r);
    else
        choose_wrong(p, r);
}

static void leave(struct program *p, unsigned d)
{
    struct request r = {.kind = percent(p, 40) ? CLOSE : CUT, .device = (uint8_t)d};
    r.ref = below(p, 2);
    step_send(&p->steps, &r);
}

/* ---- steps ------------------------------------------------------------------------------- */

static void arm(struct program *p)
{
    struct simdisk *disk = &scene.disk;
    disk->fail_write = disk->stop_write = 0;
    disk->room = UINT64_MAX;
    if (percent(p, p->stops))
        disk->stop_write = disk->writes + 1 + below(p, 5);
    else if (percent(p, p->faults) && percent(p, 50))
        disk->room = simdisk_used(disk) + below(p, 300);
    else if (percent(p, p->faults))
        disk->fail_write = disk->writes + 1 + below(p, 5);
}

/* A device that has not gone in this step; DEVICES: there is none. */
static unsigned choose_device(struct program *p, uint32_t gone)
{
    unsigned d = below(p, DEVICES);
    for (unsigned tries = 0; gone >> d & 1 && tries < DEVICES; tries++)
        d = (d + 1) % DEVICES;
    return gone >> d & 1 ? DEVICES : d;
}

/* Some requests of some devices, all at once or nearly so. */
static void do_requests(struct program *p)
{
    struct steps *s = &p->steps;
    uint32_t gone = 0, registers = 0, stays = 0;
    unsigned n = percent(p, p->several) ? 2 + below(p, 4) : 1;
    struct request r;
    step_begin(s);
    arm(p);
    for (unsigned i = 0; i < n && !*s->wrong; i++) {
        unsigned d = choose_device(p, gone);
        if (d == DEVICES)
            break;
        if (device_of(p, d)->state == DEVICE_NONE)
            step_connect(s, d);
        choose(p, &r, d);
        if (r.kind == REGISTER && (registers >> d & 1 || (p->once && n > 1)))
            continue;
        registers |= r.kind == REGISTER ? UINT32_C(1) << d : 0;
        step_send(s, &r);
        if (percent(p, 30))
            scene_turn();
        /* What became of a mark could not be known. */
        stays |= r.kind == READ ? UINT32_C(1) << d : 0;
        if (!(stays >> d & 1) && percent(p, p->lost)) {
            leave(p, d);
            gone |= UINT32_C(1) << d;
        }
    }
    if (!step_end(s))
        step_restart(s, false, percent(p, 70) ? SIMDISK_POWER : SIMDISK_KILL);
}

static void do_leave(struct program *p)
{
    unsigned d = below(p, DEVICES);
    if (device_of(p, d)->state != DEVICE_OPEN)
        return;
    step_begin(&p->steps);
    leave(p, d);
    step_end(&p->steps);
}

static void do_pass(struct program *p)
{
    static const int64_t ms[] = {50, 900, 5000, 26000, 31000, 50000};
    for (unsigned d = 0; d < DEVICES; d++)
        if (device_of(p, d)->state == DEVICE_OPEN && percent(p, 5))
            device_of(p, d)->asleep = scene.devices[d].asleep = true;
    step_pass(&p->steps, 1 + below(p, (unsigned)ms[below(p, sizeof ms / sizeof *ms)]));
}

static void do_restart(struct program *p)
{
    bool orderly = percent(p, 50);
    struct request r;
    step_begin(&p->steps);
    /* Who is told to go is answered first. */
    for (unsigned d = 0; d < DEVICES && orderly; d++) {
        if (!device_of(p, d)->registered || device_of(p, d)->state != DEVICE_OPEN || percent(p, 70))
            continue;
        choose(p, &r, d);
        choose_message(p, &r);
        step_send(&p->steps, &r);
    }
    step_restart(&p->steps, orderly, percent(p, 60) ? SIMDISK_POWER : SIMDISK_KILL);
}

static void do_erase(struct program *p)
{
    unsigned gone = below(p, USERS);
    uint64_t since[USERS];
    struct message new = {.content = ++p->contents};
    for (unsigned u = 0; u < USERS; u++)
        since[u] = percent(p, 50) ? NO_SINCE : percent(p, 50) ? 0 : any_id(p);
    do {
        new.from = (uint8_t)below(p, USERS);
        new.to = (uint8_t)below(p, USERS);
    } while (new.from == gone || new.to == gone);
    if (!chat_failure(&scene.chat))
        step_erase(&p->steps, gone, since, &new);
}

static void program_begin(struct program *p, uint64_t seed, FILE *trace)
{
    static const uint64_t sizes[] = {400, 2000, 6000, 1 << 20};
    *p = (struct program){.rng = {seed}};
    scene_begin(rng_next(&p->rng), trace);
    scene.store.segment_size = sizes[below(p, 4)];
    scene.store.arrange = percent(p, 50);
    scene.store.recent = (uint32_t)(seed % 3) * 2000;
    p->faults = percent(p, 30) ? 1 + below(p, 30) : 0;
    p->stops = percent(p, 40) ? 1 + below(p, 8) : 0;
    p->keyed = percent(p, 60) ? below(p, 101) : 0;
    p->several = below(p, 70);
    p->lost = percent(p, 50) ? below(p, 20) : 0;
    p->steps.model.large = scene.little = percent(p, 4);
    if (scene.little) /* so much at once that a replay takes its time */
        p->several = 90;
    p->once = percent(p, 20);
    p->steps.model.max_devices = p->once ? 1 + below(p, 3) : DEVICES;
    scene.options.max_user_connections = p->steps.model.max_devices;
    scene_pass(1000000000);
}

void program_run(char *wrong, size_t size, uint64_t seed, FILE *trace)
{
    static struct program program;
    struct program *p = &program;
    program_begin(p, seed, trace);
    if (!scene_start())
        steps_wrong(&p->steps, "the server does not start");
    for (unsigned i = 8 + below(p, 19); i && !*p->steps.wrong; i--) {
        unsigned what = below(p, 100);
        if (p->steps.model.count > MESSAGES - 16)
            break;
        if (what < 80)
            do_requests(p);
        else if (what < 88)
            do_leave(p);
        else if (what < 96)
            do_pass(p);
        else if (what < 98)
            do_restart(p);
        else
            do_erase(p);
    }
    if (!*p->steps.wrong)
        do_restart(p);
    scene_stop();
    scene_end();
    snprintf(wrong, size, "%s", p->steps.wrong);
}
