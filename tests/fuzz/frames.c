/* A stream of frames: in whatever chops it comes, the same messages come out of it, and what came out
   is read from its own frames again. The first three bytes: role, limit, chops. */
#include "../sim/rng.h"
#include "codec/utf8.h"
#include "fuzz.h"
#include "net/frame.h"

struct reading {
    struct frame_reader reader;
    bool server, over;
    uint64_t limit;
    struct buf message; /* the one under way */
    struct buf out;     /* what came out: whole messages and control frames, as frames */
    uint16_t code;      /* of the error that ended it; 0: none did */
    const char *why;
};

static void put(struct reading *r, enum frame_opcode opcode, struct slice payload)
{
    static const uint8_t key[4] = {1, 2, 3, 4};
    uint8_t head[FRAME_MAX_HEAD];
    size_t n = r->server ? frame_write_masked_head(head, opcode, payload.n, key)
                         : frame_write_head(head, opcode, payload.n);
    buf_append(&r->out, head, n);
    buf_append_slice(&r->out, payload);
    if (r->server && payload.n)
        frame_mask(r->out.p + r->out.n - payload.n, payload.n, key);
}

static void take_data(struct reading *r, const struct frame *f)
{
    CHECK(f->opcode == FRAME_TEXT || f->opcode == FRAME_BINARY);
    if (f->first)
        CHECK(r->message.n == 0);
    buf_append_slice(&r->message, f->payload);
    CHECK(r->message.n <= r->limit);
    if (!f->last)
        return;
    if (f->opcode == FRAME_TEXT)
        CHECK(utf8_valid(buf_slice(&r->message)));
    put(r, f->opcode, buf_slice(&r->message));
    buf_clear(&r->message);
}

static void take_control(struct reading *r, const struct frame *f)
{
    uint8_t close[FRAME_MAX_CONTROL];
    struct slice payload = f->payload;
    CHECK(payload.n <= FRAME_MAX_CONTROL);
    if (f->opcode == FRAME_CLOSE) {
        r->over = true;
        if (f->code != CLOSE_NO_CODE) {
            CHECK(close_code_valid(f->code) && utf8_valid(payload) && payload.n <= 123);
            close[0] = (uint8_t)(f->code >> 8);
            close[1] = (uint8_t)f->code;
            if (payload.n)
                memcpy(close + 2, payload.p, payload.n);
            payload = slice_of(close, payload.n + 2);
        }
    } else {
        CHECK(f->opcode == FRAME_PING || f->opcode == FRAME_PONG);
    }
    put(r, f->opcode, payload);
}

/* Reads what it can of n bytes, which it may change: how many it is done with. */
static size_t feed(struct reading *r, uint8_t *p, size_t n)
{
    size_t done = 0;
    while (!r->over) {
        struct frame f;
        size_t used;
        enum frame_event event =
            frame_read(&r->reader, r->server, r->limit, p + done, n - done, &used, &f);
        CHECK(used <= n - done);
        CHECK(fuzz_within(f.payload, slice_of(p + done, n - done)));
        done += used;
        if (event == FRAME_MORE) {
            CHECK(n - done < FRAME_MAX_CONTROL + 6); /* never more than a control frame is left */
            return done;
        }
        if (event == FRAME_ERROR) {
            CHECK(f.why && strlen(f.why) <= 123);
            CHECK(f.code == CLOSE_PROTOCOL || f.code == CLOSE_NOT_UTF8 || f.code == CLOSE_TOO_BIG);
            r->code = f.code;
            r->why = f.why;
            r->over = true;
        } else if (event == FRAME_DATA) {
            take_data(r, &f);
        } else {
            take_control(r, &f);
        }
    }
    return n;
}

/* All of it, in chops; 0: whole. The chop lies in a buffer of its own size. */
static void read_all(struct reading *r, struct slice in, uint8_t chops)
{
    struct rng rng = {chops};
    struct buf rest = {0};
    while (in.n && !r->over) {
        struct slice chop = fuzz_bytes(&in, chops ? 1 + rng_below(&rng, chops) : in.n);
        size_t n = rest.n + chop.n;
        uint8_t *p = malloc(n);
        CHECK(p);
        if (rest.n)
            memcpy(p, rest.p, rest.n);
        memcpy(p + rest.n, chop.p, chop.n);
        size_t used = feed(r, p, n);
        buf_clear(&rest);
        buf_append(&rest, p + used, n - used);
        free(p);
    }
    buf_free(&rest);
}

static void reading_fini(struct reading *r)
{
    CHECK(!r->message.failed && !r->out.failed);
    buf_free(&r->message);
    buf_free(&r->out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct slice in = slice_of(p, n);
    static const uint64_t limits[] = {0, 1, 125, 126, 1000, 65535, 65536, UINT64_MAX};
    bool server = fuzz_byte(&in) & 1;
    uint64_t limit = limits[fuzz_byte(&in) % 8];
    uint8_t chops = fuzz_byte(&in) | 1;
    struct reading whole = {.server = server, .limit = limit}, chopped = whole, again = whole;
    read_all(&whole, in, 0);
    read_all(&chopped, in, chops);
    CHECK(slice_eq(buf_slice(&whole.out), buf_slice(&chopped.out)));
    CHECK(whole.code == chopped.code && whole.why == chopped.why);
    read_all(&again, buf_slice(&whole.out), 0);
    CHECK(slice_eq(buf_slice(&whole.out), buf_slice(&again.out)) && !again.code);
    reading_fini(&whole);
    reading_fini(&chopped);
    reading_fini(&again);
    return 0;
}
