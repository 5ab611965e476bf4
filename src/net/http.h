/*
 * http: the heads of HTTP/1.1 messages (RFC 9112), strictly.
 *
 * A pure function of bytes: the spans of the result point into the input. No bare LF, no folding,
 * no white space before a colon, no control characters; one empty line in front of a request is
 * passed over. A body's framing is read, the body itself is the caller's to find behind the head.
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/slice.h"

#define HTTP_MAX_HEAD (8 << 10) /* bytes of a head with its final empty line */
#define HTTP_MAX_FIELDS 64

struct http_field {
    struct slice name, value; /* the value without white space around it */
};

struct http_head {
    size_t size;         /* bytes of the head in the input */
    struct slice method; /* request */
    struct slice path;   /* request: the target without its query; begins with "/", in any form */
    struct slice query;  /* behind "?", empty if there is none */
    struct slice host;   /* request: the authority, from the target if it is absolute */
    unsigned status;     /* response: 100 to 599 */
    uint64_t body_size;  /* from Content-Length; 0 if there is none */
    struct slice body;   /* left to the caller */
    bool chunked;        /* a Transfer-Encoding is there */
    bool version_1_0;    /* request: of HTTP/1.0 */
    size_t fields_n;
    struct http_field fields[HTTP_MAX_FIELDS];
};

enum http_result {
    HTTP_OK,
    HTTP_MORE,      /* incomplete so far */
    HTTP_MALFORMED, /* 400 */
    HTTP_TOO_LARGE, /* 431 */
    HTTP_VERSION,   /* 505: neither HTTP/1.1 nor 1.0 */
};

/* *why is a short text for HTTP_MALFORMED: what was wrong. */
__attribute__((warn_unused_result)) enum http_result
http_parse_request(struct slice in, struct http_head *out, const char **why);
__attribute__((warn_unused_result)) enum http_result
http_parse_response(struct slice in, struct http_head *out, const char **why);

/* The first field of that name (lower case), or NULL; *count, if not NULL, is how many there are. */
const struct http_field *http_find(const struct http_head *head, const char *name, size_t *count);

/* Whether the comma-separated list of all fields of that name holds this token, in any case. */
bool http_has_token(const struct http_head *head, const char *name, const char *token);

/* ASCII letters in any case; `lower` is in lower case. */
bool http_equal_fold(struct slice text, const char *lower);

/* "Not Found" for 404. */
const char *http_reason(unsigned status);

#endif
