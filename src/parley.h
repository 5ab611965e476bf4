/*
 * parley: the chat server inside another program, in C or C++. Link libparley.a, with -pthread.
 *
 *   parley_open      opens the data directory and the listeners
 *   parley_run_once  serves; again and again, or whenever parley_fd is readable
 *   parley_drain     takes leave of the clients, if there is time for that
 *   parley_close     ends it, and gives back all it took
 *
 * Clients see what README.md says. Any number of servers may be open in a process, each with a data
 * directory of its own; they have nothing in common.
 *
 * Process: the library installs no signal handler, changes no limits or rights and never exits; what it cannot
 * do is an error for the caller. Only an invariant of its own that does not hold aborts, before worse is
 * written to the disk. A file size limit (RLIMIT_FSIZE) is survived where SIGXFSZ is ignored.
 *
 * Threads: a server is used by one thread at a time; each has a few of its own for the disk, which take no
 * signals and call nothing but `log`.
 *
 * Memory: what is handed in is copied; what a hook or a callback is given is good until it returns. Texts are
 * UTF-8 and not terminated. Sizes are bytes, times milliseconds since 1970, UTC, unless it says otherwise.
 */
#ifndef PARLEY_H
#define PARLEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PARLEY_ADDRESS 128 /* bytes of an address as text, its terminator included */

struct parley;

struct parley_text {
    const char *p;
    size_t n;
};

static inline struct parley_text parley_string(const char *terminated)
{
    struct parley_text text = {terminated, strlen(terminated)};
    return text;
}

struct parley_message {
    uint64_t id;  /* rising over the whole server; 0: it is not stored yet */
    int64_t date; /* likewise */
    struct parley_text from, to, content;
};

/* Whom a token stands for. */
struct parley_user {
    char id[64];     /* UTF-8 without control characters */
    size_t id_n;     /* bytes of it: 1 to 64 */
    int64_t expires; /* when the connection ends, unless it registers anew; 0: never */
    int64_t issued;  /* 0: nobody knows, which no token may say whose user was revoked */
};

/* The error that a client gets. */
struct parley_refusal {
    const char *code; /* letters, digits and underscores: "refused" unless it is set */
    const char *text; /* a sentence of at most 500 bytes */
};

/* A request of HTTP. */
struct parley_request {
    struct parley_text method, path, query, body;
};

enum parley_level { PARLEY_ERROR, PARLEY_WARNING, PARLEY_INFO, PARLEY_DEBUG };

/*
 * Hooks may be NULL. They are called within the calls below, by the thread that makes them, and should not
 * take long: all clients wait meanwhile. `committed` and `request` may call parley_send, all but `log` may call
 * parley_drain, and nothing else that takes the server.
 */
struct parley_options {
    /* The text of a config file, one NAME = VALUE a line: the options of parleyd by their names, with the same
       limits and defaults, but for user and confine. NULL: all defaults. */
    const char *settings;

    void *ctx; /* for the hooks */

    /* Whether a client may send this; *refusal may be filled in where not. */
    bool (*authorise)(void *ctx, const struct parley_message *message,
                      struct parley_refusal *refusal);

    /* Whether a token is good, and whose it is; *user is zeroed. In the place of the secret: none is read or
       made then. Tokens have 1 to 4096 bytes. */
    bool (*verify)(void *ctx, struct parley_text token, struct parley_user *user);

    /* A message is stored, as durably as `sync` says, and on its way; in the order of the ids. The content is
       empty where there was no memory for it. */
    void (*committed)(void *ctx, const struct parley_message *message);

    /* A request of HTTP for a path that is not the server's own, with a body of at most max-frame bytes. Without
       parley_respond the answer is 404. */
    void (*request)(void *ctx, struct parley_request *request);

    /* A line of the log, without a newline; also from other threads. NULL: standard error. */
    void (*log)(void *ctx, enum parley_level level, const char *line);
};

struct parley_error {
    int status;      /* what parleyd would exit with: README.md, "Options" */
    char text[1024]; /* what was wrong, and what would be right */
};

/* Reads the log, so that it may take a while for a large one. NULL with *error. */
struct parley *parley_open(const struct parley_options *options, struct parley_error *error);

/* The address of the i-th listener with its real port, that of `admin` last; false: there is none. */
bool parley_address(const struct parley *p, size_t i, char out[PARLEY_ADDRESS]);

/*
 * A descriptor that is readable (level-triggered) while there is something to do for parley_run_once, timeouts
 * included: for poll, epoll and the event loops built on them. The library's, the same each time; or -errno.
 */
int parley_fd(struct parley *p);

/* Does what there is to do; waits for something at most timeout_ms (0: not at all, -1: without limit).
   1; 0: it has been drained; or -errno: it can only be closed. */
int parley_run_once(struct parley *p, int timeout_ms);

/*
 * Sends a message from the inside, of any user to any other, as if `from` had sent it. With a key of 1 to 64
 * bytes it is stored once, however often it is sent. `done` (or NULL) is called once, now or later, with what
 * POST /v1/message answers (README.md, "For your backend"): status 200 and the id and date once it is stored, or
 * an error; at the latest by parley_close. 0, or -errno, and `done` is not called: -ENOMEM; -EBUSY: a hook that
 * judges is running; -ESHUTDOWN: it is being closed.
 */
int parley_send(struct parley *p, struct parley_text from, struct parley_text to,
                struct parley_text content, struct parley_text key,
                void (*done)(void *ctx, unsigned status, struct parley_text json), void *ctx);

/* Takes no new connections, tells the clients to go over `drain` seconds; parley_run_once tells when they have
   gone, or have had their time. Again: now. */
void parley_drain(struct parley *p);

/* Ends at once whoever is still connected, stores what is pending, frees all. 0, or -EIO: the disk has failed,
   and what was answered not_stored may be lost. NULL is none. */
int parley_close(struct parley *p);

/* ---- within the hook `request` ------------------------------------------------------------ */

/* A header field of the request, by its name in lower case; p NULL: there is none. */
struct parley_text parley_header(const struct parley_request *request, const char *name);

/* Answers, once. type: the Content-Type; fields: more header lines, each ended by CRLF, or "". */
void parley_respond(struct parley_request *request, unsigned status, const char *type,
                    const char *fields, struct parley_text body);

#ifdef __cplusplus
}
#endif

#endif
