/*
 * args: the options of a program, from its command line and from a file of the same names.
 *
 * A program describes its options in a table; each row points to the variable that takes the value.
 * `--name VALUE`, `--name=VALUE`, and for a flag `--name`. In a file `name = value` a line, for a flag
 * `name = yes` or `no`; `#` begins a comment. The option that names the file is "config". What the command line says wins over the file.
 */
#ifndef BASE_ARGS_H
#define BASE_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARGS_LIST_MAX 16

struct arg_list {
    const char *items[ARGS_LIST_MAX];
    size_t n;
};

enum arg_kind {
    ARG_FLAG,   /* bool; with a `value`, "yes|no", it is to be given on the command line as well */
    ARG_NUMBER, /* uint32_t, from min to max */
    ARG_SIZE,   /* uint64_t, from min on: bytes; K, M or G behind them are 2^10, 2^20, 2^30 */
    ARG_TEXT,   /* const char *, not empty; points into argv or the file's text */
    ARG_LIST,   /* struct arg_list: texts, may be given several times */
};

struct arg {
    const char *name; /* without the dashes */
    enum arg_kind kind;
    void *to;
    uint32_t min, max;
    const char *value; /* how the help calls it; NULL for a flag */
    const char *help;
    bool given; /* on the command line: the file has no say */
};

/* What is wrong, with the value, and what would be right. */
struct args_error {
    char text[256];
};

/* Rows end with a NULL name. Returns the index of the first argument that is no option, argc if
   there is none, or -1 with *error. "--" ends the options. */
int args_parse(struct arg *rows, int argc, char **argv, struct args_error *error);

/* text is changed and must outlive the values; 0 or -1 with *error, which names the line. */
int args_parse_file(struct arg *rows, char *text, struct args_error *error);

/* The options, one or two lines each, on standard output. */
void args_help(const struct arg *rows);

#endif
