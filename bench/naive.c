#include "naive.h"

#include "../tests/perf/scenarios.h"
#include "codec/jwt.h"
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- JSON --------------------------------------------------------------------------------- */

struct node {
    char *text; /* of a member: its name; of an item that is no container: its text */
    struct node *first, *next;
};

static const char *skip_space(const char *p)
{
    while (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')
        p++;
    return p;
}

static struct node *new_node(struct node *parent)
{
    struct node *n = calloc(1, sizeof *n);
    if (!n)
        run_die(ENOMEM, "naive");
    n->next = parent->first;
    parent->first = n;
    return n;
}

/* A string, a number or a word, copied character by character. */
static const char *read_text(const char *p, struct node *n)
{
    size_t used = 0, room = 8;
    bool quoted = *p == '"';
    n->text = malloc(room);
    for (p += quoted; n->text && *p && (quoted ? *p != '"' : !strchr(",]}: ", *p)); p++) {
        p += quoted && *p == '\\';
        if (used + 1 == room)
            n->text = realloc(n->text, room *= 2);
        if (n->text)
            n->text[used++] = *p;
    }
    if (!n->text)
        run_die(ENOMEM, "naive");
    n->text[used] = 0;
    return p + quoted;
}

static const char *read_value(const char *p, struct node *parent) // NOLINT(misc-no-recursion)
{
    struct node *n = new_node(parent);
    p = skip_space(p);
    if (*p != '{' && *p != '[')
        return read_text(p, n);
    bool object = *p == '{';
    do {
        p = skip_space(p + 1);
        struct node *member = n;
        if (object) {
            member = new_node(n);
            p = skip_space(read_text(p, member)) + 1;
        }
        p = skip_space(read_value(p, member));
    } while (*p == ',');
    return p + 1;
}

static void free_nodes(struct node *n) // NOLINT(misc-no-recursion)
{
    for (struct node *next; n; n = next) {
        next = n->next;
        scenario_found += n->text ? strlen(n->text) : 0;
        free_nodes(n->first);
        free(n->text);
        free(n);
    }
}

void naive_envelopes(void)
{
    for (int i = 0; i < 1000; i++) {
        struct node root = {0};
        read_value(SCENARIO_ENVELOPE, &root);
        free_nodes(root.first);
    }
}

/* ---- bytes -------------------------------------------------------------------------------- */

static const uint8_t *read_code_point(const uint8_t *p, uint32_t *c)
{
    int more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
    uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    *c = more ? *p & (0x3fu >> more) : *p;
    p++;
    for (int i = 0; i < more; i++, p++) {
        if ((*p & 0xc0) != 0x80)
            return NULL;
        *c = *c << 6 | (*p & 0x3f);
    }
    return *c < least[more] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ? NULL : p;
}

void naive_texts(void)
{
    static const char piece[] = SCENARIO_TEXT;
    static uint8_t text[SCENARIO_TEXT_SIZE + 4];
    size_t n = 0;
    for (; n + sizeof piece < SCENARIO_TEXT_SIZE; n += sizeof piece - 1)
        memcpy(text + n, piece, sizeof piece - 1);
    for (const uint8_t *p = text; p && p < text + n;) {
        uint32_t c;
        p = read_code_point(p, &c);
        scenario_found += c;
    }
}

void naive_unmask(uint8_t *p, size_t n, const uint8_t key[4])
{
    for (size_t i = 0; i < n; i++) {
        p[i] ^= key[i % 4];
        __asm__ volatile("" ::: "memory"); /* as it is written, byte by byte */
    }
}

void naive_frames(void)
{
    static const uint8_t key[4] = {1, 2, 3, 4};
    uint8_t bytes[86] = {0x81, 0x80 | 80, 1, 2, 3, 4};
    for (int i = 0; i < 100; i++) {
        memset(bytes + 6, 'a', 80);
        size_t n = bytes[1] & 127;
        uint8_t *payload = malloc(n);
        if (!payload)
            run_die(ENOMEM, "naive");
        memcpy(payload, bytes + 6, n);
        naive_unmask(payload, n, key);
        scenario_found += payload[n - 1];
        free(payload);
    }
}

void naive_checks(void)
{
    static uint8_t bytes[128 << 10];
    uint32_t crc = ~0u;
    for (size_t i = 0; i < sizeof bytes; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    scenario_found += crc | 1;
}

void naive_tokens(void)
{
    static const char secret[] = "0123456789abcdef0123456789abcdef";
    static char token[JWT_MAX];
    static size_t n;
    struct hmac_key key;
    struct jwt jwt;
    if (!n) {
        hmac_key_init(&key, slice_str(secret));
        n = jwt_sign(token, sizeof token, &key, SLICE("alice"), 0, INT64_C(4102444800000));
    }
    for (int i = 0; i < 100; i++) {
        char *copy = strndup(token, n);
        hmac_key_init(&key, slice_str(secret));
        if (!copy || jwt_verify(slice_str(copy), &key, 1, 1000, &jwt) != JWT_OK)
            run_die(0, "naive: a token is refused");
        scenario_found += jwt.user_n;
        free(copy);
    }
}

void naive_lookups(void)
{
    static char names[SCENARIO_USERS][16];
    for (unsigned i = 0; !names[SCENARIO_USERS - 1][0] && i < SCENARIO_USERS; i++)
        snprintf(names[i], sizeof names[i], "user%u", i);
    for (unsigned i = 0; i < SCENARIO_USERS; i++)
        for (unsigned k = 0; k < SCENARIO_USERS; k++)
            if (strcmp(names[k], names[i]) == 0) {
                scenario_found += k;
                break;
            }
}

/* ---- messages ----------------------------------------------------------------------------- */

static FILE *messages;
static unsigned written;

void naive_open(void)
{
    messages = tmpfile();
    if (!messages)
        run_die(errno, "naive: no temporary file");
    naive_appends();
}

void naive_appends(void)
{
    for (int i = 0; i < 1000; i++) {
        char line[256];
        int n = snprintf(line, sizeof line,
                         "{\"id\":%u,\"from\":\"alice\",\"to\":\"user%d\",\"content\":\"%s\","
                         "\"date\":%d}\n",
                         ++written, i % 100, "what is said, of a length that is usual for it",
                         1000 + i);
        if (write(fileno(messages), line, (size_t)n) != n)
            run_die(errno, "naive: cannot write");
    }
}

void naive_pages(void)
{
    for (int i = 0; i < 1000; i++) {
        char line[128];
        if (pread(fileno(messages), line, sizeof line, i * 100) < 0)
            run_die(errno, "naive: cannot read");
        scenario_found += (uint8_t)line[0];
    }
}

void naive_close(void)
{
    fclose(messages);
}
