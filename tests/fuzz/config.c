/* The config file: what is taken is in its range, and neither comments nor line ends change it. */
#include "server/config.h"
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

static int file = -1;
static char path[32];

static enum config_result parse(struct config *out, struct args_error *error, struct slice text)
{
    char program[] = "parleyd", option[] = "--config";
    char *argv[] = {program, option, path, NULL};
    CHECK(ftruncate(file, 0) == 0);
    CHECK(pwrite(file, text.p, text.n, 0) == (ssize_t)text.n);
    return config_parse(out, 3, argv, NULL, error);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_list(const struct arg_list *a, const struct arg_list *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!same_text(a->items[i], b->items[i]))
            return false;
    return true;
}

static bool same(const struct config *a, const struct config *b)
{
    return same_list(&a->listen, &b->listen) && same_list(&a->origins, &b->origins) &&
           same_text(a->data, b->data) && same_text(a->secret_file, b->secret_file) &&
           same_text(a->admin, b->admin) && same_text(a->user, b->user) && a->sync == b->sync &&
           a->sync_ms == b->sync_ms && a->segment_size == b->segment_size && a->demo == b->demo &&
           a->max_connections == b->max_connections &&
           a->max_user_connections == b->max_user_connections && a->max_frame == b->max_frame &&
           a->max_content == b->max_content && a->max_queue == b->max_queue && a->rate == b->rate &&
           a->idle_timeout == b->idle_timeout && a->log_level == b->log_level;
}

static void check_ranges(const struct config *c)
{
    CHECK(c->listen.n >= 1 && c->listen.n <= ARGS_LIST_MAX && c->origins.n <= ARGS_LIST_MAX);
    for (size_t i = 0; i < c->listen.n; i++)
        CHECK(*c->listen.items[i]);
    CHECK(*c->data && (!c->admin || *c->admin) && (!c->user || *c->user));
    CHECK(c->sync != STORE_SYNC_TIMED || (c->sync_ms >= 1 && c->sync_ms <= 60000));
    CHECK(c->max_frame >= 1024 && c->max_frame <= 1 << 20);
    CHECK(c->max_content >= 1 && c->max_content < STORE_MAX_CONTENT / 6);
    CHECK(c->idle_timeout >= 2 && c->max_queue >= 4096 && c->max_user_connections >= 1);
    CHECK(c->log_level <= LOG_DEBUG);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct config once = {.data = NULL}, twice = {.data = NULL};
    struct args_error error;
    struct buf text = {0};
    /* These print, and are taken from the command line alone by whoever is in his right mind. */
    if (memmem(p, n, "help", 4) || memmem(p, n, "version", 7))
        return 0;
    if (file < 0) {
        file = memfd_create("config", MFD_CLOEXEC);
        CHECK(file >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    *error.text = 0;
    enum config_result result = parse(&once, &error, slice_of(p, n));
    CHECK(result == CONFIG_OK || (result == CONFIG_BAD && *error.text));
    if (result == CONFIG_OK) {
        check_ranges(&once);
        for (size_t i = 0; i < n; i++)
            buf_append(&text, p[i] == '\n' ? "\r\n\n" : (const char *)p + i, p[i] == '\n' ? 3 : 1);
        buf_append_lit(&text, "\n # the end");
        if (text.n < 65536)
            CHECK(parse(&twice, &error, buf_slice(&text)) == CONFIG_OK && same(&once, &twice));
    }
    buf_free(&text);
    config_free(&once);
    config_free(&twice);
    return 0;
}
