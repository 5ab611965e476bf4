#include "script.h"

#include "base/endian.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* Longer payloads that are not the pattern are told in part. */
#define TELL_MAX 64

static const char letters[] = "TBCPOX";
static const uint8_t opcodes[] = {0x1, 0x2, 0x0, 0x9, 0xa, 0x8}; /* of the letters */

static _Noreturn void give_up(const char *word)
{
    fprintf(stderr, "script: \"%s\" is no word of a script\n", word);
    abort();
}

/* A prime length keeps two places from looking alike; beginning with "a". */
static uint8_t pattern(size_t i)
{
    return (uint8_t)('a' + i % 251 % 26);
}

static void put_hex(struct buf *out, const char *p, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i += 2) {
        char two[3] = {p[i], i + 1 < n ? p[i + 1] : 'x', 0}, *end;
        uint8_t byte = (uint8_t)strtoul(two, &end, 16);
        if (*end)
            give_up(word);
        buf_append(out, &byte, 1);
    }
}

/* One frame's word, taken apart. */
struct frame_words {
    uint8_t first;
    bool masked;
    struct buf payload;
    uint64_t declared; /* the length its head tells */
};

static uint8_t take_first_byte(const char **p, const char *word)
{
    char *end;
    if (**p == '#') {
        uint8_t first = (uint8_t)strtoul(*p + 1, &end, 16);
        *p = end;
        return first;
    }
    const char *found = strchr(letters, toupper((unsigned char)**p));
    if (!**p || !found)
        give_up(word);
    unsigned fin = isupper((unsigned char)**p) ? 0x80 : 0;
    ++*p;
    return (uint8_t)(fin | opcodes[found - letters]);
}

/* *at: where the pattern goes on. */
static void take_payload(struct buf *out, const char *p, size_t *at, const char *word)
{
    if (*p == ':') {
        buf_append(out, p + 1, strlen(p + 1));
    } else if (*p == '=') {
        put_hex(out, p + 1, strlen(p + 1), word);
    } else if (*p == '*') {
        size_t n = strtoul(p + 1, NULL, 10);
        uint8_t *room = buf_reserve(out, n + 1);
        if (!room)
            give_up(word);
        for (size_t i = 0; i < n; i++)
            room[i] = pattern((*at)++);
        out->n += n;
    } else if (*p) {
        give_up(word);
    }
}

/* RFC 6455, 5.2, written once more: the code under test is not asked. */
static size_t put_head(uint8_t out[14], const struct frame_words *f)
{
    size_t n = 2;
    out[0] = f->first;
    out[1] = f->declared < 126 ? (uint8_t)f->declared : f->declared < 65536 ? 126 : 127;
    if (out[1] == 126) {
        be16_store(out + n, (uint16_t)f->declared);
        n += 2;
    } else if (out[1] == 127) {
        be64_store(out + n, f->declared);
        n += 8;
    }
    return n;
}

static void put_frame(struct buf *out, struct frame_words *f)
{
    static uint32_t random = 1;
    uint8_t head[14], *key;
    size_t n = put_head(head, f);
    if (f->masked) {
        random = random * 1103515245 + 12345;
        head[1] |= 0x80;
        key = head + n;
        be32_store(key, random);
        n += 4;
        for (size_t i = 0; i < f->payload.n; i++)
            f->payload.p[i] ^= key[i % 4];
    }
    buf_append(out, head, n);
    buf_append_slice(out, buf_slice(&f->payload));
}

static void encode_word(struct buf *out, const char *word, size_t *message_at)
{
    const char *p = word;
    struct frame_words f = {.masked = *p != '_'};
    char *end;
    size_t own_at = 0;
    if (*p == '!') {
        put_hex(out, p + 1, strlen(p + 1), word);
        return;
    }
    p += !f.masked;
    f.first = take_first_byte(&p, word);
    bool control = f.first & 0x08;
    if (f.first & 0x07 && !control)
        *message_at = 0;
    if (isdigit((unsigned char)*p)) {
        uint8_t code[2];
        be16_store(code, (uint16_t)strtoul(p, &end, 10));
        buf_append(&f.payload, code, 2);
        p = end;
    }
    bool declares = *p == '>';
    if (declares) {
        f.declared = strtoull(p + 1, &end, 10);
        p = end;
    }
    take_payload(&f.payload, p, control ? &own_at : message_at, word);
    if (!declares)
        f.declared = f.payload.n;
    put_frame(out, &f);
    buf_free(&f.payload);
}

void script_encode(struct buf *out, const char *script)
{
    char *words = strdup(script), *rest = NULL;
    size_t message_at = 0;
    if (!words)
        abort();
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        encode_word(out, word, &message_at);
    free(words);
    if (out->failed)
        abort();
}

static bool is_pattern(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != pattern(i))
            return false;
    return s.n > 0;
}

static bool is_readable(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
            return false;
    return true;
}

static void tell_payload(struct buf *out, struct slice payload)
{
    if (payload.n == 0)
        return;
    if (is_pattern(payload)) {
        buf_printf(out, "*%zu", payload.n);
        return;
    }
    struct slice shown = slice_of(payload.p, payload.n < TELL_MAX ? payload.n : TELL_MAX);
    if (is_readable(shown)) {
        buf_printf(out, ":%.*s", SLICE_FMT(shown));
    } else {
        buf_append_lit(out, "=");
        for (size_t i = 0; i < shown.n; i++)
            buf_printf(out, "%02x", shown.p[i]);
    }
    if (shown.n < payload.n)
        buf_printf(out, "...(%zu)", payload.n);
}

void script_tell(struct buf *out, uint8_t first, struct slice payload)
{
    const uint8_t *found = memchr(opcodes, first & 0x0f, sizeof opcodes);
    if (out->n)
        buf_append_lit(out, " ");
    if (!found || (first & 0xf0) != 0x80) {
        buf_printf(out, "#%02x", first);
    } else {
        buf_append(out, &letters[found - opcodes], 1);
    }
    if (first != 0x88)
        tell_payload(out, payload);
    else if (payload.n >= 2)
        buf_printf(out, "%u", (unsigned)be16_load(payload.p));
    else
        tell_payload(out, payload);
}
