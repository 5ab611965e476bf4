#include "view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- the requests ----------------------------------------------------------------------- */

/* Of the user's connections the one that was silent longest, other than this: any of those that were. */
static bool evict(struct model *m, unsigned user, unsigned but, uint32_t choice)
{
    uint32_t n = 0;
    int64_t oldest = INT64_MAX;
    for (unsigned d = 0; d < DEVICES; d++) {
        bool stays = model_is_users(m, d, user) && m->devices[d].state == DEVICE_OPEN;
        n += stays;
        if (stays && d != but && m->devices[d].heard < oldest)
            oldest = m->devices[d].heard;
    }
    if (n <= m->max_devices)
        return choice == 0;
    const struct device *leaves = &m->devices[choice];
    if (choice == but || !model_is_users(m, choice, user) || leaves->state != DEVICE_OPEN ||
        leaves->heard > oldest)
        return false;
    view_close(m, choice, "close 4003");
    return true;
}

static void see_sent(struct model *m, const struct request *r, uint32_t number)
{
    view_see(m, r->device,
             "{\"event\":\"message\",\"data\":{\"success\":true}%s,\"meta\":{\"id\":#%u#,\"date\":"
             "%" PRId64 "}}",
             model_ref(r), number, m->messages[number].date);
}

/* Whether the token is good for the device; or else what is wrong with it is seen. */
static bool judge_token(struct model *m, const struct request *r, const char *event)
{
    if (r->token == TOKEN_EXPIRED)
        view_info(m, r->device, "token_expired", event, model_ref(r));
    else if (r->token == TOKEN_FORGED)
        view_info(m, r->device, "bad_token", event, model_ref(r));
    return r->token == TOKEN_GOOD;
}

static bool take_register(struct model *m, const struct request *r, uint32_t choice)
{
    struct device *device = &m->devices[r->device];
    if (!judge_token(m, r, "registerMessages"))
        return choice == 0;
    if (device->registered && device->user != r->token_user) {
        view_info(m, r->device, "already_registered", "registerMessages", model_ref(r));
        return choice == 0;
    }
    bool comes = !device->registered;
    device->registered = true;
    device->user = r->token_user;
    device->expires = r->expires;
    if (comes && model_connections(m, r->token_user) == 1)
        view_tell_presence(m, r->token_user);
    if (comes ? !evict(m, r->token_user, r->device, choice) : choice != 0)
        return false;
    uint32_t last = 0;
    char id[16] = "0";
    for (uint32_t i = 0; i < m->count; i++)
        if (m->messages[i].from == device->user || m->messages[i].to == device->user)
            last = i + 1;
    if (last)
        snprintf(id, sizeof id, "#%u#", last - 1);
    view_see(m, r->device,
             "{\"event\":\"registerMessages\",\"data\":\"OK\"%s,\"meta\":{\"user\":%s,\"last\":%s}"
             "}",
             model_ref(r), model_quoted[device->user], id);
    for (uint32_t i = 0; i < last && r->since != NO_SINCE; i++) {
        const struct message *message = &m->messages[i];
        if ((message->from == device->user || message->to == device->user) &&
            (!message->id || message->id > r->since))
            view_message(m, r->device, i, ",\"meta\":{\"replay\":true}");
    }
    return true;
}

static uint32_t unread(const struct model *m, unsigned reader, unsigned other)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->count && reader != other; i++) {
        const struct message *message = &m->messages[i];
        n += message->from == other && message->to == reader &&
             (!message->id || message->id > m->marks[reader][other]);
    }
    return n;
}

static void take_snippets(struct model *m, const struct request *r)
{
    unsigned user = m->devices[r->device].user, count = 0;
    for (uint32_t i = m->count; i-- > 0;) {
        const struct message *message = &m->messages[i];
        if (message->from != user && message->to != user)
            continue;
        unsigned other = message->from == user ? message->to : message->from;
        if (model_newest(m, user, other) != i + 1)
            continue;
        buf_clear(&view_text);
        buf_printf(&view_text,
                   "{\"event\":\"snippets\",\"data\":{\"id\":%s,\"message\":", model_quoted[other]);
        view_put_message(m, i);
        buf_printf(&view_text, "}%s,\"meta\":{\"unread\":%u,\"readUpTo\":%" PRIu64 "}}",
                   model_ref(r), unread(m, user, other),
                   other == NOBODY ? 0 : m->marks[other][user]);
        view_compare(m, r->device);
        count++;
    }
    if (r->ref)
        view_see(m, r->device,
                 "{\"event\":\"end\",\"data\":{\"event\":\"snippets\",\"count\":%u}%s}", count,
                 model_ref(r));
}

static void take_conversation(struct model *m, const struct request *r)
{
    unsigned user = m->devices[r->device].user;
    uint32_t limit = r->limit ? r->limit : 500, first = m->count, n = 0;
    bool more = false;
    for (uint32_t i = m->count; i-- > 0;) {
        const struct message *message = &m->messages[i];
        if (!model_between(message, user, r->other) ||
            (r->before && (!message->id || message->id >= r->before)))
            continue;
        more = n == limit;
        if (more)
            break;
        first = i;
        n++;
    }
    buf_clear(&view_text);
    buf_printf(&view_text, "{\"event\":\"conversation\",\"data\":{\"id\":%s,\"messages\":[",
               model_quoted[r->other]);
    for (uint32_t i = first; n; i++) {
        if (!model_between(&m->messages[i], user, r->other))
            continue;
        view_put_message(m, i);
        buf_append(&view_text, ",", --n ? 1 : 0);
    }
    buf_printf(&view_text, "]}%s,\"meta\":{\"more\":%s}}", model_ref(r), more ? "true" : "false");
    view_compare(m, r->device);
}

/* The message that this user has sent with that key: its number plus 1; 0: none. */
static uint32_t keyed(const struct model *m, unsigned user, unsigned key)
{
    for (uint32_t i = 0; i < m->count && key; i++)
        if (m->messages[i].from == user && m->messages[i].key == key)
            return i + 1;
    return 0;
}

/* Another send of this step has the key for something else. While that one waits for the disk, or
   fails, the key is its own. */
static bool key_is_disputed(const struct model *m, const struct request *r)
{
    for (uint32_t i = 0; i < m->request_n; i++) {
        const struct request *other = &m->requests[i];
        bool behind = other->device == r->device && other >= r;
        if (!behind && other->kind == MESSAGE && other->key == r->key && r->key &&
            m->devices[other->device].user == m->devices[r->device].user &&
            (other->content != r->content || other->other != r->other))
            return true;
    }
    return false;
}

static bool may_fail(const struct model *m, uint32_t choice)
{
    return choice == CHOICE_NOT_STORED ? m->faulty : choice == CHOICE_STORED && !m->down;
}

void model_doubt(struct model *m, const struct message *message)
{
    for (uint32_t i = 0; i < m->unsure_n; i++)
        if (m->unsure[i].content == message->content) /* it was sent twice */
            return;
    if (m->unsure_n < UNSURE)
        m->unsure[m->unsure_n++] = *message;
}

/* `first`: no other that has to be stored is in front of it. */
static bool take_message(struct model *m, const struct request *r, uint32_t choice, bool first)
{
    unsigned user = m->devices[r->device].user;
    uint32_t known = keyed(m, user, r->key);
    const struct message *before = known ? &m->messages[known - 1] : NULL;
    struct message fresh = {0, m->now, r->content, (uint8_t)user, r->other, r->key};
    bool same = before && before->content == r->content && before->to == r->other;
    if (r->id && choice != CHOICE_STORED)
        return false;
    if (choice == CHOICE_CONFLICT || (before && !same && choice == CHOICE_STORED)) {
        view_info(m, r->device, "bad_request", "message", model_ref(r));
        return choice == CHOICE_CONFLICT ? !before && key_is_disputed(m, r) : true;
    }
    if (same && choice == CHOICE_STORED) {
        see_sent(m, r, known - 1);
        return true;
    }
    if (!first || before || !may_fail(m, choice))
        return false;
    if (choice == CHOICE_NOT_STORED) {
        view_info(m, r->device, "not_stored", "message", model_ref(r));
        if (m->failed && !m->down)
            model_doubt(m, &fresh);
        return true;
    }
    if (m->count == MESSAGES || (r->unseen && !r->id))
        return false;
    bool first_between = !model_newest(m, user, r->other);
    uint32_t number = m->count++;
    m->messages[number] = fresh;
    if (r->unseen && !view_learn_id(m, number, r->id))
        return false;
    see_sent(m, r, number);
    for (unsigned d = 0; d < DEVICES; d++)
        if (d != r->device && (model_is_users(m, d, user) || model_is_users(m, d, r->other)))
            view_message(m, d, number, "");
    if (first_between)
        view_meet(m, user, r->other);
    return true;
}

static bool take_read(struct model *m, const struct request *r, uint32_t choice, bool first)
{
    unsigned user = m->devices[r->device].user;
    uint32_t last = model_newest(m, user, r->other);
    uint64_t *mark = &m->marks[user][r->other];
    const char *ref = model_ref(r);
    if (!last || (m->messages[last - 1].id && r->up_to > m->messages[last - 1].id)) {
        view_info(m, r->device, "bad_request", "read", ref);
        return choice == CHOICE_STORED;
    }
    if (choice == CHOICE_STORED && r->up_to <= *mark) {
        view_see(m, r->device, "{\"event\":\"read\",\"data\":{\"success\":true}%s}", ref);
        return true;
    }
    if (!first || !may_fail(m, choice))
        return false;
    if (choice == CHOICE_NOT_STORED) {
        view_info(m, r->device, "not_stored", "read", ref);
        if (m->failed && !m->down && m->unsure_marks_n < UNSURE)
            m->unsure_marks[m->unsure_marks_n++] = (struct mark){r->up_to, (uint8_t)user, r->other};
        return true;
    }
    *mark = r->up_to;
    view_see(m, r->device, "{\"event\":\"read\",\"data\":{\"success\":true}%s}", ref);
    for (unsigned d = 0; d < DEVICES; d++)
        if (model_is_users(m, d, user) || model_is_users(m, d, r->other))
            view_see(m, d,
                     "{\"event\":\"read\",\"data\":{\"id\":%s,\"with\":%s,\"upTo\":%" PRIu64 "}}",
                     model_quoted[user], model_quoted[r->other], r->up_to);
    return true;
}

static void take_writing(struct model *m, const struct request *r)
{
    struct device *device = &m->devices[r->device];
    bool start = r->kind == START_WRITING;
    if (r->token != TOKEN_NONE && !judge_token(m, r, "stopWriting"))
        return;
    if (r->token != TOKEN_NONE && r->token_user != device->user) {
        view_info(m, r->device, "bad_token", "stopWriting", model_ref(r));
        return;
    }
    device->typing[r->other] = start ? m->now + TYPING_ENDS : 0;
    view_tell(m, r->other, r->device, start ? "startWriting" : "stopWriting", device->user);
}

static void take_presence(struct model *m, const struct request *r)
{
    struct device *device = &m->devices[r->device];
    device->watches = 0;
    for (unsigned i = 0; i < r->ids_n; i++) {
        unsigned id = r->ids[i];
        if (device->watches >> id & 1)
            continue;
        device->watches |= (uint8_t)(1u << id);
        bool online = model_connections(m, id) && model_newest(m, device->user, id);
        view_see(m, r->device, "{\"event\":\"presence\",\"data\":{\"id\":%s,\"online\":%s}%s}",
                 model_quoted[id], online ? "true" : "false", model_ref(r));
    }
}

static bool is_stored(const struct request *r)
{
    return r->kind == MESSAGE || r->kind == READ;
}

/* In the order in which the device sent them, but what has to be stored is waited for: the others may
   overtake it, unless the server waits with them. */
static bool is_its_turn(const struct model *m, uint32_t number, bool *first)
{
    const struct request *r = &m->requests[number];
    *first = true;
    for (uint32_t i = 0; i < number; i++) {
        if (m->done >> i & 1 || m->requests[i].device != r->device)
            continue;
        if (!is_stored(&m->requests[i]) || r->kind == DRAIN)
            return false;
        *first = false;
    }
    return true;
}

static bool take(struct model *m, const struct request *r, uint32_t choice, bool first)
{
    static const char *const names[] = {"registerMessages", "snippets", "conversation",
                                        "message",          "read",     "startWriting",
                                        "stopWriting",      "presence", ""};
    struct device *device = &m->devices[r->device];
    bool gone = device->state != DEVICE_OPEN;
    /* What came with the end of the connection may have been read, or not. */
    if (choice == CHOICE_LOST)
        return r->kind < CLOSE && !r->id && (gone || device->deaf);
    if (gone && !(is_stored(r) && device->registered))
        return false;
    if (r->kind == REGISTER)
        return take_register(m, r, choice);
    if (r->kind < WRONG && !device->registered)
        view_info(m, r->device, "unregistered", names[r->kind], model_ref(r));
    else if (r->kind == MESSAGE)
        return take_message(m, r, choice, first);
    else if (r->kind == READ)
        return take_read(m, r, choice, first);
    else if (r->kind == SNIPPETS)
        take_snippets(m, r);
    else if (r->kind == CONVERSATION)
        take_conversation(m, r);
    else if (r->kind == START_WRITING || r->kind == STOP_WRITING)
        take_writing(m, r);
    else if (r->kind == PRESENCE)
        take_presence(m, r);
    else if (r->kind == WRONG)
        view_info(m, r->device,
                  device->registered || strcmp(r->code, "bad_request") != 0 ||
                          strcmp(r->event, names[REGISTER]) == 0
                      ? r->code
                      : "unregistered",
                  r->event, strstr(r->frame, "%s") ? model_ref(r) : "");
    else if (r->kind == DRAIN)
        view_info(m, r->device, "going_away", NULL, "");
    if (r->kind == CLOSE || r->kind == CUT || r->kind == DRAIN)
        view_close(m, r->device, r->kind == DRAIN ? "close 1001" : "close 1000");
    return choice == 0;
}

bool model_request(struct model *m, uint32_t number, uint32_t choice)
{
    bool first;
    const struct request *r = &m->requests[number];
    if (m->done >> number & 1 || !is_its_turn(m, number, &first))
        return false;
    m->done |= UINT32_C(1) << number;
    struct device *device = &m->devices[r->device];
    if (r->kind != DRAIN) {
        device->heard = m->now;
        device->pinged = false;
    }
    return take(m, r, choice, first) && !m->wrong;
}
