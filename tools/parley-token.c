/*
 * parley-token: prints a token for a user, signed with the server's secret.
 */
#include "base/args.h"
#include "base/clock.h"
#include "base/exit.h"
#include "base/version.h"
#include "codec/jwt.h"
#include "server/secret.h"

#include <errno.h>
#include <stdio.h>

struct options {
    const char *secret_file;
    uint32_t ttl;
    const char *user;
};

static int wrong(const char *text)
{
    fprintf(stderr, "parley-token: %s\n", text);
    return EXIT_USAGE_ERROR;
}

/* -1: go on; otherwise the exit status. */
static int parse(struct options *out, int argc, char **argv)
{
    bool help = false, version = false;
    struct arg rows[] = {
        {"secret-file", ARG_TEXT, &out->secret_file, 0, 0, "FILE", "the server's secret", 0},
        {"ttl", ARG_NUMBER, &out->ttl, 1, UINT32_MAX, "SECONDS",
         "how long it is good; default: without end", 0},
        {"version", ARG_FLAG, &version, 0, 0, NULL, "print the version", 0},
        {"help", ARG_FLAG, &help, 0, 0, NULL, "print this", 0},
        {0}};
    struct args_error error;
    int rest = args_parse(rows, argc, argv, &error);
    if (rest < 0)
        return wrong(error.text);
    if (help) {
        printf("usage: parley-token --secret-file FILE [--ttl SECONDS] USER\n"
               "Prints a token with which USER registers.\n\n");
        args_help(rows);
        return EXIT_CLEAN;
    }
    if (version) {
        printf("parley-token %s\n", PARLEY_VERSION);
        return EXIT_CLEAN;
    }
    if (!out->secret_file)
        return wrong("--secret-file is missing; expected the file that the server uses");
    if (argc - rest != 1)
        return wrong("expected one user id, behind the options; see --help");
    out->user = argv[rest];
    return -1;
}

static int print_token(const struct options *options, const struct secret *secret)
{
    struct hmac_key key;
    char token[JWT_MAX];
    int64_t now = clock_wall_ms(&clock_system);
    int64_t expires = options->ttl ? now + (int64_t)options->ttl * 1000 : INT64_MAX;
    hmac_key_init(&key, slice_of(secret->bytes, secret->n));
    size_t n = jwt_sign(token, sizeof token, &key, slice_str(options->user), now, expires);
    explicit_bzero(&key, sizeof key);
    if (printf("%.*s\n", (int)n, token) < 0 || fflush(stdout)) {
        fprintf(stderr, "parley-token: writing the token: %s\n", strerror(errno));
        return EXIT_IO;
    }
    return EXIT_CLEAN;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    int status = parse(&options, argc, argv);
    if (status >= 0)
        return status;
    struct slice user = slice_str(options.user);
    if (!userid_valid(user)) {
        struct log_text text;
        fprintf(stderr,
                "parley-token: \"%s\" is no user id; expected 1 to %d bytes of UTF-8 without "
                "control characters\n",
                log_safe(&text, user), USERID_MAX);
        return EXIT_USAGE_ERROR;
    }
    struct log log = {.level = LOG_WARN, .program = "parley-token"};
    struct secret secret;
    struct secret_error error;
    int result = secret_load(&secret, options.secret_file, NULL, &log, &error);
    if (result) {
        fprintf(stderr, "parley-token: %s\n", error.text);
        status = result == -EINVAL || result == -ENOENT ? EXIT_USAGE_ERROR : EXIT_SYSTEM;
    } else {
        status = print_token(&options, &secret);
    }
    secret_wipe(&secret);
    return status;
}
