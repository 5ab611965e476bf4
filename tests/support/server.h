/*
 * server: a real parleyd for the api tests: its own temporary folder, port 0, ended by its pid.
 *
 * The binary is the one of the test's own variant. PARLEY_WRAP, if set, is put in front of the
 * command (valgrind). Every wait has a deadline; what goes wrong fails the test with a message.
 */
#ifndef SUPPORT_SERVER_H
#define SUPPORT_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DEADLINE_MS 30000 /* generous: Valgrind on a busy machine */

struct server {
    char dir[64]; /* temporary; its data directory is dir/data */
    char data[80];
    pid_t pid;       /* 0: not running */
    int out;         /* its standard error */
    char text[8192]; /* what it has printed so far, as far as it fits */
    size_t text_n;
    uint16_t port;                     /* of the first listener on TCP */
    uint16_t admin_port;               /* with --admin */
    uint64_t file_limit;               /* bytes a file of its may have: RLIMIT_FSIZE; 0: no limit */
    uint64_t descriptor_limit;         /* RLIMIT_NOFILE; 0: as we have it */
    void (*before)(const char **argv); /* in its process, in front of its start; NULL: nothing */
};

/* Makes the folder; nothing is started yet. */
void server_prepare(struct server *s);

/* Starts it with these further options (NULL-terminated) and waits until it is ready. Without a
   --listen among them it gets --listen 127.0.0.1:0. */
void server_start(struct server *s, const char *const *options);

/* Starts it where it is expected to end by itself: its exit status. */
int server_start_fails(struct server *s, const char *const *options);

/* Waits until it has printed this text. */
void server_wait_text(struct server *s, const char *text);

/* Sends a signal; waits for the end: its exit status, or 128 + the signal that ended it. */
void server_signal(struct server *s, int signal);
int server_wait_end(struct server *s);

/* SIGTERM and exit status 0, the folder removed. */
void server_stop(struct server *s);

/* Removes the folder of one that is not running. */
void server_remove(struct server *s);

/* A token for that user, signed with its secret, good for an hour; of static storage. */
const char *server_token(const struct server *s, const char *user);

/* The same with claims of one's own, the JSON of the payload. */
const char *server_token_claims(const struct server *s, const char *claims);

#endif
