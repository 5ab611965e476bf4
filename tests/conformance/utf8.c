/* Family 6: UTF-8 (RFC 6455, 8.1; RFC 3629), each sequence whole, split, in chops, and as a reason. */
#include "cases.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define GOOD (-1)
#define AT_END 0 /* refused when the message ends; otherwise: after so many bytes */

static const struct sequence {
    const char *hex;
    int refused;
    const char *what;
} sequences[] = {
    {"00", GOOD, "U+0000"},
    {"7f", GOOD, "U+007F, the last of one byte"},
    {"c280", GOOD, "U+0080, the first of two bytes"},
    {"c3a9", GOOD, "U+00E9"},
    {"dfbf", GOOD, "U+07FF, the last of two bytes"},
    {"e0a080", GOOD, "U+0800, the first of three bytes"},
    {"e0bfbf", GOOD, "U+0FFF"},
    {"e18080", GOOD, "U+1000"},
    {"e282ac", GOOD, "U+20AC"},
    {"ecbfbf", GOOD, "U+CFFF"},
    {"ed8080", GOOD, "U+D000"},
    {"ed9fbf", GOOD, "U+D7FF, the last before the surrogates"},
    {"ee8080", GOOD, "U+E000, the first behind the surrogates"},
    {"efb790", GOOD, "U+FDD0, a noncharacter"},
    {"efbbbf", GOOD, "U+FEFF, a byte order mark"},
    {"efbfbd", GOOD, "U+FFFD"},
    {"efbfbe", GOOD, "U+FFFE, a noncharacter"},
    {"efbfbf", GOOD, "U+FFFF, the last of three bytes"},
    {"f0908080", GOOD, "U+10000, the first of four bytes"},
    {"f09f9880", GOOD, "U+1F600"},
    {"f0bfbfbf", GOOD, "U+3FFFF"},
    {"f1808080", GOOD, "U+40000"},
    {"f3bfbfbf", GOOD, "U+FFFFF"},
    {"f4808080", GOOD, "U+100000"},
    {"f48fbfbe", GOOD, "U+10FFFE, a noncharacter"},
    {"f48fbfbf", GOOD, "U+10FFFF, the last of all"},
    {"cebae1bdb9cf83cebcceb5", GOOD, "a Greek word"},
    {"68656c6c6fc2b540c39fc3b6c3a4c3bcc3a0c3a12d5554462d382121", GOOD, "German and Hungarian"},

    {"80", 1, "a continuation byte alone"},
    {"9f", 1, "a continuation byte alone"},
    {"a0", 1, "a continuation byte alone"},
    {"bf", 1, "a continuation byte alone"},
    {"80bf80bf", 1, "continuation bytes alone"},
    {"c2a980", 3, "one continuation byte too many"},
    {"e282ac80", 4, "one continuation byte too many"},
    {"f09f988080", 5, "one continuation byte too many"},

    {"c2", AT_END, "two bytes without the second"},
    {"df", AT_END, "two bytes without the second"},
    {"e0", AT_END, "three bytes without the second"},
    {"e0a0", AT_END, "three bytes without the third"},
    {"ed9f", AT_END, "three bytes without the third"},
    {"efbf", AT_END, "three bytes without the third"},
    {"f0", AT_END, "four bytes without the second"},
    {"f090", AT_END, "four bytes without the third"},
    {"f09080", AT_END, "four bytes without the fourth"},
    {"f4", AT_END, "four bytes without the second"},
    {"f48f", AT_END, "four bytes without the third"},
    {"f48fbf", AT_END, "four bytes without the fourth"},
    {"cebae1bdb9cf83cebcceb5f4", AT_END, "a Greek word and a first byte"},

    {"c220", 2, "two bytes broken off by a blank"},
    {"dfc0", 2, "two bytes broken off by a first byte"},
    {"c2c2a9", 2, "two bytes broken off by a good character"},
    {"e0a020", 3, "three bytes broken off by a blank"},
    {"e120", 2, "three bytes broken off by a blank"},
    {"efbfc0", 3, "three bytes broken off by a first byte"},
    {"e2e282ac", 2, "three bytes broken off by a good character"},
    {"f0908020", 4, "four bytes broken off by a blank"},
    {"f09020", 3, "four bytes broken off by a blank"},
    {"f120", 2, "four bytes broken off by a blank"},
    {"f48fbfff", 4, "four bytes broken off by FF"},

    {"c0", 1, "C0 never occurs"},
    {"c1", 1, "C1 never occurs"},
    {"f5", 1, "F5 never occurs"},
    {"f6", 1, "F6 never occurs"},
    {"f7", 1, "F7 never occurs"},
    {"f8", 1, "F8 never occurs"},
    {"fb", 1, "FB never occurs"},
    {"fc", 1, "FC never occurs"},
    {"fd", 1, "FD never occurs"},
    {"fe", 1, "FE never occurs"},
    {"ff", 1, "FF never occurs"},
    {"fefeffff", 1, "FE and FF never occur"},

    {"c0af", 1, "a slash in two bytes, overlong"},
    {"c080", 1, "U+0000 in two bytes, overlong"},
    {"c1bf", 1, "U+007F in two bytes, overlong"},
    {"e080af", 2, "a slash in three bytes, overlong"},
    {"e08080", 2, "U+0000 in three bytes, overlong"},
    {"e09fbf", 2, "U+07FF in three bytes, overlong"},
    {"f08080af", 2, "a slash in four bytes, overlong"},
    {"f0808080", 2, "U+0000 in four bytes, overlong"},
    {"f08fbfbf", 2, "U+FFFF in four bytes, overlong"},
    {"f8808080af", 1, "a slash in five bytes, overlong"},
    {"fc80808080af", 1, "a slash in six bytes, overlong"},

    {"eda080", 2, "U+D800, the first surrogate"},
    {"edadbf", 2, "U+DB7F, a surrogate"},
    {"edae80", 2, "U+DB80, a surrogate"},
    {"edafbf", 2, "U+DBFF, a surrogate"},
    {"edb080", 2, "U+DC00, a surrogate"},
    {"edbfbf", 2, "U+DFFF, the last surrogate"},
    {"eda080edb080", 2, "a pair of surrogates (CESU-8)"},
    {"edafbfedbfbf", 2, "a pair of surrogates (CESU-8)"},
    {"cebae1bdb9cf83cebcceb5eda080656469746564", 13, "a Greek word and a surrogate"},

    {"f4908080", 2, "U+110000, the first that is none"},
    {"f4bfbfbf", 2, "U+13FFFF"},
    {"f7bfbfbf", 1, "U+1FFFFF"},
    {"f888808080", 1, "five bytes"},
    {"fbbfbfbfbf", 1, "five bytes"},
    {"fc8480808080", 1, "six bytes"},
    {"fdbfbfbfbfbf", 1, "six bytes"},
    {"cebae1bdb9cf83cebcceb5f4908080656469746564", 13, "a Greek word and what is none"},
};

static void add(const char *family, const struct sequence *s, size_t chop, const char *send,
                const char *expect)
{
    cases_add(&(struct conformance_case){.id = family,
                                         .section = "8.1",
                                         .what = s->what,
                                         .send = send,
                                         .expect = expect,
                                         .where = BOTH,
                                         .chop = chop});
}

/* 6.1: in one frame, at once and byte by byte; between other text; as the reason of a close. */
static void add_whole(const struct sequence *s)
{
    char send[128], expect[128];
    bool good = s->refused == GOOD;
    snprintf(send, sizeof send, "T=%s", s->hex);
    add("6.1", s, 0, send, good ? send : "X1007");
    add("6.1", s, 1, send, good ? send : "X1007");
    snprintf(send, sizeof send, "T=6162%s6364", s->hex);
    add("6.1", s, 0, send, good ? send : "X1007");
    snprintf(send, sizeof send, "X1000=%s", s->hex);
    snprintf(expect, sizeof expect, "X%s", good ? "1000" : "1007");
    add("6.1", s, 0, send, expect);
}

/* 6.2: in two fragments, at every byte; and every byte in a fragment of its own. */
static void add_split(const struct sequence *s)
{
    char send[256], expect[128];
    int digits = (int)strlen(s->hex);
    snprintf(expect, sizeof expect, s->refused == GOOD ? "T=%s" : "X1007", s->hex);
    for (int at = 2; at < digits; at += 2) {
        snprintf(send, sizeof send, "t=%.*s C=%s", at, s->hex, s->hex + at);
        add("6.2", s, 0, send, expect);
    }
    int n = snprintf(send, sizeof send, "t=%.2s", s->hex);
    for (int at = 2; at < digits; at += 2)
        n += snprintf(send + n, sizeof send - (size_t)n, " c=%.2s", s->hex + at);
    snprintf(send + n, sizeof send - (size_t)n, " C");
    add("6.2", s, 0, send, expect);
}

/* 6.3: the close comes at the first byte that shows it, and not before: a ping in front of it is
   still answered, and nothing of the rest is sent. */
static void add_fail_fast(const struct sequence *s)
{
    char send[256];
    if (s->refused == GOOD)
        return;
    int before = s->refused == AT_END ? (int)strlen(s->hex) : 2 * s->refused - 2;
    if (before == 0) {
        snprintf(send, sizeof send, "t P:alive c>64=%.2s", s->hex);
    } else if (s->refused == AT_END) {
        snprintf(send, sizeof send, "t=%.*s P:alive C", before, s->hex);
    } else {
        snprintf(send, sizeof send, "t=%.*s P:alive c>64=%.2s", before, s->hex, s->hex + before);
    }
    add("6.3", s, 0, send, "O:alive X1007");
    add("6.3", s, 1, send, "O:alive X1007");
    if (s->refused == AT_END)
        return;
    snprintf(send, sizeof send, "T>16000=%.*s", before + 2, s->hex);
    add("6.3", s, 0, send, "X1007");
}

/* 6.4: the two noncharacters at the end of every plane are characters to UTF-8. */
static void add_noncharacters(void)
{
    for (unsigned plane = 1; plane <= 16; plane++) {
        char hex[16], what[32];
        snprintf(hex, sizeof hex, "%02x%02xbfbe", 0xf0 | plane >> 2, 0x8f | (plane & 3) << 4);
        snprintf(what, sizeof what, "U+%XFFFE, a noncharacter", plane);
        struct sequence s = {hex, GOOD, what};
        add_whole(&s);
        add_split(&s);
    }
}

void cases_add_utf8(void)
{
    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++)
        add_whole(&sequences[i]);
    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++)
        add_split(&sequences[i]);
    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++)
        add_fail_fast(&sequences[i]);
    add_noncharacters();
}
