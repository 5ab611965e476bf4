#include "cases.h"

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

/* A case by hand: its id never changes. */
static const struct conformance_case by_hand[] = {
    /* 1 framing */
    {"1.4.1", "5.1", "a text that is not masked", "_T:hello", "X1002", BOTH, 0},
    {"1.4.2", "5.1", "an empty text that is not masked", "_T", "X1002", BOTH, 0},
    {"1.4.3", "5.1", "a binary message that is not masked", "_B:hello", "X1002", BOTH, 0},
    {"1.4.4", "5.1", "a ping that is not masked", "_P:hello", "X1002", BOTH, 0},
    {"1.4.5", "5.1", "a pong that is not masked", "_O", "X1002", BOTH, 0},
    {"1.4.6", "5.1", "a close that is not masked", "_X1000", "X1002", BOTH, 0},
    {"1.4.7", "5.1", "a continuation that is not masked", "t:hel _C:lo", "X1002", BOTH, 0},
    {"1.4.8", "5.1", "the first two bytes show it: no more is sent", "!8105", "X1002", BOTH, 0},
    {"1.4.9", "5.3", "a mask of zeros", "!8185000000006865 !6c6c6f", "T:hello", BOTH, 0},
    {"1.4.10", "5.3", "a mask of ones", "!8185ffffffff979a !939390", "T:hello", BOTH, 0},
    {"1.4.11", "5.3", "a mask that is the text", "!81846865 !6c6c !00000000", "T:hell", BOTH, 0},
    {"1.4.12", "5.7", "the RFC's masked hello", "!818537fa213d7f9f4d5158", "T:Hello", BOTH, 0},
    {"1.5.1", "5.2", "the end behind the first byte of a head", "!81", "EOF", BOTH, 0},
    {"1.5.2", "5.2", "the end inside a mask", "!81850000", "EOF", BOTH, 0},
    {"1.5.3", "5.2", "the end inside a text", "T>10:hello", "EOF", BOTH, 0},
    {"1.5.4", "5.2", "the end inside a ping", "P>10:hello", "EOF", BOTH, 0},
    {"1.5.5", "5.4", "the end inside a message", "t:hello", "EOF", BOTH, 0},
    {"1.5.6", "7.1.5", "the end without anything", "", "EOF", BOTH, 0},

    /* 2 pings and pongs */
    {"2.1.1", "5.5.2", "an empty ping", "P", "O", BOTH, 0},
    {"2.1.2", "5.5.2", "a ping with text", "P:are-you-there", "O:are-you-there", BOTH, 0},
    {"2.1.3", "5.5.2", "a ping with bytes", "P=00ff10fe", "O=00ff10fe", BOTH, 0},
    {"2.1.4", "5.5.2", "a ping that is not UTF-8", "P=c328eda080", "O=c328eda080", BOTH, 0},
    {"2.1.5", "5.5", "a ping of 125 bytes", "P*125", "O*125", BOTH, 0},
    {"2.1.6", "5.5", "a ping of 125 bytes, byte by byte", "P*125", "O*125", BOTH, 1},
    {"2.1.7", "5.5", "a ping of 126 bytes", "P*126", "X1002", BOTH, 0},
    {"2.1.8", "5.5", "the head of one alone", "P>126", "X1002", BOTH, 0},
    {"2.1.9", "5.5", "a ping of 65536 bytes, the head alone", "P>65536", "X1002", BOTH, 0},
    {"2.1.10", "5.2", "a ping of 5 bytes in the 16-bit form", "!89fe000500000000", "X1002", BOTH,
     0},
    {"2.1.11", "5.5.2", "ten pings", "P:0 P:1 P:2 P:3 P:4 P:5 P:6 P:7 P:8 P:9",
     "O:0 O:1 O:2 O:3 O:4 O:5 O:6 O:7 O:8 O:9", BOTH, 0},
    {"2.1.12", "5.5.2", "ten pings, byte by byte", "P:0 P:1 P:2 P:3 P:4 P:5 P:6 P:7 P:8 P:9",
     "O:0 O:1 O:2 O:3 O:4 O:5 O:6 O:7 O:8 O:9", BOTH, 1},
    {"2.1.13", "5.5.2", "a ping between two texts", "T:one P:two T:three", "T:one O:two T:three",
     BOTH, 0},
    {"2.2.1", "5.5.3", "an empty pong nobody asked for", "O", "", BOTH, 0},
    {"2.2.2", "5.5.3", "a pong with a payload", "O:hello", "", BOTH, 0},
    {"2.2.3", "5.5.3", "a pong, then a ping", "O:hello P:there", "O:there", BOTH, 0},
    {"2.2.4", "5.5.3", "ten pongs", "O:0 O:1 O:2 O:3 O:4 O:5 O:6 O:7 O:8 O:9", "", BOTH, 0},
    {"2.2.5", "5.5", "a pong of 125 bytes", "O*125", "", BOTH, 0},
    {"2.2.6", "5.5", "a pong of 126 bytes", "O*126", "X1002", BOTH, 0},
    {"2.2.7", "5.5.3", "pongs inside a message", "t:hel O:x c O:y C:lo", "T:hello", BOTH, 0},
    {"2.3.1", "5.5", "a ping without FIN", "p", "X1002", BOTH, 0},
    {"2.3.2", "5.5", "a ping without FIN and the rest of it", "p:hel C:lo", "X1002", BOTH, 0},
    {"2.3.3", "5.5", "a pong without FIN", "o:hel C:lo", "X1002", BOTH, 0},
    {"2.3.4", "5.5", "a close without FIN", "x1000", "X1002", BOTH, 0},
    {"2.3.5", "5.5", "a ping without FIN inside a message", "t:hel p:x C:lo", "X1002", BOTH, 0},
    {"2.3.6", "5.5", "its first byte alone", "!09", "X1002", BOTH, 0},

    /* 5 fragmentation */
    {"5.1.1", "5.4", "two fragments", "t:frag C:ment", "T:fragment", BOTH, 0},
    {"5.1.2", "5.4", "two fragments, byte by byte", "t:frag C:ment", "T:fragment", BOTH, 1},
    {"5.1.3", "5.4", "two empty fragments", "t C", "T", BOTH, 0},
    {"5.1.4", "5.4", "three empty fragments", "t c C", "T", BOTH, 0},
    {"5.1.5", "5.4", "empty fragments around the text", "t c:hello C", "T:hello", BOTH, 0},
    {"5.1.6", "5.4", "the text in the last fragment", "t c c c C:hello", "T:hello", BOTH, 0},
    {"5.1.7", "5.4", "a binary message in two fragments", "b=00ff C=fe01", "B=00fffe01", ECHO, 0},
    {"5.1.8", "5.4", "an empty binary message in fragments", "b c C", "B", ECHO, 0},
    {"5.1.9", "5.4", "two messages in fragments", "t:a1 C:a2 t:b1 C:b2", "T:a1a2 T:b1b2", BOTH, 0},
    {"5.1.10", "5.4", "a text, then a binary message", "t:a1 C:a2 b:b1 C:b2", "T:a1a2 B:b1b2", ECHO,
     0},
    {"5.1.11", "5.4", "a whole message behind one in fragments", "t:a1 C:a2 T:b", "T:a1a2 T:b",
     BOTH, 0},
    {"5.1.12", "5.4", "the RFC's message in two fragments", "t:Hel C:lo", "T:Hello", BOTH, 0},
    {"5.2.1", "5.4", "a continuation of nothing, the last", "C:hello", "X1002", BOTH, 0},
    {"5.2.2", "5.4", "a continuation of nothing, not the last", "c:hello", "X1002", BOTH, 0},
    {"5.2.3", "5.4", "an empty continuation of nothing", "C", "X1002", BOTH, 0},
    {"5.2.4", "5.4", "one behind a whole message", "T:hello C:more", "T:hello X1002", BOTH, 0},
    {"5.2.5", "5.4", "one behind a message in fragments", "t:hel C:lo C:more", "T:hello X1002",
     BOTH, 0},
    {"5.2.6", "5.4", "one behind a ping", "P:hello C:more", "O:hello X1002", BOTH, 0},
    {"5.2.7", "5.4", "the head of one alone", "C>5", "X1002", BOTH, 0},
    {"5.3.1", "5.4", "a text inside a text", "t:hel T:lo", "X1002", BOTH, 0},
    {"5.3.2", "5.4", "the start of a text inside a text", "t:hel t:lo", "X1002", BOTH, 0},
    {"5.3.3", "5.4", "a binary message inside a text", "t:hel B:lo", "X1002", BOTH, 0},
    {"5.3.4", "5.4", "a text inside a binary message", "b:hel T:lo", "X1002", ECHO, 0},
    {"5.3.5", "5.4", "a binary message inside a binary one", "b:hel b:lo", "X1002", ECHO, 0},
    {"5.3.6", "5.4", "an empty text inside a text", "t T", "X1002", BOTH, 0},
    {"5.3.7", "5.4", "the head of one alone", "t:hel T>5", "X1002", BOTH, 0},
    {"5.4.1", "5.4", "a ping inside a message", "t:hel P:ping C:lo", "O:ping T:hello", BOTH, 0},
    {"5.4.2", "5.4", "the same byte by byte", "t:hel P:ping C:lo", "O:ping T:hello", BOTH, 1},
    {"5.4.3", "5.4", "pings between all fragments", "t:h P:1 c:e P:2 c:l P:3 c:l P:4 C:o",
     "O:1 O:2 O:3 O:4 T:hello", BOTH, 0},
    {"5.4.4", "5.4", "a ping inside a character", "t=e2 P:1 c=82 P:2 C=ac", "O:1 O:2 T=e282ac",
     BOTH, 0},
    {"5.4.5", "5.5.2", "a ping before a message that never ends", "t:hel P:x", "O:x EOF", BOTH, 0},
    {"5.4.6", "5.4", "a close inside a message", "t:hel X1000", "X1000", BOTH, 0},
    {"5.4.7", "5.5", "a ping of 126 bytes inside a message", "t:hel P*126 C:lo", "X1002", BOTH, 0},

    /* 7 closing */
    {"7.1.1", "5.5.1", "a close with 1000", "X1000", "X1000", BOTH, 0},
    {"7.1.2", "5.5.1", "the same byte by byte", "X1000", "X1000", BOTH, 1},
    {"7.1.3", "5.5.1", "a close without a payload", "X", "X", BOTH, 0},
    {"7.1.4", "5.5.1", "a close of one byte", "X=03", "X1002", BOTH, 0},
    {"7.1.5", "5.5.1", "a close with a reason", "X1000:bye", "X1000", BOTH, 0},
    {"7.1.6", "5.5", "a close with a reason of 123 bytes", "X1000*123", "X1000", BOTH, 0},
    {"7.1.7", "5.5", "a close with a reason of 124 bytes", "X1000*124", "X1002", BOTH, 0},
    {"7.1.8", "5.5", "the head of one alone", "X>126", "X1002", BOTH, 0},
    {"7.1.9", "8.1", "a reason in Greek", "X1000=cebae1bdb9cf83cebcceb5", "X1000", BOTH, 0},
    {"7.1.10", "8.1", "a reason that ends inside a character", "X1000=61e282", "X1007", BOTH, 0},
    {"7.1.11", "8.1", "a reason with a surrogate", "X1000=eda080", "X1007", BOTH, 0},
    {"7.1.12", "7.4.1", "a bad code with a bad reason", "X1005=ff", "X1002", BOTH, 0},
    {"7.1.13", "5.5.1", "what is behind a close of one byte is no code", "X=03 !e8", "X1002", BOTH,
     0},
    {"7.2.1", "5.5.1", "a text behind a close", "X1000 T:late", "X1000", BOTH, 0},
    {"7.2.2", "5.5.1", "a ping behind a close", "X1000 P:late", "X1000", BOTH, 0},
    {"7.2.3", "5.5.1", "a second close", "X1000 X1001", "X1000", BOTH, 0},
    {"7.2.4", "5.5.1", "a broken frame behind a close", "X1000 !ffff", "X1000", BOTH, 0},
    {"7.2.5", "5.5.1", "64 KiB behind a close", "X1000 T*65536", "X1000", BOTH, 0},
    {"7.2.6", "5.5.1", "the rest of a message behind a close", "t:hel X1000 C:lo", "X1000", BOTH,
     0},
    {"7.2.7", "7.1.7", "a text behind a broken frame", "#83 T:late", "X1002", BOTH, 0},
    {"7.2.8", "7.1.7", "a ping behind a broken frame", "#83 P:late", "X1002", BOTH, 0},
    {"7.2.9", "7.1.7", "a close behind a broken frame", "#83 X1000", "X1002", BOTH, 0},
    {"7.3.1", "5.5.1", "what came before is answered before", "T:one T:two P:three X1000",
     "T:one T:two O:three X1000", BOTH, 0},
    {"7.3.2", "5.5.1", "the same byte by byte", "T:one T:two P:three X1000",
     "T:one T:two O:three X1000", BOTH, 1},
    {"7.3.3", "5.5.1", "a large message, then a close", "T*65536 X1000", "T*65536 X1000", BOTH, 0},

    /* 8 limits */
    {"8.1.1", "10.4", "a text of --max-frame bytes", "T*1000", "T*1000", SMALL, 0},
    {"8.1.2", "10.4", "one byte more", "T*1001", "X1009", SMALL, 0},
    {"8.1.3", "10.4", "the head of it alone", "T>1001", "X1009", SMALL, 0},
    {"8.1.4", "10.4", "a binary message of one byte more", "B>1001", "X1009", SMALL, 0},
    {"8.1.5", "10.4", "fragments of --max-frame in all", "t*500 C*500", "T*1000", SMALL, 0},
    {"8.1.6", "10.4", "fragments of one byte more", "t*500 C*501", "X1009", SMALL, 0},
    {"8.1.7", "10.4", "the head of the last one alone", "t*500 C>501", "X1009", SMALL, 0},
    {"8.1.8", "10.4", "the limit is of one message", "T*1000 T*1000 t*1000 C",
     "T*1000 T*1000 T*1000", SMALL, 0},
    {"8.1.9", "10.4", "pings do not count", "t*999 P*125 P*125 C*1", "O*125 O*125 T*1000", SMALL,
     0},
    {"8.1.10", "10.4", "no length overflows a sum", "t*1000 C>9223372036854775807", "X1009", SMALL,
     0},
    {"8.1.11", "10.4", "empty fragments do not count", "t*1000 c c c c c c c c C", "T*1000", SMALL,
     0},
    {"8.1.12", "10.4", "what is over the limit and not UTF-8", "T>1001=ff", "X1009", SMALL, 0},
    {"8.2.1", "10.4", "16 MiB and one byte", "T>16777217", "X1009", ECHO, 0},
    {"8.2.2", "10.4", "4 GiB", "B>4294967296", "X1009", ECHO, 0},
    {"8.2.3", "10.4", "4 GiB and 5 bytes are not 5 bytes", "T>4294967301:hello", "X1009", BOTH, 0},
    {"8.2.4", "5.2", "2^63 - 1 bytes", "T>9223372036854775807", "X1009", BOTH, 0},
    {"8.2.5", "5.2", "2^63 bytes: the top bit is set", "T>9223372036854775808", "X1002", BOTH, 0},
    {"8.2.6", "5.2", "2^64 - 1 bytes", "T>18446744073709551615", "X1002", BOTH, 0},
    {"8.2.7", "5.2", "2^64 - 1 bytes behind a fragment", "t:hello C>18446744073709551615", "X1002",
     BOTH, 0},
    {"8.3.1", "10.4", "/chat: a text of --max-frame bytes", "T*65536", "", CHAT, 0},
    {"8.3.2", "10.4", "/chat: one byte more, the head alone", "T>65537", "X1009", CHAT, 0},
    {"8.3.3", "10.4", "/chat: fragments of one byte more", "t*65000 C>537", "X1009", CHAT, 0},
    {"8.3.4", "7.4.1", "/chat: a binary message", "B:hello", "X1003", CHAT, 0},
    {"8.3.5", "7.4.1", "/chat: an empty binary message", "B", "X1003", CHAT, 0},
    {"8.3.6", "7.4.1", "/chat: the beginning of a binary message", "b>100:hello", "X1003", CHAT, 0},
};

/* ---- adding ------------------------------------------------------------------------------ */

static struct conformance_case *cases;
static size_t cases_n, cases_cap;

static char *copy(const char *text)
{
    char *made = strdup(text);
    if (!made)
        abort();
    return made;
}

static struct conformance_case *grow(void)
{
    if (cases_n == cases_cap) {
        cases_cap = 2 * cases_cap + 1024;
        cases = realloc(cases, cases_cap * sizeof *cases);
        if (!cases)
            abort();
    }
    return &cases[cases_n++];
}

/* The number behind the family's last. */
static unsigned next_number(const char *family)
{
    size_t n = strlen(family);
    for (size_t i = cases_n; i-- > 0;)
        if (strncmp(cases[i].id, family, n) == 0 && cases[i].id[n] == '.')
            return (unsigned)atoi(cases[i].id + n + 1) + 1;
    return 1;
}

void cases_add(const struct conformance_case *k)
{
    char id[32];
    snprintf(id, sizeof id, "%s.%u", k->id, next_number(k->id));
    struct conformance_case *made = grow();
    *made = *k;
    made->id = copy(id);
    made->what = copy(k->what);
    made->send = copy(k->send);
    made->expect = copy(k->expect);
}

static void add(const char *family, const char *section, const char *what, enum where where,
                size_t chop, const char *send, const char *expect)
{
    cases_add(&(struct conformance_case){family, section, what, send, expect, where, chop});
}

/* ---- the generated families -------------------------------------------------------------- */

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const size_t chops[] = {0, 1, 2, 3, 7, 64, 125, 126, 127, 128, 256, 500, 997, 1000};

/* 1.1 and 1.2: payloads around every change of the length's form, whole and in chops. */
static void add_sizes(void)
{
    static const size_t sizes[] = {0,   1,   2,   7,   8,    124,  125,   126,   127,
                                   128, 254, 255, 256, 1000, 4096, 65534, 65535, 65536};
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (size_t c = 0; c < COUNT(chops); c++) {
            char send[32], expect[32];
            snprintf(send, sizeof send, "T*%zu", sizes[i]);
            snprintf(expect, sizeof expect, sizes[i] ? "T*%zu" : "T", sizes[i]);
            add("1.1", "5.2", "a text", BOTH, chops[c], send, expect);
        }
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (size_t c = 0; c < COUNT(chops); c++) {
            char send[32], expect[32];
            snprintf(send, sizeof send, "B*%zu", sizes[i]);
            snprintf(expect, sizeof expect, sizes[i] ? "B*%zu" : "B", sizes[i]);
            add("1.2", "5.2", "a binary message", ECHO, chops[c], send, expect);
        }
}

/* 1.3: only the shortest form of a length is taken. The masks are zeros. */
static void add_forms(void)
{
    static const size_t sizes[] = {0, 1, 5, 124, 125, 126, 127, 255, 256, 65535, 65536, 65537};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char send[64], what[64];
        size_t size = sizes[i];
        if (size <= 65535) {
            snprintf(send, sizeof send, "!81fe%04zx00000000", size);
            snprintf(what, sizeof what, "%zu bytes in the 16-bit form", size);
            add("1.3", "5.2", what, BOTH, 0, send, size < 126 ? "X1002" : "EOF");
        }
        snprintf(send, sizeof send, "!81ff%016zx00000000", size);
        snprintf(what, sizeof what, "%zu bytes in the 64-bit form", size);
        add("1.3", "5.2", what, ECHO, 0, send, size < 65536 ? "X1002" : "EOF");
    }
}

/* 3: each reserved bit with each opcode. No extension is negotiated. */
static void add_reserved_bits(void)
{
    static const unsigned opcodes[] = {0, 1, 2, 8, 9, 10};
    for (unsigned bits = 1; bits <= 7; bits++)
        for (size_t i = 0; i < COUNT(opcodes); i++) {
            char send[64], what[64];
            unsigned first = 0x80 | bits << 4 | opcodes[i];
            snprintf(what, sizeof what, "reserved bits %u of opcode %u", bits, opcodes[i]);
            snprintf(send, sizeof send, "#%02x:hello", first);
            add("3.1", "5.2", what, BOTH, 0, send, "X1002");
            snprintf(send, sizeof send, "!%02x", first);
            add("3.2", "5.2", what, BOTH, 0, send, "X1002");
            snprintf(send, sizeof send, "T:before #%02x P:behind", first);
            add("3.3", "5.2", what, BOTH, 0, send, "T:before X1002");
            snprintf(send, sizeof send, "t:inside #%02x C", first);
            add("3.4", "5.2", what, BOTH, 1, send, "X1002");
        }
}

/* 4: each opcode that is reserved, with and without FIN. */
static void add_reserved_opcodes(void)
{
    static const unsigned opcodes[] = {3, 4, 5, 6, 7, 11, 12, 13, 14, 15};
    for (unsigned fin = 0; fin <= 0x80; fin += 0x80)
        for (size_t i = 0; i < COUNT(opcodes); i++) {
            char send[64], what[64];
            unsigned first = fin | opcodes[i];
            snprintf(what, sizeof what, "opcode %u %s FIN", opcodes[i], fin ? "with" : "without");
            snprintf(send, sizeof send, "#%02x", first);
            add("4.1", "5.2", what, BOTH, 0, send, "X1002");
            snprintf(send, sizeof send, "#%02x:hello", first);
            add("4.2", "5.2", what, BOTH, 1, send, "X1002");
            snprintf(send, sizeof send, "!%02x", first);
            add("4.3", "5.2", what, BOTH, 0, send, "X1002");
            snprintf(send, sizeof send, "T:before P:too #%02x:x P:behind", first);
            add("4.4", "5.2", what, BOTH, 0, send, "T:before O:too X1002");
            snprintf(send, sizeof send, "t:inside #%02x C", first);
            add("4.5", "5.2", what, BOTH, 0, send, "X1002");
        }
}

#define SPLIT 8 /* bytes of the message that is cut in every way: 128 of them */

/* A message cut behind each byte whose bit is set, with `between` in each gap. */
static void split(struct buf *out, char letter, unsigned cuts, const char *between, unsigned *gaps)
{
    unsigned from = 0;
    buf_clear(out);
    *gaps = 0;
    for (unsigned i = 1; i <= SPLIT; i++) {
        bool last = i == SPLIT;
        if (!last && !(cuts >> (i - 1) & 1))
            continue;
        char opcode = from ? 'c' : letter;
        buf_printf(out, "%c*%u", last ? (char)(opcode - 'a' + 'A') : opcode, i - from);
        if (!last) {
            buf_printf(out, " %s", between);
            ++*gaps;
        }
        from = i;
    }
    buf_append(out, "", 1);
}

/* 5.5 to 5.8: every way to cut a message, plain, with empty fragments, with pings, in bytes. */
static void add_splits(void)
{
    struct buf send = {0};
    unsigned gaps;
    for (unsigned cuts = 0; cuts < 1u << (SPLIT - 1); cuts++) {
        split(&send, 't', cuts, "", &gaps);
        add("5.5", "5.4", "a text in fragments", BOTH, 0, (char *)send.p, "T*8");
        split(&send, 'b', cuts, "", &gaps);
        add("5.6", "5.4", "a binary message in fragments", ECHO, 0, (char *)send.p, "B*8");
        split(&send, 't', cuts, "c ", &gaps);
        add("5.7", "5.4", "with empty fragments between", BOTH, 1, (char *)send.p, "T*8");
        split(&send, 't', cuts, "P:p O ", &gaps);
        struct buf expect = {0};
        while (gaps--)
            buf_append_lit(&expect, "O:p ");
        buf_append(&expect, "T*8", 4);
        add("5.8", "5.4", "with pings and pongs between", BOTH, 0, (char *)send.p,
            (char *)expect.p);
        buf_free(&expect);
    }
    buf_free(&send);
}

/* 7.4: the codes of 7.4.1 and the ranges of 7.4.2. */
static void add_codes(void)
{
    static const struct {
        unsigned code;
        bool good;
    } codes[] = {
        {0, false},    {1, false},     {999, false},   {1000, true},   {1001, true},  {1002, true},
        {1003, true},  {1004, false},  {1005, false},  {1006, false},  {1007, true},  {1008, true},
        {1009, true},  {1010, true},   {1011, true},   {1012, true},   {1013, true},  {1014, true},
        {1015, false}, {1016, false},  {1100, false},  {1999, false},  {2000, false}, {2999, false},
        {3000, true},  {3001, true},   {3999, true},   {4000, true},   {4999, true},  {5000, false},
        {9999, false}, {32767, false}, {32768, false}, {65535, false},
    };
    for (size_t i = 0; i < COUNT(codes); i++) {
        char send[32], expect[32], what[32];
        snprintf(what, sizeof what, "a close with %u", codes[i].code);
        snprintf(expect, sizeof expect, "X%u", codes[i].good ? codes[i].code : 1002);
        snprintf(send, sizeof send, "X%u", codes[i].code);
        add("7.4", codes[i].code < 3000 ? "7.4.1" : "7.4.2", what, BOTH, 0, send, expect);
        snprintf(send, sizeof send, "X%u:reason", codes[i].code);
        add("7.4", codes[i].code < 3000 ? "7.4.1" : "7.4.2", what, BOTH, 1, send, expect);
    }
}

/* 9.1 and 9.2: payloads up to 16 MiB, whole and in chops. */
static void add_large(void)
{
    for (size_t size = 256 << 10; size <= 16 << 20; size *= 4)
        for (size_t c = 0; c < COUNT(chops); c++)
            for (const char *letter = "TB"; *letter; letter++) {
                char text[32];
                snprintf(text, sizeof text, "%c*%zu", *letter, size);
                add(*letter == 'T' ? "9.1" : "9.2", "5.2",
                    *letter == 'T' ? "a large text" : "a large binary message", ECHO, chops[c],
                    text, text);
            }
}

static void add_fragments(const char *family, enum where where, size_t total, size_t size)
{
    struct buf send = {0};
    char expect[32], what[64];
    for (size_t at = 0; at < total; at += size)
        buf_printf(&send, at ? " c*%zu" : "t*%zu", total - at < size ? total - at : size);
    buf_append(&send, " C", 3);
    snprintf(expect, sizeof expect, "T*%zu", total);
    snprintf(what, sizeof what, "%zu KiB in fragments of %zu bytes", total >> 10, size);
    add(family, "5.4", what, where, 0, (char *)send.p, expect);
    buf_free(&send);
}

/* 9.3: a message of 1 MiB in fragments of one size; 9.4: of 64 KiB in single bytes. */
static void add_large_in_fragments(void)
{
    static const size_t sizes[] = {64, 125, 126, 1000, 4096, 65535, 65536, 262144};
    for (size_t i = 0; i < COUNT(sizes); i++)
        add_fragments("9.3", ECHO, 1 << 20, sizes[i]);
    add_fragments("9.4", BOTH, 64 << 10, 1);
}

struct conformance_case *cases_make(size_t *count)
{
    for (size_t i = 0; i < COUNT(by_hand); i++)
        *grow() = by_hand[i];
    add_sizes();
    add_forms();
    add_reserved_bits();
    add_reserved_opcodes();
    add_splits();
    cases_add_utf8();
    add_codes();
    add_large();
    add_large_in_fragments();
    *count = cases_n;
    return cases;
}

static void forget(const char *text)
{
    free((char *)(uintptr_t)text);
}

void cases_free(void)
{
    for (size_t i = COUNT(by_hand); i < cases_n; i++) {
        forget(cases[i].id);
        forget(cases[i].what);
        forget(cases[i].send);
        forget(cases[i].expect);
    }
    free(cases);
    cases = NULL;
    cases_n = cases_cap = 0;
}
