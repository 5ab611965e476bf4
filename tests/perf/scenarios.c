#include "scenarios.h"

#include "chat/hub.h"
#include "chat/wire.h"
#include "codec/crc32c.h"
#include "codec/jwt.h"
#include "codec/utf8.h"
#include "net/frame.h"
#include "net/http.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint64_t scenario_found;

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "scenarios: %s\n", what);
    exit(1);
}

/* ---- parsing ------------------------------------------------------------------------------ */

static void envelopes(void)
{
    static const char text[] = SCENARIO_ENVELOPE;
    for (int i = 0; i < 1000; i++) {
        struct envelope e;
        const char *why;
        must(!wire_read(FRAMING_NATIVE, slice_str(text), &e, &why), "an envelope is refused");
        scenario_found += e.data.raw.n;
    }
}

static void texts(void)
{
    static const char piece[] = SCENARIO_TEXT;
    static uint8_t text[SCENARIO_TEXT_SIZE];
    size_t n = 0;
    for (; n + sizeof piece < sizeof text; n += sizeof piece - 1)
        memcpy(text + n, piece, sizeof piece - 1);
    must(utf8_valid(slice_of(text, n)), "a text is refused");
    scenario_found += n;
}

static void frames(void)
{
    static const uint8_t key[4] = {1, 2, 3, 4};
    uint8_t bytes[16 << 10];
    size_t n = 0, used;
    for (int i = 0; i < 100; i++) {
        uint8_t payload[80];
        memset(payload, 'a', sizeof payload);
        frame_mask(payload, sizeof payload, key);
        n += frame_write_masked_head(bytes + n, FRAME_TEXT, sizeof payload, key);
        memcpy(bytes + n, payload, sizeof payload);
        n += sizeof payload;
    }
    struct frame_reader reader = {0};
    struct frame f;
    for (size_t at = 0; at < n; at += used) {
        must(frame_read(&reader, true, 65536, bytes + at, n - at, &used, &f) == FRAME_DATA,
             "a frame is refused");
        scenario_found += f.payload.n;
    }
}

static void heads(void)
{
    static const char request[] =
        "GET /chat HTTP/1.1\r\nHost: chat.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux "
        "x86_64)\r\n"
        "Accept-Language: en-US,en;q=0.5\r\nSec-WebSocket-Version: 13\r\nOrigin: "
        "https://example.org\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: keep-alive, Upgrade\r\n"
        "Pragma: no-cache\r\nCache-Control: no-cache\r\nUpgrade: websocket\r\n\r\n";
    for (int i = 0; i < 100; i++) {
        struct http_head head;
        const char *why;
        must(http_parse_request(slice_str(request), &head, &why) == HTTP_OK, "a request is "
                                                                             "refused");
        scenario_found += head.fields_n;
    }
}

/* ---- checks ------------------------------------------------------------------------------- */

static void checks(void)
{
    static uint8_t bytes[64 << 10];
    for (size_t at = 0; at + 220 < sizeof bytes; at += 220)
        scenario_found += crc32c(0, bytes + at, 220);
    scenario_found += crc32c(0, bytes, sizeof bytes);
}

static char token[1024];
static struct hmac_key token_key;

static void make_token(void)
{
    hmac_key_init(&token_key, SLICE("0123456789abcdef0123456789abcdef"));
    must(jwt_sign(token, sizeof token, &token_key, SLICE("alice"), 0, INT64_C(4102444800000)) > 0,
         "no token");
}

static void tokens(void)
{
    for (int i = 0; i < 100; i++) {
        struct jwt jwt;
        must(jwt_verify(slice_str(token), &token_key, 1, 1000, &jwt) == JWT_OK, "a token is "
                                                                                "refused");
        scenario_found += jwt.user_n;
    }
}

/* ---- who is there ------------------------------------------------------------------------- */

#define USERS SCENARIO_USERS

static struct hub hub;
static char names[USERS][16];

static void fill_hub(void)
{
    static size_t memory;
    must(hub_init(&hub, &memory) == 0, "no hub");
    for (int i = 0; i < USERS; i++) {
        snprintf(names[i], sizeof names[i], "user%d", i);
        must(hub_enter(&hub, slice_str(names[i])) != NULL, "no room in the hub");
    }
}

static void lookups(void)
{
    for (int i = 0; i < USERS; i++)
        scenario_found += hub_find(&hub, slice_str(names[i]))->name_n;
}

/* ---- the store ---------------------------------------------------------------------------- */

static char folder[32];
static struct disk disk;
static struct store *store;

static void on_committed(void *ctx, const struct store_message *message)
{
    (void)ctx;
    scenario_found += message->json.n;
}

static void on_failed(void *ctx, uint64_t id, int error)
{
    (void)ctx;
    (void)id;
    (void)error;
    must(false, "a message was not stored");
}

static void appends(void)
{
    for (int i = 0; i < 1000; i++) {
        uint64_t id;
        int64_t date;
        must(store_append(store, SLICE("alice"), slice_str(names[i % 100]),
                          SLICE("\"what is said, of a length that is usual for it\""), SLICE(""),
                          1000 + i, &id, &date) == 0,
             "a message was refused");
        if (i % 50 == 49) {
            store_flush(store);
            store_collect(store);
        }
    }
}

static void open_store(void)
{
    static const struct log log = {.level = LOG_ERROR};
    for (int i = 0; i < USERS; i++)
        snprintf(names[i], sizeof names[i], "user%d", i);
    strcpy(folder, "/tmp/parley-perf-XXXXXX");
    must(mkdtemp(folder) != NULL && disk_open_dir(&disk, folder) == 0, "no folder");
    const struct store_options options = {.disk = &disk,
                                          .recent = 1 << 20,
                                          .log = &log,
                                          .sync = STORE_SYNC_NONE,
                                          .inline_commit = true,
                                          .committed = on_committed,
                                          .failed = on_failed};
    struct store_error error;
    must(store_open(&store, &options, &error) == STORE_OK, "the store does not open");
}

static void fill_store(void)
{
    open_store();
    for (int i = 0; i < 20; i++)
        appends();
}

static void close_store(void)
{
    char command[64];
    store_close(store);
    disk_close_dir(&disk);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    must(system(command) == 0, "the folder stays");
}

static void read_all(struct store_read *read, enum store_status status)
{
    struct store_message m;
    must(status == STORE_OK, "a read is refused");
    while (store_read_next(store, read, &m) == STORE_OK)
        scenario_found += m.json.n;
    store_read_end(read);
}

static void pages(void)
{
    struct store_read read;
    store_flush(store);
    for (int i = 0; i < 10; i++)
        read_all(&read, store_read_page(store, &read, SLICE("alice"), slice_str(names[i]), 0, 100));
}

static void snippets(void)
{
    struct store_read read;
    for (int i = 0; i < 10; i++)
        read_all(&read, store_read_snippets(store, &read, SLICE("alice")));
}

static void reopen(void)
{
    static const struct log log = {.level = LOG_ERROR};
    struct store_options options = {.disk = &disk,
                                    .log = &log,
                                    .sync = STORE_SYNC_NONE,
                                    .inline_commit = true,
                                    .committed = on_committed,
                                    .failed = on_failed};
    struct store_error error;
    store_close(store);
    must(disk.remove(disk.ctx, "checkpoint") == 0, "there is no checkpoint");
    must(store_open(&store, &options, &error) == STORE_OK, "the store does not open again");
}

/* ------------------------------------------------------------------------------------------- */

static void nothing(void)
{
}

const struct scenario scenarios[] = {
    {"envelope", nothing, envelopes, nothing, 1000, sizeof SCENARIO_ENVELOPE - 1},
    {"utf8", nothing, texts, nothing, 1, SCENARIO_TEXT_SIZE},
    {"frame", nothing, frames, nothing, 100, 86},
    {"http", nothing, heads, nothing, 100, 0},
    {"crc32c", nothing, checks, nothing, 1, 128 << 10},
    {"token", make_token, tokens, nothing, 100, 0},
    {"hub", fill_hub, lookups, nothing, USERS, 0},
    {"append", open_store, appends, close_store, 1000, 0},
    {"page", fill_store, pages, close_store, 10, 0},
    {"snippets", fill_store, snippets, close_store, 10, 0},
    {"recover", fill_store, reopen, close_store, 1, 0},
    {0},
};
