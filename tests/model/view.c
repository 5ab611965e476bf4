#include "view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const model_names[NAMES] = {"alice", "bob", "c\"\xc3\xa9", "42", "nobody"};
const char *const model_quoted[NAMES] = {"\"alice\"", "\"bob\"", "\"c\\\"\xc3\xa9\"", "\"42\"",
                                         "\"nobody\""};
const uint8_t model_home[DEVICES] = {0, 1, 2, 3, 0, 1, 0};
struct model_difference model_difference;

struct buf view_text;

/* ---- comparing -------------------------------------------------------------------------- */

bool view_learn_id(struct model *m, uint32_t number, uint64_t id)
{
    struct message *message = &m->messages[number];
    if (message->id)
        return message->id == id;
    for (uint32_t i = 0; i < m->count; i++)
        if (m->messages[i].id && (i < number ? m->messages[i].id >= id : m->messages[i].id <= id))
            return false;
    message->id = id;
    return id != 0;
}

/* Whether what was seen is the expected text, in which #N# is the id of message N and * any rest of a
   string. */
static bool matches(struct model *m, const char *expected, const char *seen)
{
    char *end;
    for (; *expected; expected++) {
        if (*expected == '#') {
            uint32_t number = (uint32_t)strtoul(expected + 1, &end, 10);
            expected = end;
            uint64_t id = *seen >= '1' && *seen <= '9' ? strtoull(seen, &end, 10) : 0;
            if (!view_learn_id(m, number, id))
                return false;
            seen = end;
        } else if (*expected == '*') {
            for (; *seen && *seen != '"'; seen++)
                seen += *seen == '\\' && seen[1];
        } else if (*expected != *seen++) {
            return false;
        }
    }
    return !*seen;
}

/* The device must see what stands in `text` next. */
void view_compare(struct model *m, unsigned d)
{
    struct device *device = &m->devices[d];
    const struct buf *all = &m->seen[d];
    buf_append(&view_text, "", 1);
    if (device->state != DEVICE_OPEN || device->deaf || m->wrong)
        return;
    const char *seen = device->at < all->n ? (const char *)all->p + device->at : "nothing";
    if (device->at < all->n && matches(m, (const char *)view_text.p, seen)) {
        device->at += (uint32_t)strlen(seen) + 1;
        return;
    }
    m->wrong = true;
    model_difference.device = d;
    snprintf(model_difference.expected, sizeof model_difference.expected, "%s",
             (char *)view_text.p);
    snprintf(model_difference.seen, sizeof model_difference.seen, "%s", seen);
}

void view_see(struct model *m, unsigned d, const char *format, ...)
{
    char short_text[600];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(short_text, sizeof short_text, format, args);
    va_end(args);
    buf_clear(&view_text);
    buf_append(&view_text, short_text, (size_t)n);
    view_compare(m, d);
}

/* ---- texts ------------------------------------------------------------------------------ */

const char *model_ref(const struct request *r)
{
    static char ref[40];
    const char *quote = r->ref & 1 ? "\"" : "";
    if (r->ref == 0)
        return "";
    snprintf(ref, sizeof ref, ",\"ref\":%s%s%u%s", quote, *quote ? "r" : "", r->ref, quote);
    return ref;
}

void model_content(const struct model *m, struct buf *out, uint32_t n, bool sent)
{
    static const char *const sent_as[] = {"", "\\u00e9", "\\/", "\\\"", "\\n", "\xe2\x82\xac"};
    static const char *const shown_as[] = {"", "\xc3\xa9", "/", "\\\"", "\\n", "\xe2\x82\xac"};
    static const char padding[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                                  "x";
    buf_printf(out, "\"m%u %s", n, (sent ? sent_as : shown_as)[n % 6]);
    for (uint32_t left = m->large ? 14000 : n * 7 % 40; left;) {
        uint32_t some = left < sizeof padding - 1 ? left : (uint32_t)sizeof padding - 1;
        buf_append(out, padding, some);
        left -= some;
    }
    buf_append_lit(out, "\"");
}

void view_put_message(const struct model *m, uint32_t number)
{
    const struct message *message = &m->messages[number];
    buf_printf(&view_text, "{\"id\":#%u#,\"from\":%s,\"to\":%s,\"content\":", number,
               model_quoted[message->from], model_quoted[message->to]);
    model_content(m, &view_text, message->content, false);
    buf_printf(&view_text, ",\"date\":%" PRId64 "}", message->date);
}

void view_info(struct model *m, unsigned d, const char *code, const char *event, const char *ref)
{
    view_see(m, d,
             "{\"event\":\"info\",\"data\":\"*\"%s,\"meta\":{\"code\":\"%s\",\"event\":%s%s%s}}",
             ref, code, event ? "\"" : "", event ? event : "null", event ? "\"" : "");
}

void view_message(struct model *m, unsigned d, uint32_t number, const char *meta)
{
    buf_clear(&view_text);
    buf_append_lit(&view_text, "{\"event\":\"message\",\"data\":");
    view_put_message(m, number);
    buf_printf(&view_text, "%s}", meta);
    view_compare(m, d);
}

/* ---- who is who ------------------------------------------------------------------------- */

bool model_between(const struct message *message, unsigned a, unsigned b)
{
    return (message->from == a && message->to == b) || (message->from == b && message->to == a);
}

/* The newest message between the two: its number plus 1; 0: none. */
uint32_t model_newest(const struct model *m, unsigned a, unsigned b)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < m->count; i++)
        if (model_between(&m->messages[i], a, b))
            found = i + 1;
    return found;
}

bool model_is_users(const struct model *m, unsigned d, unsigned user)
{
    const struct device *device = &m->devices[d];
    return device->state != DEVICE_NONE && device->registered && device->user == user;
}

uint32_t model_connections(const struct model *m, unsigned user)
{
    uint32_t n = 0;
    for (unsigned d = 0; d < DEVICES; d++)
        n += model_is_users(m, d, user);
    return n;
}

/* Every connection of that user but this one sees it. */
void view_tell(struct model *m, unsigned user, unsigned but, const char *event, unsigned about)
{
    for (unsigned d = 0; d < DEVICES; d++)
        if (d != but && model_is_users(m, d, user))
            view_see(m, d, "{\"event\":\"%s\",\"data\":{\"id\":%s}}", event, model_quoted[about]);
}

void view_tell_presence(struct model *m, unsigned user)
{
    bool online = model_connections(m, user) > 0;
    for (unsigned d = 0; d < DEVICES; d++)
        if (m->devices[d].state == DEVICE_OPEN && m->devices[d].watches >> user & 1 &&
            model_newest(m, m->devices[d].user, user))
            view_see(m, d, "{\"event\":\"presence\",\"data\":{\"id\":%s,\"online\":%s}}",
                     model_quoted[user], online ? "true" : "false");
}

void view_meet(struct model *m, unsigned a, unsigned b)
{
    for (unsigned d = 0; d < DEVICES; d++) {
        unsigned other = model_is_users(m, d, a) ? b : a;
        if ((model_is_users(m, d, a) || model_is_users(m, d, b)) &&
            m->devices[d].watches >> other & 1 && model_connections(m, other))
            view_see(m, d, "{\"event\":\"presence\",\"data\":{\"id\":%s,\"online\":true}}",
                     model_quoted[other]);
    }
}

/* The server closes it, or answers its close. */
void view_close(struct model *m, unsigned d, const char *how)
{
    view_see(m, d, "%s", how);
    m->devices[d].state = DEVICE_CLOSING;
}
