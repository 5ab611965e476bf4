#include "import.h"

#include "store/message.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct import {
    struct job *job;
    const char *name;
    int fd;
    struct buf text; /* read, and not looked at yet */
    bool ended;
    uint64_t total, done; /* bytes; total 0: not known */
    uint64_t line, messages;
    int64_t last_date;
};

__attribute__((format(printf, 3, 4))) static enum exit_status
wrong_line(const struct import *in, size_t column, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    job_say(in->job, "%s:%" PRIu64 ":%zu: %s", in->name, in->line, column, what);
    return EXIT_DAMAGED;
}

static enum exit_status import_line(struct import *in, struct slice line)
{
    struct store_message m;
    struct message_names room;
    size_t at;
    struct copy *out = &in->job->out;
    const char *wrong = message_read(&m, &room, line, &at);
    if (wrong) {
        struct log_text text;
        struct slice found = slice_skip(line, at < line.n ? at : line.n);
        found.n = found.n < 32 ? found.n : 32;
        return wrong_line(in, at + 1,
                          "%s; found \"%s\", expected {\"id\":1,\"from\":\"a\",\"to\":\"b\","
                          "\"content\":\"c\",\"date\":0}",
                          wrong, log_safe(&text, found));
    }
    if (m.id < out->next_id)
        return wrong_line(in, 1,
                          "id %" PRIu64 " comes after id %" PRIu64 "; expected one that is greater "
                          "than all before it",
                          m.id, out->next_id - 1);
    if (m.date < in->last_date)
        return wrong_line(in, 1,
                          "date %" PRId64 " comes after date %" PRId64 "; expected one that is not "
                          "before it",
                          m.date, in->last_date);
    in->last_date = m.date;
    in->messages++;
    int result = copy_message(out, &m, 0, slice_of(NULL, 0));
    return result ? job_exit_of(job_copy_failed(in->job, result)) : EXIT_CLEAN;
}

/* Reads more: false if that failed. */
static bool import_read(struct import *in)
{
    uint8_t *to = buf_reserve(&in->text, RECORD_MAX);
    ssize_t got;
    do
        got = to ? read(in->fd, to, RECORD_MAX) : -1;
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return false;
    in->text.n += (size_t)got;
    in->done += (size_t)got;
    in->ended = got == 0;
    progress_show(&in->job->progress, in->done, in->total);
    return true;
}

/* Every whole line of what has been read; what is left is the beginning of one. */
static enum exit_status import_lines(struct import *in)
{
    struct slice rest = buf_slice(&in->text);
    enum exit_status status = EXIT_CLEAN;
    while (status == EXIT_CLEAN && rest.n) {
        const uint8_t *end = memchr(rest.p, '\n', rest.n);
        if (!end && !in->ended && rest.n <= RECORD_MAX)
            break;
        in->line++;
        size_t n = end ? (size_t)(end - rest.p) : rest.n;
        status = n <= RECORD_MAX ? import_line(in, slice_of(rest.p, n))
                                 : wrong_line(in, 1, "the line is over %d bytes", RECORD_MAX);
        rest = slice_skip(rest, end ? n + 1 : n);
    }
    buf_drop(&in->text, in->text.n - rest.n);
    return status;
}

static enum exit_status import_all(struct import *in)
{
    enum exit_status status = EXIT_CLEAN;
    progress_begin(&in->job->progress, "parley-log");
    while (status == EXIT_CLEAN && !in->ended) {
        if (!import_read(in))
            return job_refused(in->job, "read", in->name, -errno);
        status = import_lines(in);
    }
    return status;
}

enum exit_status import_run(struct job *job)
{
    struct import in = {.job = job, .name = job->copy ? job->copy : "standard input"};
    struct stat st;
    if (job->copy)
        in.fd = open(job->copy, O_RDONLY | O_CLOEXEC);
    if (in.fd < 0) {
        int error = errno;
        job_say(job, "%s: %s", in.name, strerror(error));
        return error == ENOENT ? EXIT_USAGE_ERROR : EXIT_SYSTEM;
    }
    if (fstat(in.fd, &st) == 0 && S_ISREG(st.st_mode))
        in.total = (uint64_t)st.st_size;
    job->copy = job->dir;
    enum exit_status status = job_open_copy(job, true);
    if (status == EXIT_CLEAN)
        status = import_all(&in);
    progress_hide(&job->progress);
    status = job_close_copy(job, status);
    if (status == EXIT_CLEAN)
        printf("%s: complete and on the disk; messages: %" PRIu64 "\n", job->copy, in.messages);
    buf_free(&in.text);
    if (in.fd > STDIN_FILENO)
        close(in.fd);
    return status;
}
