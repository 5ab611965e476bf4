/*
 * request: an event that has come and is being answered: its members, read strictly, and its refusal. What
 * cannot be read is refused here, with the value and what would be right; the caller only returns.
 */
#ifndef CHAT_REQUEST_H
#define CHAT_REQUEST_H

#include "chat/session.h"
#include "codec/json.h"
#include "codec/jwt.h"
#include "codec/userid.h"

#define REQUEST_MEMBERS 4

struct backend_call;

struct request {
    struct chat *chat;
    struct session *session;   /* NULL: the application asks, */
    struct backend_call *call; /* in this call */
    const char *name;          /* of the event */
    struct slice ref;
    const char *const *names; /* of the members that it may have, NULL behind the last of less */
    struct json_value members[REQUEST_MEMBERS];
};

/* A user id, decoded: at most USERID_MAX bytes of it are in use once it is valid. */
struct userid {
    uint8_t bytes[6 * USERID_MAX];
    size_t n;
};

static inline struct slice userid_slice(const struct userid *id)
{
    return slice_of(id->bytes, id->n);
}

/* A value as the client wrote it, cut to what is read at a glance, for an error. */
struct quoted {
    char s[48];
};

const char *request_quote(struct quoted *out, struct json_value v);

/* Answers a session. */
void request_answer(const struct request *r, struct slice data, struct slice meta);

/* The text is UTF-8; what comes from the client goes through `quoted`. */
__attribute__((format(printf, 3, 4))) void request_refuse(const struct request *r, const char *code,
                                                          const char *format, ...);

/*
 * Reads the members out of the data, in one pass; of several of one name the last one counts, and one that is
 * missing is null. *unknown becomes a name that is none of them, if there is one. False: the data is not one JSON
 * object; *reader tells why.
 */
bool request_read(struct request *r, const char *const names[REQUEST_MEMBERS], struct slice data,
                  struct json_reader *reader, struct json_value *unknown);

/* One of the members that were read. */
struct json_value request_member(const struct request *r, const char *name);

/* A user id out of a value, or out of the member of that name. False: it is refused. */
bool request_id(const struct request *r, const char *name, struct json_value v, struct userid *out);
bool request_user(const struct request *r, const char *name, struct userid *out);

/* A whole number from min to max, or `otherwise` where the member is missing. */
bool request_number(const struct request *r, const char *name, uint64_t min, uint64_t max,
                    uint64_t otherwise, uint64_t *out);

/* Reads and judges a token, once its address need not wait. */
bool request_token(const struct request *r, struct json_value v, struct jwt *out);

#endif
