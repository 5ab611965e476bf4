#include "chat/request.h"

#include "chat/backend.h"
#include "chat/chat.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- answers ----------------------------------------------------------------------------- */

void request_answer(const struct request *r, struct slice data, struct slice meta)
{
    session_send(r->session, &(struct event){slice_str(r->name), data, r->ref, meta, EVENT_WHOLE});
}

void request_refuse(const struct request *r, const char *code, const char *format, ...)
{
    char text[512], event[64];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!r->session) {
        backend_refuse(r->call, code, slice_str(text));
        return;
    }
    snprintf(event, sizeof event, "\"%s\"", r->name);
    session_chat(r->session)->stats.refused++;
    session_info(r->session, code, slice_str(text), slice_str(event), r->ref);
}

const char *request_quote(struct quoted *out, struct json_value v)
{
    bool string = v.type == JSON_STRING;
    size_t n = v.raw.n, room = 40;
    bool cut = n > room;
    if (cut) {
        /* Not inside a character. */
        for (n = room; n && (v.raw.p[n] & 0xc0) == 0x80; n--)
            ;
    }
    snprintf(out->s, sizeof out->s, "%s%.*s%s%s", string ? "\"" : "", (int)n, (const char *)v.raw.p,
             cut ? "..." : "", string ? "\"" : "");
    return out->s;
}

/* ---- reading members --------------------------------------------------------------------- */

/* REQUEST_MEMBERS: none of them. */
static size_t find_member(const char *const names[REQUEST_MEMBERS], struct json_value key)
{
    size_t i = 0;
    while (i < REQUEST_MEMBERS && names[i] && !json_string_eq(key, slice_str(names[i])))
        i++;
    return i < REQUEST_MEMBERS && names[i] ? i : REQUEST_MEMBERS;
}

bool request_read(struct request *r, const char *const names[REQUEST_MEMBERS], struct slice data,
                  struct json_reader *reader, struct json_value *unknown)
{
    struct json_value key, value;
    enum json_step step = JSON_ERROR;
    r->names = names;
    if (json_open_object(reader, data))
        while ((step = json_next_member(reader, &key, &value)) == JSON_ITEM) {
            size_t i = find_member(names, key);
            if (i < REQUEST_MEMBERS)
                r->members[i] = value;
            else
                *unknown = key;
        }
    return step == JSON_END;
}

struct json_value request_member(const struct request *r, const char *name)
{
    size_t i = 0;
    while (i < REQUEST_MEMBERS && r->names[i] && strcmp(r->names[i], name) != 0)
        i++;
    assert(i < REQUEST_MEMBERS && r->names[i]);
    return r->members[i];
}

/* An integer stands for its decimal form. */
static bool read_integer_id(struct json_value v, struct userid *out)
{
    if (v.type != JSON_NUMBER || v.raw.n > USERID_MAX)
        return false;
    for (size_t i = v.raw.p[0] == '-'; i < v.raw.n; i++)
        if (v.raw.p[i] < '0' || v.raw.p[i] > '9')
            return false;
    struct slice digits = slice_eq(v.raw, SLICE("-0")) ? SLICE("0") : v.raw;
    memcpy(out->bytes, digits.p, digits.n);
    out->n = digits.n;
    return true;
}

bool request_id(const struct request *r, const char *name, struct json_value v, struct userid *out)
{
    struct quoted q;
    if (v.type == JSON_STRING && v.raw.n <= sizeof out->bytes) {
        ptrdiff_t n = json_string_decode(v, out->bytes);
        out->n = n < 0 ? 0 : (size_t)n;
        if (n > 0 && userid_valid(userid_slice(out)))
            return true;
    } else if (read_integer_id(v, out)) {
        return true;
    }
    if (v.type == JSON_NULL)
        request_refuse(r, "bad_request", "\"%s\" is missing; expected a user id", name);
    else
        request_refuse(r, "bad_request",
                       "\"%s\" is %s; expected a user id: a string of 1 to 64 bytes of UTF-8 "
                       "without "
                       "control characters",
                       name, request_quote(&q, v));
    return false;
}

bool request_user(const struct request *r, const char *name, struct userid *out)
{
    return request_id(r, name, request_member(r, name), out);
}

bool request_number(const struct request *r, const char *name, uint64_t min, uint64_t max,
                    uint64_t otherwise, uint64_t *out)
{
    struct json_value v = request_member(r, name);
    struct quoted q;
    *out = otherwise;
    if (v.type == JSON_NULL || (json_integer(v, out) && *out >= min && *out <= max))
        return true;
    request_refuse(r, "bad_request", "\"%s\" is %s; expected a whole number from %llu to %llu",
                   name, request_quote(&q, v), (unsigned long long)min, (unsigned long long)max);
    return false;
}

/* Refuses the request of an address that has to wait. */
static bool must_wait(const struct request *r)
{
    const struct session *s = r->session;
    int64_t wait =
        backoff_wait(&session_chat(s)->backoff, &s->ws.peer, s->ws.stream.kind->set->loop->now);
    if (wait == 0)
        return false;
    request_refuse(r, "rate_limited", "many bad tokens came from this address; try again in %d s",
                   (int)((wait + 999) / 1000));
    return true;
}

bool request_token(const struct request *r, struct json_value v, struct jwt *out)
{
    struct chat *chat = session_chat(r->session);
    uint8_t token[JWT_MAX];
    if (must_wait(r))
        return false;
    if (v.type != JSON_STRING) {
        request_refuse(r, "bad_request", "\"token\" %s; expected a string, a JWT signed with HS256",
                       v.type == JSON_NULL ? "is missing" : "is no string");
        return false;
    }
    ptrdiff_t n = v.raw.n <= sizeof token ? json_string_decode(v, token) : 0;
    if (n < 0) {
        request_refuse(r, "bad_request",
                       "\"token\" holds half of a surrogate pair, which is no character");
        return false;
    }
    struct slice text = slice_of(token, (size_t)n);
    enum jwt_status status =
        chat->options.hooks.verify
            ? chat->options.hooks.verify(chat->options.ctx, text, out)
            : jwt_verify(text, chat->keys, chat->keys_n, clock_wall_ms(chat->options.clock), out);
    if (status == JWT_OK &&
        jwt_issued(out) < store_revoked(chat->store, slice_of(out->user, out->user_n))) {
        request_refuse(r, "bad_token",
                       "the token was revoked: it was issued too long ago, or does not "
                       "say when in \"iat\"");
        return false;
    }
    if (status == JWT_OK)
        return true;
    if (status != JWT_EXPIRED)
        session_count_bad_token(r->session);
    request_refuse(r, status == JWT_EXPIRED ? "token_expired" : "bad_token", "%s",
                   jwt_status_text(status));
    return false;
}
