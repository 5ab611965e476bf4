#include "judge.h"

#include "codec/json.h"
#include "codec/utf8.h"
#include "fuzz.h"

/* ---- JSON ---------------------------------------------------------------------------------- */

/* The member of that name, which is there at most once. */
static struct json_value member(struct slice object, const char *name)
{
    struct json_reader r;
    struct json_value key, value, found = {.type = JSON_NULL};
    enum json_step step;
    CHECK(json_open_object(&r, object));
    while ((step = json_next_member(&r, &key, &value)) == JSON_ITEM)
        if (json_string_eq(key, slice_str(name))) {
            CHECK(!found.raw.p);
            found = value;
        }
    CHECK(step == JSON_END);
    return found;
}

static bool is(struct json_value v, const char *text)
{
    return json_string_eq(v, slice_str(text));
}

static bool is_own(const struct judge *j, struct json_value id)
{
    return json_string_eq(id, slice_of(j->user, j->user_n));
}

static void check_id(struct json_value id)
{
    uint8_t text[6 * USERID_MAX];
    CHECK(id.type == JSON_STRING && id.raw.n <= sizeof text);
    ptrdiff_t n = json_string_decode(id, text);
    CHECK(n > 0 && userid_valid(slice_of(text, (size_t)n)));
}

/* A message object: its id. Nobody but its two users ever sees it. */
static uint64_t check_message(const struct judge *j, struct json_value message)
{
    uint64_t id, date;
    CHECK(message.type == JSON_OBJECT && j->user_n);
    struct json_value from = member(message.raw, "from"), to = member(message.raw, "to");
    CHECK(json_integer(member(message.raw, "id"), &id) && id > 0);
    CHECK(json_integer(member(message.raw, "date"), &date));
    check_id(from);
    check_id(to);
    CHECK(is_own(j, from) || is_own(j, to));
    struct json_value content = member(message.raw, "content");
    CHECK(content.type == JSON_STRING && content.raw.n);
    return id;
}

/* ---- the events ---------------------------------------------------------------------------- */

static void judge_registered(struct judge *j, struct json_value data, struct json_value meta)
{
    uint8_t user[6 * USERID_MAX];
    CHECK(is(data, "OK") && meta.type == JSON_OBJECT);
    struct json_value id = member(meta.raw, "user");
    check_id(id);
    ptrdiff_t n = json_string_decode(id, user);
    CHECK(!j->user_n || is_own(j, id));
    memcpy(j->user, user, (size_t)n);
    j->user_n = (size_t)n;
    j->last_replayed = 0;
}

static void judge_message(struct judge *j, struct json_value data, struct json_value meta)
{
    uint64_t id;
    CHECK(data.type == JSON_OBJECT);
    if (member(data.raw, "success").type == JSON_TRUE) {
        CHECK(meta.type == JSON_OBJECT && json_integer(member(meta.raw, "id"), &id));
        CHECK(id > j->last_sent);
        j->last_sent = id;
        j->acknowledged++;
        return;
    }
    id = check_message(j, data);
    CHECK(id > j->last_replayed);
    if (meta.type == JSON_OBJECT) {
        CHECK(member(meta.raw, "replay").type == JSON_TRUE);
        j->last_replayed = id;
        return;
    }
    CHECK(id > j->last_live);
    j->last_live = id;
}

static void judge_page(const struct judge *j, struct json_value data, struct json_value meta)
{
    struct json_reader r;
    struct json_value message, messages = member(data.raw, "messages");
    struct json_value other = member(data.raw, "id");
    enum json_step step;
    uint64_t before = 0;
    check_id(other);
    CHECK(messages.type == JSON_ARRAY && json_open_array(&r, messages.raw));
    while ((step = json_next_element(&r, &message)) == JSON_ITEM) {
        uint64_t id = check_message(j, message);
        CHECK(id > before);
        before = id;
        struct json_value from = member(message.raw, "from"), to = member(message.raw, "to");
        struct json_value correspondent = is_own(j, from) ? to : from;
        CHECK(slice_eq(correspondent.raw, other.raw));
    }
    CHECK(step == JSON_END && meta.type == JSON_OBJECT);
    enum json_type more = member(meta.raw, "more").type;
    CHECK(more == JSON_TRUE || more == JSON_FALSE);
}

static void judge_snippet(const struct judge *j, struct json_value data)
{
    struct json_value message = member(data.raw, "message");
    check_message(j, message);
    struct json_value from = member(message.raw, "from"), to = member(message.raw, "to");
    CHECK(slice_eq(member(data.raw, "id").raw, (is_own(j, from) ? to : from).raw));
}

static void judge_presence(struct json_value data)
{
    enum json_type online = member(data.raw, "online").type;
    check_id(member(data.raw, "id"));
    CHECK(online == JSON_TRUE || online == JSON_FALSE);
}

static void judge_info(struct json_value data, struct json_value meta)
{
    static const char *const codes[] = {"bad_json",           "bad_request", "unknown_event",
                                        "unregistered",       "bad_token",   "token_expired",
                                        "already_registered", "too_large",   "rate_limited",
                                        "not_stored",         "going_away"};
    CHECK(data.type == JSON_STRING && data.raw.n && meta.type == JSON_OBJECT);
    struct json_value code = member(meta.raw, "code"), event = member(meta.raw, "event");
    bool known = false;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        known |= is(code, codes[i]);
    CHECK(known && event.raw.p && (event.type == JSON_STRING || event.type == JSON_NULL));
}

static void judge_text(struct judge *j, struct slice text)
{
    CHECK(utf8_valid(text));
    if (text.n && text.p[0] >= '0' && text.p[0] <= '6') /* Engine.IO's: socketio.c's to judge */
        return;
    struct json_value event = member(text, "event"), data = member(text, "data");
    struct json_value meta = member(text, "meta");
    CHECK(event.type == JSON_STRING && data.raw.p);
    if (is(event, "info"))
        judge_info(data, meta);
    else if (is(event, "registerMessages"))
        judge_registered(j, data, meta);
    else if (is(event, "message"))
        judge_message(j, data, meta);
    else if (is(event, "conversation"))
        judge_page(j, data, meta);
    else if (is(event, "snippets"))
        judge_snippet(j, data);
    else if (is(event, "startWriting") || is(event, "stopWriting"))
        check_id(member(data.raw, "id"));
    else if (is(event, "presence"))
        judge_presence(data);
    else
        CHECK(is(event, "end") && is(member(data.raw, "event"), "snippets"));
    CHECK(j->user_n || is(event, "info"));
}

/* ---- frames and heads ---------------------------------------------------------------------- */

static void judge_close(struct judge *j, struct slice payload)
{
    j->over = true;
    if (!payload.n)
        return;
    CHECK(payload.n >= 2);
    unsigned code = (unsigned)payload.p[0] << 8 | payload.p[1];
    CHECK((code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
          (code >= 3000 && code <= 4999));
    CHECK(utf8_valid(slice_skip(payload, 2)));
}

/* The first frame of what came: its size; 0: it is not whole yet. RFC 6455, 5.1 and 5.2. */
static size_t judge_frame(struct judge *j, struct slice in)
{
    if (in.n < 2)
        return 0;
    uint8_t first = in.p[0];
    uint64_t n = in.p[1];
    CHECK(first == 0x81 || first == 0x88 || first == 0x89 || first == 0x8a);
    CHECK(n < 128); /* servers do not mask */
    CHECK(first == 0x81 || n <= 125);
    size_t wide = n == 126 ? 2 : n == 127 ? 8 : 0;
    if (in.n < 2 + wide)
        return 0;
    if (wide)
        n = 0;
    for (size_t i = 0; i < wide; i++)
        n = n << 8 | in.p[2 + i];
    CHECK(!wide || n >= (wide == 2 ? 126 : 65536));
    if (in.n - 2 - wide < n)
        return 0;
    struct slice payload = slice_of(in.p + 2 + wide, (size_t)n);
    if (first == 0x81)
        judge_text(j, payload);
    else if (first == 0x88)
        judge_close(j, payload);
    return 2 + wide + payload.n;
}

static size_t judge_head(struct judge *j, struct slice in)
{
    const uint8_t *end = in.n ? memmem(in.p, in.n, "\r\n\r\n", 4) : NULL;
    if (!end)
        return 0;
    struct slice head = slice_of(in.p, (size_t)(end + 4 - in.p));
    CHECK(head.n > 12 && memcmp(head.p, "HTTP/1.1 ", 9) == 0);
    CHECK(!memchr(head.p, 0, head.n));
    if (memcmp(head.p + 9, "101", 3) == 0) {
        CHECK(memmem(head.p, head.n, "Sec-WebSocket-Accept: ", 22));
        j->upgraded = true;
        return head.n;
    }
    if (memcmp(head.p + 9, "100", 3) == 0)
        return head.n;
    const uint8_t *length = memmem(head.p, head.n, "Content-Length: ", 16);
    bool last = memmem(head.p, head.n, "Connection: close\r\n", 19) != NULL;
    CHECK(length && (last || memmem(head.p, head.n, "Connection: keep-alive\r\n", 24)));
    size_t body = strtoul((const char *)length + 16, NULL, 10);
    CHECK(!last || in.n - head.n <= body);
    if (in.n - head.n < body) /* of a HEAD it does not come */
        return 0;
    j->over = last;
    return head.n + body;
}

void judge_bytes(struct judge *j, struct slice bytes)
{
    size_t used = 0, n = 1;
    buf_append_slice(&j->in, bytes);
    CHECK(!j->in.failed);
    while (!j->over && n) {
        struct slice in = slice_skip(buf_slice(&j->in), used);
        n = j->upgraded ? judge_frame(j, in) : judge_head(j, in);
        used += n;
    }
    buf_drop(&j->in, used);
    CHECK(!j->over || j->in.n == 0);
}

void judge_fini(struct judge *j)
{
    buf_free(&j->in);
}
