#include "rig.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILL_WRITERS 16384
#define FIRST_DATE INT64_C(1790000000000)
#define STUCK_MS 60000

/* ---- counting reads ---------------------------------------------------------------------- */

/* All real disks share their functions, and their ctx is their own: the counters stand here. */
static struct disk real;
static uint64_t reads;

static int64_t counted_pread(void *ctx, int file, void *p, size_t n, uint64_t at)
{
    __atomic_add_fetch(&reads, 1, __ATOMIC_RELAXED);
    return real.pread(ctx, file, p, n, at);
}

static int64_t counted_pread_now(void *ctx, int file, void *p, size_t n, uint64_t at)
{
    __atomic_add_fetch(&reads, 1, __ATOMIC_RELAXED);
    return real.pread_now(ctx, file, p, n, at);
}

uint64_t rig_reads(void)
{
    return __atomic_load_n(&reads, __ATOMIC_RELAXED);
}

/* ---- opening and closing ----------------------------------------------------------------- */

static void on_committed(void *ctx, const struct store_message *message)
{
    struct rig *r = ctx;
    r->json += message->json.n;
    if (r->now == 0)
        r->now = histogram_now();
    if (r->run)
        run_message(r->run, r->now - r->sent_at[r->committed % r->writers]);
    r->committed++;
}

static void on_failed(void *ctx, uint64_t id, int error)
{
    (void)ctx;
    run_die(-error, "message %" PRIu64 " was not stored", id);
}

void rig_open(struct rig *r, const char *path, enum store_sync sync, bool count_reads)
{
    *r = (struct rig){.log = {.level = LOG_WARN, .program = "store-bench"}, .random = 1};
    snprintf(r->path, sizeof r->path, "%s", path);
    int result = disk_open_dir(&r->disk, path);
    if (result)
        run_die(-result, "cannot open %s", path);
    if (count_reads) {
        real = r->disk;
        r->disk.pread = counted_pread;
        if (real.pread_now)
            r->disk.pread_now = counted_pread_now;
    }
    const struct store_options options = {.disk = &r->disk,
                                          .log = &r->log,
                                          .sync = sync,
                                          .sync_ms = 100,
                                          .prepare = 1 << 20,
                                          .committed = on_committed,
                                          .failed = on_failed,
                                          .ctx = r};
    struct store_error error;
    if (store_open(&r->store, &options, &error))
        run_die(0, "cannot open %s: %s", path, error.text);
}

void rig_compact(const char *path)
{
    struct rig r = {.log = {.level = LOG_WARN, .program = "store-bench"}};
    snprintf(r.path, sizeof r.path, "%s", path);
    int result = disk_open_dir(&r.disk, path);
    const struct store_options options = {.disk = &r.disk,
                                          .log = &r.log,
                                          .arrange = true,
                                          .inline_commit = true,
                                          .committed = on_committed,
                                          .failed = on_failed,
                                          .ctx = &r};
    struct store_error error;
    if (result || store_open(&r.store, &options, &error))
        run_die(-result, "cannot open %s", path);
    result = store_compact(r.store, NULL, NULL);
    if (result)
        run_die(-result, "cannot arrange %s", path);
    rig_close(&r);
}

void rig_close(struct rig *r)
{
    int result = store_close(r->store);
    if (result)
        run_die(-result, "cannot close %s", r->path);
    disk_close_dir(&r->disk);
    free(r->sent_at);
}

/* ---- writing ----------------------------------------------------------------------------- */

/* By hand: printf would cost as much as storing the message. */
struct slice rig_user(char room[8], uint32_t conversation, int side)
{
    uint32_t number = side ? conversation % 1000 : conversation / 1000;
    room[0] = side ? 'b' : 'a';
    for (int i = 6; i > 0; i--) {
        room[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return slice_of(room, 7);
}

#define TEXTS 64

struct slice rig_content(uint64_t n)
{
    static char texts[TEXTS][RIG_CONTENT + 2];
    char *text = texts[n % TEXTS];
    if (!*text) {
        uint64_t x = n % TEXTS + 1;
        for (int i = 1; i <= RIG_CONTENT; i++) {
            x = x * UINT64_C(6364136223846793005) + 1;
            text[i] = "etaoin shrdlu cmfwypvbgk"[(x >> 40) % 24];
        }
        text[0] = text[RIG_CONTENT + 1] = '"';
    }
    return slice_of(text, RIG_CONTENT + 2);
}

static uint32_t rig_random(struct rig *r, uint32_t below)
{
    r->random = r->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((r->random >> 33) * below >> 31);
}

static int rig_put(struct rig *r, uint32_t conversation)
{
    char room[2][8];
    int side = (int)(r->sent & 1);
    struct slice from = rig_user(room[0], conversation, side);
    struct slice to = rig_user(room[1], conversation, !side);
    uint64_t id;
    int64_t date;
    return store_append(r->store, from, to, rig_content(r->sent), SLICE(""),
                        FIRST_DATE + (int64_t)(r->sent / 100), &id, &date);
}

void rig_append(struct rig *r, uint32_t conversation)
{
    int result = rig_put(r, conversation);
    if (result)
        run_die(-result, "cannot append");
    r->sent++;
}

void rig_turn(struct rig *r)
{
    store_flush(r->store);
    struct pollfd p = {.fd = store_fd(r->store), .events = POLLIN};
    int ready = poll(&p, 1, STUCK_MS);
    if (ready == 0)
        run_die(0, "the store has said nothing for %d s", STUCK_MS / 1000);
    r->now = 0;
    store_collect(r->store);
}

static void rig_set_writers(struct rig *r, uint32_t writers)
{
    free(r->sent_at);
    r->sent_at = calloc(writers, sizeof *r->sent_at);
    if (!r->sent_at)
        run_die(ENOMEM, "%u writers", writers);
    r->writers = writers;
    r->sent = r->committed = 0;
}

/* Every writer that has no message in flight writes one, as far as the store takes them. */
static void rig_write_next(struct rig *r, const struct rig_load *load, uint64_t now)
{
    while (r->sent - r->committed < r->writers && (!load->messages || r->sent < load->messages)) {
        uint32_t conversation = r->sent < load->conversations && load->messages
                                    ? (uint32_t)r->sent
                                    : rig_random(r, load->conversations);
        if (load->special_each && r->sent % load->special_each == load->special_each - 1)
            conversation = load->conversations;
        int result = rig_put(r, conversation);
        if (result == -ENOBUFS)
            return;
        if (result)
            run_die(-result, "cannot append");
        r->sent_at[r->sent++ % r->writers] = now;
    }
}

void rig_fill(struct rig *r, const struct rig_load *load)
{
    rig_set_writers(r, FILL_WRITERS);
    while (r->committed < load->messages) {
        rig_write_next(r, load, 0);
        rig_turn(r);
    }
    rig_append(r, 0);
    while (r->committed < r->sent)
        rig_turn(r);
}

void rig_write(struct rig *r, struct run *run, uint32_t writers, uint32_t conversations,
               double seconds)
{
    const struct rig_load load = {.conversations = conversations};
    uint64_t now = histogram_now();
    rig_set_writers(r, writers);
    run_start(run, seconds);
    r->run = run;
    while (run_goes_on(run, now)) {
        rig_write_next(r, &load, now);
        rig_turn(r);
        now = r->now ? r->now : histogram_now();
    }
    r->run = NULL;
    while (r->committed < r->sent)
        rig_turn(r);
}

/* ---- reading ----------------------------------------------------------------------------- */

uint32_t rig_read(struct rig *r, uint32_t conversation, uint32_t limit)
{
    char room[2][8];
    struct slice user = rig_user(room[0], conversation, 0);
    struct slice other = rig_user(room[1], conversation, 1);
    struct store_read read;
    struct store_message message;
    enum store_status status = limit ? store_read_page(r->store, &read, user, other, 0, limit)
                                     : store_read_snippets(r->store, &read, user);
    for (; status == STORE_WAIT; status = store_read_look(r->store, &read))
        rig_turn(r);
    while (status == STORE_OK || status == STORE_WAIT) {
        status = store_read_next(r->store, &read, &message);
        if (status == STORE_WAIT)
            rig_turn(r);
    }
    if (status != STORE_END)
        run_die(0, "cannot read a conversation: status %d", status);
    uint32_t count = read.count;
    store_read_end(&read);
    store_flush(r->store); /* the turn is over */
    return count;
}

/* ---- files ------------------------------------------------------------------------------- */

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_segment(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 4 && strcmp(e->d_name + n - 4, ".seg") == 0;
}

static int is_file(const struct dirent *e)
{
    return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

/* Calls for the files of a folder, in the order of their names. */
static void each_file(const char *path, int (*wanted)(const struct dirent *),
                      void (*each)(void *ctx, int fd, uint64_t size), void *ctx)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, wanted, by_name);
    if (n < 0)
        run_die(errno, "cannot list %s", path);
    for (int i = 0; i < n; i++) {
        char name[600];
        struct stat st;
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        int fd = open(name, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st))
            run_die(errno, "cannot open %s", name);
        each(ctx, fd, (uint64_t)st.st_size);
        close(fd);
        free(entries[i]);
    }
    free(entries);
}

void rig_each_segment(const char *path, void (*each)(void *ctx, int fd, uint64_t size), void *ctx)
{
    each_file(path, is_segment, each, ctx);
}

static void add_blocks(void *ctx, int fd, uint64_t size)
{
    struct stat st;
    (void)size;
    if (fstat(fd, &st) == 0)
        *(uint64_t *)ctx += (uint64_t)st.st_blocks * 512;
}

uint64_t rig_disk_bytes(const char *path)
{
    uint64_t sum = 0;
    each_file(path, is_file, add_blocks, &sum);
    return sum;
}

static void drop(void *ctx, int fd, uint64_t size)
{
    (void)ctx, (void)size;
    fdatasync(fd); /* dirty pages stay */
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

void rig_drop_cache(const char *path)
{
    each_file(path, is_segment, drop, NULL);
}

void rig_settle(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || syncfs(fd))
        run_die(errno, "cannot sync the file system of %s", path);
    close(fd);
}

void rig_remove_checkpoint(const char *path)
{
    char name[512];
    snprintf(name, sizeof name, "%s/checkpoint", path);
    if (unlink(name) && errno != ENOENT)
        run_die(errno, "cannot remove %s", name);
}

bool rig_copy_checkpoint(const char *from, const char *to)
{
    char names[2][512], bytes[65536];
    if (mkdir(to, 0700) && errno != EEXIST)
        run_die(errno, "cannot make %s", to);
    snprintf(names[0], sizeof names[0], "%s/checkpoint", from);
    snprintf(names[1], sizeof names[1], "%s/checkpoint", to);
    FILE *in = fopen(names[0], "re");
    if (!in)
        return false;
    FILE *out = fopen(names[1], "we");
    for (size_t n; out && (n = fread(bytes, 1, sizeof bytes, in)) > 0;)
        if (fwrite(bytes, 1, n, out) != n)
            run_die(errno, "cannot write %s", names[1]);
    fclose(in);
    if (!out || fclose(out))
        run_die(errno, "cannot write %s", names[1]);
    return true;
}

void rig_remove(const char *path)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, is_file, NULL);
    for (int i = 0; i < n; i++) {
        char name[600];
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (unlink(name) && errno == EISDIR)
            rig_remove(name);
        free(entries[i]);
    }
    free(entries);
    rmdir(path);
}
