/*
 * cases: what is sent to a server and what must come back, in the words of script.h.
 *
 * A case whose expectation has no close and no EOF is closed with 1000 behind it, and the server's
 * 1000 is expected: so each case ends, and shows that the connection was still good.
 */
#ifndef CONFORMANCE_CASES_H
#define CONFORMANCE_CASES_H

#include <stddef.h>

/* Where a case makes sense. What /chat says to a text is the API's: there, texts are left out of
   what is expected and what came. */
enum where {
    ECHO = 1,  /* ws-echo */
    SMALL = 2, /* ws-echo --max-frame 1000 */
    CHAT = 4,  /* /chat of parleyd, --max-frame 65536 */
    BOTH = ECHO | CHAT,
};

struct conformance_case {
    const char *id;
    const char *section; /* of RFC 6455 */
    const char *what;
    const char *send, *expect;
    enum where where;
    size_t chop; /* bytes handed to the kernel at a time; 0: all */
};

/* The table by hand, and behind it the families that are generated. */
struct conformance_case *cases_make(size_t *count);
void cases_free(void);

/* For the families: copies the texts of *k. Its id is the family's, and gets a number behind it. */
void cases_add(const struct conformance_case *k);

void cases_add_utf8(void);

#endif
