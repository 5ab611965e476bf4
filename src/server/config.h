/*
 * config: what parleyd can be told, by its command line and its config file.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include "base/args.h"
#include "base/log.h"
#include "net/ip.h"
#include "server/confine.h"
#include "store/store.h"

struct config {
    struct arg_list listen;
    const char *data;
    const char *secret_file; /* NULL: the default place */
    enum store_sync sync;
    uint32_t sync_ms;
    uint32_t segment_size; /* bytes */
    bool prepare_segments, arrange_segments;
    uint32_t retain_days;  /* 0: all */
    uint64_t retain_bytes; /* 0: all */
    struct arg_list origins;
    struct ip_range trusted[ARGS_LIST_MAX]; /* proxies */
    size_t trusted_n;
    const char *admin;            /* NULL: no admin listener */
    const char *admin_token_file; /* NULL: nobody may use its /v1 */
    const char *user;             /* NULL: stay who we are */
    enum confine_mode confine;
    bool demo;
    uint32_t max_connections; /* 0: what the descriptor limit allows */
    uint32_t max_user_connections;
    uint32_t max_frame;
    uint32_t max_content;
    uint32_t max_queue;
    uint64_t max_memory; /* bytes; 0: no ceiling */
    uint32_t rate;
    uint32_t idle_timeout; /* seconds */
    uint32_t drain;        /* seconds */
    enum log_level log_level;
    char *file; /* the text of the config file, which the values point into */
};

enum config_result { CONFIG_OK, CONFIG_DONE /* --help, --version */, CONFIG_BAD };

/* From a command line, and from the config file that it names, or from the text of one (or NULL): malloced,
   and the config's from now on. To be freed whatever the result. */
enum config_result config_parse(struct config *out, int argc, char **argv, char *text,
                                struct args_error *error);
void config_free(struct config *config);

#endif
