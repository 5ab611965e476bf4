#include "job.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void job_say(struct job *job, const char *format, ...)
{
    va_list args;
    progress_hide(&job->progress);
    fputs("parley-log: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

enum exit_status job_refused(struct job *job, const char *verb, const char *path, int error)
{
    job_say(job, "cannot %s %s: %s", verb, path, strerror(-error));
    return disk_failed(error) ? EXIT_IO : EXIT_SYSTEM;
}

enum exit_status job_open_copy(struct job *job, bool may_be_empty)
{
    int result = newdir_open(&job->out_dir, job->copy, may_be_empty);
    if (result == -EEXIST) {
        job_say(job, "%s: it exists already; expected a directory that does not%s", job->copy,
                may_be_empty ? ", or an empty one" : "");
        return EXIT_USAGE_ERROR;
    }
    if (result == -EALREADY) {
        job_say(job, "%s: it exists already, from a copy that was not finished; remove it",
                job->out_dir.partial);
        return EXIT_USAGE_ERROR;
    }
    if (!result)
        result = copy_init(&job->out, &job->out_dir.disk, 0);
    return result ? job_refused(job, "create", job->copy, result) : EXIT_CLEAN;
}

enum exit_status job_close_copy(struct job *job, enum exit_status status)
{
    if (!job->out_dir.disk.ctx)
        return status;
    if (status == EXIT_CLEAN) {
        int result = copy_finish(&job->out);
        if (!result)
            result = newdir_finish(&job->out_dir);
        if (result)
            status = job_refused(job, "finish", job->copy, result);
    }
    copy_fini(&job->out);
    newdir_discard(&job->out_dir);
    return status;
}

enum store_status job_copy_failed(struct job *job, int result)
{
    enum exit_status status = job_refused(job, "write", job->out_dir.partial, result);
    return status == EXIT_IO ? STORE_IO : STORE_SYSTEM;
}
