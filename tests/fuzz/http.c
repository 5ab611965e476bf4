/* Heads of requests and responses: the verdict does not depend on how they come in, and what was
   accepted says the same when it is written anew. */
#include "net/http.h"
#include "fuzz.h"

typedef enum http_result parser(struct slice in, struct http_head *out, const char **why);

static bool same_head(const struct http_head *a, const struct http_head *b)
{
    if (!slice_eq(a->method, b->method) || !slice_eq(a->path, b->path) ||
        !slice_eq(a->query, b->query) || !slice_eq(a->host, b->host) || a->status != b->status ||
        a->body_size != b->body_size || a->chunked != b->chunked ||
        a->version_1_0 != b->version_1_0 || a->fields_n != b->fields_n)
        return false;
    for (size_t i = 0; i < a->fields_n; i++)
        if (!slice_eq(a->fields[i].name, b->fields[i].name) ||
            !slice_eq(a->fields[i].value, b->fields[i].value))
            return false;
    return true;
}

static bool is_clean(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == 0)
            return false;
    return true;
}

static void check_head(const struct http_head *head, struct slice in)
{
    CHECK(head->size >= 4 && head->size <= in.n && head->size <= HTTP_MAX_HEAD);
    CHECK(memcmp(in.p + head->size - 4, "\r\n\r\n", 4) == 0);
    in.n = head->size;
    /* A target without a path means "/" (RFC 9110, 4.2.3), which does not stand there. */
    CHECK(fuzz_within(head->path, in) || slice_eq(head->path, SLICE("/")));
    CHECK(fuzz_within(head->method, in));
    CHECK(fuzz_within(head->query, in) && fuzz_within(head->host, in));
    CHECK(head->fields_n <= HTTP_MAX_FIELDS);
    CHECK(head->body_size < UINT64_C(1000000000000000) && !(head->body_size && head->chunked));
    for (size_t i = 0; i < head->fields_n; i++) {
        const struct http_field *f = &head->fields[i];
        CHECK(f->name.n && fuzz_within(f->name, in) && fuzz_within(f->value, in));
        CHECK(is_clean(f->name) && is_clean(f->value));
    }
}

static void write_fields(struct buf *out, const struct http_head *head)
{
    for (size_t i = 0; i < head->fields_n; i++) {
        buf_append_slice(out, head->fields[i].name);
        buf_append_lit(out, ":");
        buf_append_slice(out, head->fields[i].value);
        buf_append_lit(out, "\r\n");
    }
    buf_append_lit(out, "\r\n");
}

static void write_request(struct buf *out, const struct http_head *head)
{
    CHECK(head->method.n && head->path.n && head->path.p[0] == '/');
    buf_append_slice(out, head->method);
    buf_append_lit(out, " ");
    bool absolute = !head->fields_n || head->host.p < head->fields[0].name.p;
    if (head->host.n && absolute) {
        buf_append_lit(out, "http://");
        buf_append_slice(out, head->host);
    }
    buf_append_slice(out, head->path);
    if (head->query.n) {
        buf_append_lit(out, "?");
        buf_append_slice(out, head->query);
    }
    buf_printf(out, " HTTP/1.%d\r\n", !head->version_1_0);
}

/* Whatever is in front of the verdict, it is the same; a part of a head is no head. */
static void check_splits(parser *parse, struct slice in, enum http_result whole)
{
    struct http_head part;
    const char *why;
    bool decided = false;
    for (size_t i = 0; i < 8; i++) {
        enum http_result result = parse(slice_of(in.p, in.n * i / 8), &part, &why);
        CHECK(result == HTTP_MORE ? !decided : result == whole);
        decided = result != HTTP_MORE;
    }
}

static void check(parser *parse, struct slice in, bool request)
{
    struct http_head head, again;
    const char *why = NULL;
    enum http_result result = parse(in, &head, &why);
    if (result == HTTP_MALFORMED)
        CHECK(why && *why);
    if (result == HTTP_OK) {
        check_head(&head, in);
        CHECK(parse(slice_of(in.p, head.size - 1), &again, &why) == HTTP_MORE);
        struct buf out = {0};
        if (request)
            write_request(&out, &head);
        else
            buf_printf(&out, "HTTP/1.1 %u\r\n", head.status);
        write_fields(&out, &head);
        CHECK(!out.failed);
        CHECK(parse(buf_slice(&out), &again, &why) == HTTP_OK && same_head(&head, &again));
        buf_free(&out);
        http_has_token(&head, "connection", "upgrade");
    }
    check_splits(parse, in, result);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    check(http_parse_request, slice_of(p, n), true);
    check(http_parse_response, slice_of(p, n), false);
    return 0;
}
