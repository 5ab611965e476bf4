#include "store_box.h"

#include "folder.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int box_disk_open(void *ctx, const char *name, int create)
{
    struct box *b = ctx;
    if (!b->checkpoints && strncmp(name, "checkpoint", 10) == 0)
        return create ? -EPERM : -ENOENT;
    if (create)
        __atomic_store_n(&b->syncs_at_create, __atomic_load_n(&b->syncs, __ATOMIC_SEQ_CST),
                         __ATOMIC_SEQ_CST);
    return create && b->open_error ? -b->open_error : b->real.open(b->real.ctx, name, create);
}

static void box_disk_close(void *ctx, int file)
{
    struct box *b = ctx;
    b->real.close(b->real.ctx, file);
}

static int64_t box_disk_size(void *ctx, int file)
{
    struct box *b = ctx;
    return b->real.size(b->real.ctx, file);
}

static int64_t box_disk_pread(void *ctx, int file, void *p, size_t n, uint64_t at)
{
    struct box *b = ctx;
    __atomic_add_fetch(&b->preads, 1, __ATOMIC_SEQ_CST);
    return b->real.pread(b->real.ctx, file, p, n, at);
}

static int box_disk_pwrite(void *ctx, int file, const void *p, size_t n, uint64_t at)
{
    struct box *b = ctx;
    __atomic_store_n(&b->pwrite_at, at, __ATOMIC_SEQ_CST);
    __atomic_store_n(&b->pwrite_n, n, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&b->pwrites, 1, __ATOMIC_SEQ_CST);
    bool good = !b->pwrite_error || b->pwrites_good;
    if (b->pwrite_error && b->pwrites_good)
        b->pwrites_good--;
    if (good)
        return b->real.pwrite(b->real.ctx, file, p, n, at);
    size_t part = n < b->pwrite_partial ? n : b->pwrite_partial;
    int result = b->real.pwrite(b->real.ctx, file, p, part, at);
    return result ? result : -b->pwrite_error;
}

static int box_disk_truncate(void *ctx, int file, uint64_t size)
{
    struct box *b = ctx;
    return b->truncate_error ? -b->truncate_error : b->real.truncate(b->real.ctx, file, size);
}

static int box_disk_sync(void *ctx, int file)
{
    struct box *b = ctx;
    __atomic_fetch_add(&b->syncs_begun, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_lock(&b->gate);
    __atomic_fetch_add(&b->syncs, 1, __ATOMIC_SEQ_CST);
    int result = b->sync_error ? -b->sync_error : b->real.sync(b->real.ctx, file);
    pthread_mutex_unlock(&b->gate);
    return result;
}

static int box_disk_sync_dir(void *ctx)
{
    struct box *b = ctx;
    __atomic_fetch_add(&b->dir_syncs, 1, __ATOMIC_SEQ_CST);
    return b->real.sync_dir(b->real.ctx);
}

static int box_disk_rename(void *ctx, const char *from, const char *to)
{
    struct box *b = ctx;
    return b->real.rename(b->real.ctx, from, to);
}

static int box_disk_remove(void *ctx, const char *name)
{
    struct box *b = ctx;
    return b->remove_error ? -b->remove_error : b->real.remove(b->real.ctx, name);
}

static int box_disk_list(void *ctx, void (*each)(void *arg, const char *name), void *arg)
{
    struct box *b = ctx;
    return b->real.list(b->real.ctx, each, arg);
}

static int box_disk_lock(void *ctx)
{
    struct box *b = ctx;
    return b->real.lock(b->real.ctx);
}

static void box_copy(char *to, size_t room, struct slice s)
{
    size_t n = s.n < room - 1 ? s.n : room - 1;
    memcpy(to, s.p, n);
    to[n] = 0;
}

static void box_committed(void *ctx, const struct store_message *message)
{
    struct box *b = ctx;
    if (b->committed_count == b->committed_cap) {
        b->committed_cap = b->committed_cap ? b->committed_cap * 2 : 64;
        b->committed = realloc(b->committed, b->committed_cap * sizeof *b->committed);
        assert_non_null(b->committed);
    }
    struct box_message *m = &b->committed[b->committed_count++];
    m->id = message->id;
    m->date = message->date;
    box_copy(m->from, sizeof m->from, message->from);
    box_copy(m->to, sizeof m->to, message->to);
    box_copy(m->json, sizeof m->json, message->json);
}

static void box_failed(void *ctx, uint64_t id, int error)
{
    struct box *b = ctx;
    assert_true(b->failed_count < sizeof b->failed / sizeof *b->failed);
    b->failed[b->failed_count++] = id;
    b->failed_error = error;
}

static void box_erased(void *ctx, struct slice user, uint64_t messages, int error,
                       const char *damaged)
{
    struct box *b = ctx;
    (void)user;
    b->erased++;
    snprintf(b->erased_damaged, sizeof b->erased_damaged, "%s", damaged ? damaged : "");
    b->erased_messages = messages;
    b->erased_error = error;
}

static void box_log(void *ctx, enum log_level level, const char *line)
{
    struct box *b = ctx;
    (void)level;
    snprintf(b->last_log, sizeof b->last_log, "%s", line);
}

void box_init(struct box *b)
{
    *b = (struct box){0};
    folder_make_path(b->path);
    pthread_mutex_init(&b->gate, NULL);
    b->log = (struct log){LOG_DEBUG, box_log, b, "test"};
    b->disk = (struct disk){
        .open = box_disk_open,
        .close = box_disk_close,
        .size = box_disk_size,
        .pread = box_disk_pread,
        .pwrite = box_disk_pwrite,
        .truncate = box_disk_truncate,
        .sync = box_disk_sync,
        .sync_dir = box_disk_sync_dir,
        .rename = box_disk_rename,
        .remove = box_disk_remove,
        .list = box_disk_list,
        .lock = box_disk_lock,
        .ctx = b,
    };
    b->options = (struct store_options){
        .disk = &b->disk,
        .log = &b->log,
        .inline_commit = true,
        .committed = box_committed,
        .failed = box_failed,
        .erased = box_erased,
        .ctx = b,
    };
}

void box_fini(struct box *b)
{
    box_close(b);
    DIR *dir = opendir(b->path);
    assert_non_null(dir);
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    assert_int_equal(rmdir(b->path), 0);
    free(b->committed);
    pthread_mutex_destroy(&b->gate);
}

enum store_status box_try_open(struct box *b)
{
    assert_null(b->store);
    assert_int_equal(disk_open_dir(&b->real, b->path), 0);
    b->committed_count = b->failed_count = 0;
    enum store_status status = store_open(&b->store, &b->options, &b->error);
    if (status)
        disk_close_dir(&b->real);
    return status;
}

void box_open(struct box *b)
{
    enum store_status status = box_try_open(b);
    if (status)
        print_error("%s\n", b->error.text);
    assert_int_equal(status, STORE_OK);
}

void box_close(struct box *b)
{
    if (!b->store)
        return;
    store_close(b->store);
    b->store = NULL;
    disk_close_dir(&b->real);
}

void box_reopen(struct box *b)
{
    box_close(b);
    box_open(b);
}

int box_try_put(struct box *b, const char *from, const char *to, const char *text)
{
    char content[256];
    uint64_t id;
    int64_t date;
    snprintf(content, sizeof content, "\"%s\"", text);
    return store_append(b->store, slice_str(from), slice_str(to), slice_str(content), SLICE(""),
                        1000, &id, &date);
}

uint64_t box_put(struct box *b, const char *from, const char *to, const char *text)
{
    char content[256];
    uint64_t id;
    int64_t date;
    snprintf(content, sizeof content, "\"%s\"", text);
    assert_int_equal(store_append(b->store, slice_str(from), slice_str(to), slice_str(content),
                                  SLICE(""), 1000, &id, &date),
                     0);
    return id;
}

void box_wait(struct box *b)
{
    struct pollfd p = {.fd = store_fd(b->store), .events = POLLIN};
    assert_int_equal(poll(&p, 1, 20000), 1);
}

void box_commit(struct box *b)
{
    store_flush(b->store);
    box_wait(b);
    store_collect(b->store);
}

uint64_t box_send(struct box *b, const char *from, const char *to, const char *text)
{
    uint64_t id = box_put(b, from, to, text);
    size_t heard = b->committed_count + b->failed_count;
    do /* the descriptor may have told of the end of something else */
        box_commit(b);
    while (b->committed_count + b->failed_count == heard);
    return id;
}

uint64_t box_erase(struct box *b, const char *user)
{
    unsigned before = b->erased;
    assert_int_equal(store_erase(b->store, slice_str(user)), 0);
    for (int i = 0; i < 1000 && b->erased == before; i++) {
        store_flush(b->store);
        store_collect(b->store);
    }
    assert_int_equal(b->erased, before + 1);
    assert_int_equal(b->erased_error, 0);
    return b->erased_messages;
}

/* Reads to the end and joins the texts; the bytes of a page must be what was promised. */
static const char *box_join(struct box *b, struct store_read *read, bool page)
{
    static char all[65536];
    struct store_message m;
    size_t n = 0;
    uint64_t bytes = 0;
    enum store_status status;
    all[0] = 0;
    while ((status = store_read_next(b->store, read, &m)) == STORE_OK) {
        const char *key = "\"content\":\"";
        const uint8_t *p = memmem(m.json.p, m.json.n, key, strlen(key));
        assert_non_null(p);
        p += strlen(key);
        const uint8_t *end = memchr(p, '"', (size_t)(m.json.p + m.json.n - p));
        assert_non_null(end);
        assert_true(n + (size_t)(end - p) + 2 < sizeof all);
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%.*s", n ? " " : "", (int)(end - p),
                              (const char *)p);
        bytes += m.json.n;
    }
    assert_int_equal(status, STORE_END);
    assert_int_equal(read->bytes, page ? bytes : 0);
    store_read_end(read);
    store_read_end(read);
    return all;
}

const char *box_page(struct box *b, const char *user, const char *other, uint64_t before,
                     uint32_t limit, bool *more)
{
    struct store_read read;
    assert_int_equal(
        store_read_page(b->store, &read, slice_str(user), slice_str(other), before, limit),
        STORE_OK);
    if (more)
        *more = read.more;
    return box_join(b, &read, true);
}

const char *box_since(struct box *b, const char *user, uint64_t since, uint32_t limit, bool *more)
{
    struct store_read read;
    assert_int_equal(store_read_since(b->store, &read, slice_str(user), since, limit), STORE_OK);
    if (more)
        *more = read.more;
    return box_join(b, &read, false);
}

const char *box_snippets(struct box *b, const char *user)
{
    struct store_read read;
    assert_int_equal(store_read_snippets(b->store, &read, slice_str(user)), STORE_OK);
    return box_join(b, &read, false);
}

static void box_name(struct box *b, const char *name, char path[400])
{
    snprintf(path, 400, "%s/%s", b->path, name);
}

uint8_t *box_load(struct box *b, const char *name, size_t *n)
{
    char path[400];
    struct stat st;
    box_name(b, name, path);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    *n = (size_t)st.st_size;
    uint8_t *p = malloc(*n + 1);
    assert_non_null(p);
    assert_int_equal(read(fd, p, *n), st.st_size);
    close(fd);
    return p;
}

void box_save(struct box *b, const char *name, const void *p, size_t n)
{
    char path[400];
    box_name(b, name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), (ssize_t)n);
    close(fd);
}

void box_remove(struct box *b, const char *name)
{
    char path[400];
    box_name(b, name, path);
    assert_int_equal(unlink(path), 0);
}

bool box_exists(struct box *b, const char *name)
{
    char path[400];
    box_name(b, name, path);
    return access(path, F_OK) == 0;
}

const char *box_segment(uint64_t first_id)
{
    static char name[32];
    snprintf(name, sizeof name, "%016" PRIx64 ".seg", first_id);
    return name;
}
