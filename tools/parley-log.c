/*
 * parley-log: reads and mends data directories. What a log is: src/store/record.h.
 *
 * Directories are only read, without a lock, so a server may be using them; the log then ends for
 * us where it did at the beginning. Only compact changes one, and needs it alone. What is written gets its name when all of it is on the disk,
 * and is called NAME.partial until then.
 *
 * Results go to standard output; faults, notes and progress to standard error.
 */
#include "base/args.h"
#include "base/exit.h"
#include "base/version.h"
#include "log/head.h"
#include "log/import.h"
#include "log/order.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SECRET_ROOM 4096
/* The shortest record: its head and a message of two users of one byte, with nothing in it. */
#define SHORTEST_RECORD (RECORD_HEAD + 50)

/* The end of a command: what it printed must have arrived. */
static enum exit_status finish_output(struct job *job, enum exit_status status)
{
    progress_hide(&job->progress);
    if (fflush(stdout) || ferror(stdout)) {
        job_say(job, "cannot write standard output: %s", strerror(errno));
        return EXIT_IO;
    }
    return status;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* Faults are told and counted, and the walk goes on. */
static enum store_status on_fault(void *ctx, const struct walk_fault *f)
{
    struct job *job = ctx;
    if (f->kind == WALK_TORN) {
        job_say(job, "%s: offset %" PRIu64 ": %s: %" PRIu64 " bytes, no damage", f->file, f->at,
                f->what, f->bytes);
        return STORE_OK;
    }
    if (f->kind == WALK_NEWER) {
        job_say(job, "%s: %s; take the parley-log that belongs to it", f->file, f->what);
        return STORE_DAMAGED;
    }
    job->faults++;
    if (f->kind == WALK_STRAY)
        job_say(job, "%s: %s", f->file, f->what);
    else if (f->bytes)
        job_say(job, "%s: offset %" PRIu64 ": %s; %" PRIu64 " bytes are lost", f->file, f->at,
                f->what, f->bytes);
    else
        job_say(job, "%s: offset %" PRIu64 ": %s", f->file, f->at, f->what);
    return STORE_OK;
}

static enum store_status on_fault_stop(void *ctx, const struct walk_fault *f)
{
    enum store_status status = on_fault(ctx, f);
    return f->kind == WALK_TORN ? status : STORE_DAMAGED;
}

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct job *job = ctx;
    progress_show(&job->progress, done, total);
}

static void note_record(struct job *job, const struct record *r)
{
    if (r->kind != RECORD_KIND_MESSAGE)
        return;
    if (!job->first_id || r->id < job->first_id) {
        job->first_id = r->id;
        job->first_date = r->date;
    }
    if (r->id > job->last_id) {
        job->last_id = r->id;
        job->last_date = r->date;
    }
}

static enum store_status on_record(void *ctx, const struct walk_record *r)
{
    note_record(ctx, &r->head);
    return STORE_OK;
}

/* A log of many segments has more files than a process may usually open. */
static void allow_many_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static enum exit_status open_log(struct job *job, const struct walk_handler *handler, bool thorough)
{
    int result = disk_open_dir_reading(&job->disk, job->dir);
    if (result == -ENOENT || result == -ENOTDIR) {
        job_say(job, "%s: %s; expected a data directory", job->dir, strerror(-result));
        return EXIT_USAGE_ERROR;
    }
    if (!result)
        result = index_init(&job->index);
    if (result)
        return job_refused(job, "open", job->dir, result);
    allow_many_files();
    job->walk = (struct walk){.disk = &job->disk,
                              .handler = handler,
                              .segments = &job->segments,
                              .index = &job->index,
                              .error = &job->error,
                              .thorough = thorough};
    enum store_status status = walk_open(&job->walk);
    if (status != STORE_OK) {
        if (*job->error.text)
            job_say(job, "%s: %s", job->dir, job->error.text);
        return job_exit_of(status);
    }
    if (job->segments.count == 0) {
        job_say(job, "%s: there is no log here: no file is named like %016x.seg", job->dir, 1u);
        return job->faults ? EXIT_DAMAGED : EXIT_USAGE_ERROR;
    }
    return EXIT_CLEAN;
}

static enum exit_status run_walk(struct job *job)
{
    progress_begin(&job->progress, "parley-log");
    enum store_status status = walk_run(&job->walk);
    progress_hide(&job->progress);
    if (status != STORE_OK && *job->error.text)
        job_say(job, "%s: %s", job->dir, job->error.text);
    return job_exit_of(status);
}

static void close_log(struct job *job)
{
    walk_close(&job->walk);
    if (job->disk.ctx)
        segments_fini(&job->segments, &job->disk);
    index_fini(&job->index);
    job->index = (struct index){0};
    disk_close_dir(&job->disk);
}

/* Reads all of the log for a command that writes none. */
static enum exit_status read_log(struct job *job, bool thorough, bool by_id,
                                 enum store_status (*record)(void *ctx,
                                                             const struct walk_record *r))
{
    const struct walk_handler handler = {.fault = on_fault,
                                         .lost_head = head_guess,
                                         .record = record,
                                         .progress = on_progress,
                                         .ctx = job};
    enum exit_status status = open_log(job, &handler, thorough);
    struct order order = {0};
    if (by_id)
        order_init(&order, &job->walk);
    if (status == EXIT_CLEAN)
        status = run_walk(job);
    order_fini(&order);
    return status == EXIT_CLEAN && job->faults ? EXIT_DAMAGED : status;
}

/* ---- verify, stats ---------------------------------------------------------------------- */

static enum exit_status run_verify(struct job *job)
{
    enum exit_status status = read_log(job, true, false, on_record);
    if (status != EXIT_CLEAN && (status != EXIT_DAMAGED || !job->faults))
        return status;
    printf("%s: ", job->dir);
    if (job->faults)
        printf("damaged, %" PRIu64 " faults; parley-log repair DIR COPY saves what can be saved; ",
               job->faults);
    else
        printf("no damage; ");
    printf("messages: %" PRIu64 ", bytes: %" PRIu64 ", segments: %" PRIu32 "\n",
           job->walk.tip.messages, job->walk.dir.total, job->segments.count);
    return status;
}

static void print_message(const char *which, uint64_t id, int64_t date)
{
    time_t seconds = (time_t)(date / 1000);
    struct tm tm = {0};
    char text[32];
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    printf("%-14s id %" PRIu64 ", %s.%03dZ\n", which, id, text, (int)(date % 1000));
}

static enum exit_status run_stats(struct job *job)
{
    enum exit_status status = read_log(job, false, false, on_record);
    if (status != EXIT_CLEAN && (status != EXIT_DAMAGED || !job->faults))
        return status;
    const struct walk *w = &job->walk;
    printf("messages       %" PRIu64 "\n", w->tip.messages);
    if (w->marks)
        printf("read markers   %" PRIu64 "\n", w->marks);
    printf("conversations  %" PRIu32 "\n", job->index.conversation_count - job->index.hole_count);
    printf("users          %" PRIu32 "\n", job->index.user_count);
    printf("segments       %" PRIu32 "\n", job->segments.count);
    printf("bytes          %" PRIu64 "\n", w->dir.total);
    if (w->tip.messages == 0)
        return status;
    double messages = (double)w->tip.messages, json = (double)w->json_bytes,
           total = (double)w->dir.total;
    printf("bytes/message  %.1f\n", total / messages);
    printf("overhead       %.1f bytes a message beside its JSON, %.1f %%\n",
           (total - json) / messages, (total - json) / json * 100);
    print_message("first", job->first_id, job->first_date);
    print_message("last", job->last_id, job->last_date);
    return status;
}

/* ---- dump ------------------------------------------------------------------------------- */

static bool is_wanted(const struct job *job, const struct store_message *m)
{
    if (m->id <= job->since_id)
        return false;
    if (!job->user)
        return true;
    struct slice user = slice_str(job->user);
    bool sent = slice_eq(m->from, user), received = slice_eq(m->to, user);
    if (!job->with)
        return sent || received;
    struct slice with = slice_str(job->with);
    return (sent && slice_eq(m->to, with)) || (received && slice_eq(m->from, with));
}

static enum store_status on_dump(void *ctx, const struct walk_record *r)
{
    struct job *job = ctx;
    if (r->head.kind != RECORD_KIND_MESSAGE || !is_wanted(job, r->message))
        return STORE_OK;
    fwrite(r->message->json.p, 1, r->message->json.n, stdout);
    putc('\n', stdout);
    return ferror(stdout) ? STORE_IO : STORE_OK;
}

static enum exit_status run_dump(struct job *job)
{
    return read_log(job, true, true, on_dump);
}

/* ---- repair ----------------------------------------------------------------------------- */

/* Something was lost behind last_id, and in front of `next` (0: the log ends there). */
static void print_lost(struct job *job, uint64_t next)
{
    uint64_t most = job->lost_bytes / SHORTEST_RECORD;
    progress_hide(&job->progress);
    if (next && next - job->last_id - 1 < most)
        most = next - job->last_id - 1;
    if (next)
        printf("between %" PRIu64 " and %" PRIu64 ": up to %" PRIu64 " messages are lost\n",
               job->last_id, next, most);
    else
        printf("after %" PRIu64 ": up to %" PRIu64 " messages are lost\n", job->last_id, most);
    job->lost_bytes -= most * SHORTEST_RECORD;
    if (job->lost_bytes < SHORTEST_RECORD)
        job->lost_bytes = 0;
}

static enum store_status on_repair_fault(void *ctx, const struct walk_fault *f)
{
    struct job *job = ctx;
    if (f->kind == WALK_DAMAGE && f->bytes) {
        progress_hide(&job->progress);
        printf("%s: offset %" PRIu64 ": %" PRIu64 " bytes are lost\n", f->file, f->at, f->bytes);
        job->lost_bytes += f->bytes;
    }
    return on_fault(ctx, f);
}

/* What it marks may be lost; that was read then. */
static enum store_status repair_mark(struct job *job, const struct walk_record *r)
{
    if (!index_is_used(&job->index, r->head.conversation) ||
        record_up_to(r->p) < walk_first_id(&job->walk))
        return STORE_OK;
    const struct conversation *c = &job->index.conversations[r->head.conversation];
    bool second = r->head.flags & RECORD_FROM_SECOND;
    const struct store_mark mark = {.id = r->head.id,
                                    .reader = index_name(&job->index, c->user[second]),
                                    .other = index_name(&job->index, c->user[!second]),
                                    .up_to = record_up_to(r->p)};
    int result = copy_mark(&job->out, &mark, r->head.flags & RECORD_UNSYNCED);
    return result ? job_copy_failed(job, result) : STORE_OK;
}

static enum store_status on_repair(void *ctx, const struct walk_record *r)
{
    struct job *job = ctx;
    /* Ids tell where; what an arranged segment lost lies anywhere among its own. */
    if (job->lost_bytes && r->head.id > job->last_id + 1)
        print_lost(job, r->head.id);
    if (!job->walk.segment.head.end)
        job->lost_bytes = 0;
    if (r->head.kind == RECORD_KIND_MARK)
        return repair_mark(job, r);
    struct slice json = record_json(&r->head, r->p);
    struct slice key = slice_of(json.p + json.n, r->head.key_length);
    int result = copy_message(&job->out, r->message, r->head.flags & RECORD_UNSYNCED, key);
    if (result)
        return job_copy_failed(job, result);
    note_record(job, &r->head);
    return STORE_OK;
}

/* Ids of messages that were lost at the end must not come again. */
static enum exit_status keep_ids(struct job *job)
{
    uint64_t next_id = job->walk.next_id;
    if (job->lost_bytes) {
        print_lost(job, 0);
        next_id += RECORD_SKIP_IDS;
    }
    int result = next_id > job->out.next_id ? copy_skip_ids(&job->out, next_id) : 0;
    return result ? job_refused(job, "write", job->out_dir.partial, result) : EXIT_CLEAN;
}

static enum exit_status run_repair(struct job *job)
{
    const struct walk_handler handler = {.fault = on_repair_fault,
                                         .lost_head = head_guess,
                                         .record = on_repair,
                                         .progress = on_progress,
                                         .ctx = job};
    enum exit_status status = open_log(job, &handler, true);
    struct order order;
    order_init(&order, &job->walk);
    job->walk.salvage = true;
    if (status == EXIT_CLEAN)
        status = job_open_copy(job, false);
    if (status == EXIT_CLEAN)
        status = run_walk(job);
    order_fini(&order);
    if (status == EXIT_CLEAN)
        status = keep_ids(job);
    status = job_close_copy(job, status);
    if (status == EXIT_CLEAN)
        printf("%s: all that is whole in %s; messages: %" PRIu64 "\n", job->copy, job->dir,
               job->walk.tip.messages);
    return status;
}

/* ---- backup ----------------------------------------------------------------------------- */

static enum store_status on_backup_segment(void *ctx, const struct segment_head *head)
{
    struct job *job = ctx;
    int result = copy_segment(&job->out, head);
    return result ? job_copy_failed(job, result) : STORE_OK;
}

static enum store_status on_backup(void *ctx, const struct walk_record *r)
{
    struct job *job = ctx;
    int result = copy_bytes(&job->out, r->p, r->head.length);
    return result ? job_copy_failed(job, result) : STORE_OK;
}

static enum store_status on_backup_runs(void *ctx, struct slice bytes)
{
    struct job *job = ctx;
    int result = copy_bytes(&job->out, bytes.p, bytes.n);
    return result ? job_copy_failed(job, result) : STORE_OK;
}

/* Where the log begins, if its first segments are gone. */
static enum exit_status copy_begin(struct job *job)
{
    uint8_t p[LOG_BEGIN];
    if (!job->walk.dir.begin.place)
        return EXIT_CLEAN;
    log_begin_write(&job->walk.dir.begin, p);
    int result = disk_write_file(&job->out_dir.disk, LOG_BEGIN_NAME, p, sizeof p);
    return result ? job_refused(job, "write", job->out_dir.partial, result) : EXIT_CLEAN;
}

/* What is to leave the copy, too. */
static enum exit_status copy_erased(struct job *job)
{
    const struct erased *e = &job->walk.erased;
    int result = e->numbers ? erased_save(e, &job->out_dir.disk) : 0;
    return result ? job_refused(job, "write", job->out_dir.partial, result) : EXIT_CLEAN;
}

static enum exit_status copy_secret(struct job *job)
{
    uint8_t bytes[SECRET_ROOM];
    int in = job->disk.open(job->disk.ctx, "secret", 0);
    int64_t n = in < 0 ? in : job->disk.pread(job->disk.ctx, in, bytes, sizeof bytes, 0);
    if (in >= 0)
        job->disk.close(job->disk.ctx, in);
    if (n < 0 || n == SECRET_ROOM) {
        job_say(job, "%s/secret: %s", job->dir, n < 0 ? strerror((int)-n) : "it is too long");
        return n == -ENOENT || n > 0 ? EXIT_USAGE_ERROR : EXIT_SYSTEM;
    }
    int out = job->out_dir.disk.open(job->out_dir.disk.ctx, "secret", 1);
    int result =
        out < 0 ? out : job->out_dir.disk.pwrite(job->out_dir.disk.ctx, out, bytes, (size_t)n, 0);
    if (!result)
        result = job->out_dir.disk.sync(job->out_dir.disk.ctx, out);
    if (out >= 0)
        job->out_dir.disk.close(job->out_dir.disk.ctx, out);
    explicit_bzero(bytes, sizeof bytes);
    return result ? job_refused(job, "write the secret in", job->out_dir.partial, result)
                  : EXIT_CLEAN;
}

static enum exit_status run_backup(struct job *job)
{
    const struct walk_handler handler = {.segment = on_backup_segment,
                                         .fault = on_fault_stop,
                                         .lost_head = head_guess,
                                         .record = on_backup,
                                         .runs = on_backup_runs,
                                         .progress = on_progress,
                                         .ctx = job};
    enum exit_status status = open_log(job, &handler, true);
    job->walk.unerased = true;
    if (status == EXIT_CLEAN)
        status = job_open_copy(job, false);
    if (status == EXIT_CLEAN)
        status = run_walk(job);
    if (status == EXIT_CLEAN)
        status = copy_begin(job);
    if (status == EXIT_CLEAN)
        status = copy_erased(job);
    if (status == EXIT_CLEAN && job->with_secret)
        status = copy_secret(job);
    status = job_close_copy(job, status);
    if (status == EXIT_CLEAN)
        printf("%s: complete and on the disk; messages: %" PRIu64 "\n", job->copy,
               job->walk.tip.messages);
    if (status == EXIT_DAMAGED && job->faults)
        job_say(job,
                "%s is damaged, so no copy is made; parley-log repair DIR COPY saves what can be "
                "saved",
                job->dir);
    return status;
}

/* ---- compact ---------------------------------------------------------------------------- */

static void on_log(void *ctx, enum log_level level, const char *line)
{
    (void)level;
    job_say(ctx, "%s", line);
}

/* Nothing is sent, so that these are never called. */
static void on_committed(void *ctx, const struct store_message *message)
{
    (void)ctx;
    (void)message;
}

static void on_failed(void *ctx, uint64_t id, int error)
{
    (void)ctx;
    (void)id;
    (void)error;
}

/* As a server would open it, alone. */
static enum exit_status compact(struct job *job, struct store *store)
{
    struct store_stats before, after;
    store_get_stats(store, &before);
    progress_begin(&job->progress, "parley-log");
    int result = store_compact(store, on_progress, job);
    progress_hide(&job->progress);
    store_get_stats(store, &after);
    if (result) {
        bool damaged = result == -EBADMSG;
        job_say(job, "%s: not all of it could be arranged: %s", job->dir,
                damaged ? "it is damaged" : strerror(-result));
        return damaged ? EXIT_DAMAGED : EXIT_IO;
    }
    printf("%s: messages: %" PRIu64 ", segments: %" PRIu64 " from %" PRIu64 ", bytes: %" PRIu64
           " from %" PRIu64 "\n",
           job->dir, after.messages, after.segments, before.segments, after.bytes, before.bytes);
    return EXIT_CLEAN;
}

static enum exit_status run_compact(struct job *job)
{
    static const struct walk_handler none = {0};
    const struct log log = {LOG_INFO, on_log, job, NULL};
    enum exit_status status = open_log(job, &none, false); /* is it there? */
    close_log(job);
    if (status != EXIT_CLEAN)
        return status;
    int result = disk_open_dir(&job->disk, job->dir);
    if (result)
        return job_refused(job, "open", job->dir, result);
    const struct store_options options = {.disk = &job->disk,
                                          .log = &log,
                                          .arrange = true,
                                          .inline_commit = true,
                                          .committed = on_committed,
                                          .failed = on_failed};
    struct store *store;
    enum store_status opened = store_open(&store, &options, &job->error);
    if (opened) {
        job_say(job, "%s: %s", job->dir, job->error.text);
        return (enum exit_status)opened;
    }
    status = compact(job, store);
    result = store_close(store);
    return result && status == EXIT_CLEAN ? job_refused(job, "close", job->dir, result) : status;
}

/* ---- the command line ------------------------------------------------------------------- */

struct command {
    const char *name, *arguments, *help;
    enum exit_status (*run)(struct job *job);
    int least, most; /* arguments */
};

static const struct command commands[] = {
    {"verify", "DIR", "checks every byte of a log", run_verify, 1, 1},
    {"dump", "DIR [--user ID] [--with ID] [--since ID]", "prints the messages, a JSON line each",
     run_dump, 1, 1},
    {"stats", "DIR", "prints counts and sizes", run_stats, 1, 1},
    {"repair", "DIR COPY", "writes all that is whole into a new directory", run_repair, 2, 2},
    {"backup", "DIR COPY [--with-secret]", "copies a log, also while a server writes it",
     run_backup, 2, 2},
    {"compact", "DIR", "puts the messages of each conversation together; no server may be running",
     run_compact, 1, 1},
    {"import", "DIR [FILE]", "makes a new log of what dump has printed", import_run, 1, 2},
};

#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static enum exit_status wrong_usage(const char *text)
{
    fprintf(stderr, "parley-log: %s\n", text);
    return EXIT_USAGE_ERROR;
}

static void print_help(const struct arg *rows)
{
    printf("usage:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  parley-log %s %s\n      %s\n", commands[i].name, commands[i].arguments,
               commands[i].help);
    printf("\n");
    args_help(rows);
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static enum exit_status unknown_command(const char *name)
{
    struct log_text text;
    if (name)
        fprintf(stderr, "parley-log: there is no command \"%s\"; take one of",
                log_safe(&text, slice_str(name)));
    else
        fprintf(stderr, "parley-log: a command is missing; take one of");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(stderr, " %s", commands[i].name);
    fprintf(stderr, "\n");
    return EXIT_USAGE_ERROR;
}

/* Options may stand anywhere: takes them out, and leaves the arguments in argv. Their number, or
 * -1 with *error. */
static int take_options(struct arg *rows, int argc, char **argv, struct args_error *error)
{
    int count = 0, at = 0;
    while (at < argc) {
        int taken = args_parse(rows, argc - at, argv + at, error);
        if (taken < 0)
            return -1;
        bool rest = taken > 1 && strcmp(argv[at + taken - 1], "--") == 0;
        at += taken;
        while (at < argc && (rest || argv[at][0] != '-' || !argv[at][1]))
            argv[1 + count++] = argv[at++];
        at--; /* args_parse begins behind the name of the program */
        if (at + 1 >= argc)
            break;
    }
    return count;
}

static enum exit_status check_options(struct job *job, const struct command *command)
{
    bool dump = command->run == run_dump;
    if (!dump && (job->user || job->with || job->since))
        return wrong_usage("--user, --with and --since belong to dump");
    if (job->with_secret && command->run != run_backup)
        return wrong_usage("--with-secret belongs to backup");
    if (job->with && !job->user)
        return wrong_usage("--with needs --user: it names the other user of a conversation");
    if (!job->since)
        return EXIT_CLEAN;
    char *end;
    errno = 0;
    job->since_id = strtoull(job->since, &end, 10);
    if (errno || *end || job->since[0] < '0' || job->since[0] > '9')
        return wrong_usage("--since: expected the id of a message, a whole number");
    return EXIT_CLEAN;
}

static enum exit_status run_command(struct job *job, const struct command *command, int count,
                                    char **arguments)
{
    enum exit_status status = check_options(job, command);
    if (status != EXIT_CLEAN)
        return status;
    if (count < command->least || count > command->most) {
        fprintf(stderr, "parley-log: expected: parley-log %s %s\n", command->name,
                command->arguments);
        return EXIT_USAGE_ERROR;
    }
    job->dir = arguments[0];
    job->copy = count > 1 ? arguments[1] : NULL;
    status = command->run(job);
    close_log(job);
    return finish_output(job, status);
}

int main(int argc, char **argv)
{
    static struct job job;
    bool help = false, version = false;
    struct arg rows[] = {
        {"user", ARG_TEXT, &job.user, 0, 0, "ID", "dump: messages sent or received by this user",
         0},
        {"with", ARG_TEXT, &job.with, 0, 0, "ID", "dump: only those with this other user", 0},
        {"since", ARG_TEXT, &job.since, 0, 0, "ID", "dump: only those with a greater id", 0},
        {"with-secret", ARG_FLAG, &job.with_secret, 0, 0, NULL, "backup: also copies the secret",
         0},
        {"version", ARG_FLAG, &version, 0, 0, NULL, "print the version", 0},
        {"help", ARG_FLAG, &help, 0, 0, NULL, "print this", 0},
        {0}};
    struct args_error error;
    signal(SIGXFSZ, SIG_IGN); /* a write over the limit fails with EFBIG instead */
    int count = take_options(rows, argc, argv, &error);
    if (count < 0)
        return (int)wrong_usage(error.text);
    if (help)
        print_help(rows);
    if (version)
        printf("parley-log %s\n", PARLEY_VERSION);
    if (help || version)
        return EXIT_CLEAN;
    const struct command *command = count ? find_command(argv[1]) : NULL;
    if (!command)
        return (int)unknown_command(count ? argv[1] : NULL);
    return (int)run_command(&job, command, count - 1, argv + 2);
}
