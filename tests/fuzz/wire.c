/* The envelope of a request: what is found in it stands in it, and comes back the same in an answer. */
#include "chat/wire.h"
#include "codec/utf8.h"
#include "fuzz.h"

/* The text of a value as it stands in the frame. */
static struct slice whole(struct json_value v)
{
    if (v.type == JSON_STRING)
        return slice_of(v.raw.p - 1, v.raw.n + 2);
    return v.raw.p ? v.raw : SLICE("null");
}

static void check_answer(const struct envelope *e)
{
    struct buf out = {0};
    struct envelope again;
    const char *why;
    wire_write(&out, FRAMING_NATIVE,
               &(struct event){SLICE("name"), whole(e->data), e->ref, SLICE("{\"more\":true}"),
                               EVENT_WHOLE});
    CHECK(!out.failed && !wire_read(FRAMING_NATIVE, buf_slice(&out), &again, &why));
    CHECK(json_string_eq(again.event, SLICE("name")));
    CHECK(again.data.type == e->data.type && slice_eq(whole(again.data), whole(e->data)));
    CHECK(slice_eq(again.ref, e->ref) && e->ref.n <= 6 * WIRE_MAX_REF + 2);
    buf_free(&out);
}

static void check_string(struct slice in)
{
    struct buf out = {0};
    buf_append_lit(&out, "[");
    wire_write_string(&out, in);
    buf_append_lit(&out, "]");
    struct json_reader r;
    struct json_value v;
    CHECK(!out.failed && json_open_array(&r, buf_slice(&out)));
    CHECK(json_next_element(&r, &v) == JSON_ITEM && json_string_eq(v, in));
    CHECK(json_next_element(&r, &v) == JSON_END);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct slice in = slice_of(p, n);
    struct envelope e;
    const char *why = NULL, *code = wire_read(FRAMING_NATIVE, in, &e, &why);
    CHECK(fuzz_within(e.event.raw, in) && fuzz_within(e.data.raw, in) && fuzz_within(e.ref, in));
    if (code)
        CHECK((strcmp(code, "bad_json") == 0 || strcmp(code, "bad_request") == 0) && why && *why);
    else
        CHECK(e.event.type == JSON_STRING);
    if (!code)
        check_answer(&e);
    if (utf8_valid(in))
        check_string(in);
    return 0;
}
