/*
 * job: one run of parley-log: what its commands share.
 */
#ifndef LOG_JOB_H
#define LOG_JOB_H

#include "base/exit.h"
#include "copy.h"
#include "newdir.h"
#include "progress.h"
#include "store/walk.h"

struct job {
    const char *dir, *copy; /* as on the command line */
    const char *user, *with, *since;
    bool with_secret;
    uint64_t since_id;
    struct progress progress;

    /* Reading DIR. */
    struct disk disk;
    struct segments segments;
    struct index index;
    struct walk walk;
    struct store_error error;
    uint64_t faults;
    uint64_t first_id, last_id; /* of the messages; 0: none yet */
    int64_t first_date, last_date;

    /* Writing COPY. */
    struct newdir out_dir;
    struct copy out;
    uint64_t lost_bytes; /* since the last record that was kept */
};

/* A line on standard error. */
__attribute__((format(printf, 2, 3))) void job_say(struct job *job, const char *format, ...);

/* The system refused to do something with a file of ours. */
enum exit_status job_refused(struct job *job, const char *verb, const char *path, int error);

static inline enum exit_status job_exit_of(enum store_status status)
{
    return status >= STORE_DAMAGED ? (enum exit_status)status : EXIT_CLEAN;
}

/* Makes the folder in which the copy grows. */
enum exit_status job_open_copy(struct job *job, bool may_be_empty);

/* Gives the copy its name, if all went well; otherwise removes it. */
enum exit_status job_close_copy(struct job *job, enum exit_status status);

/* Something could not be written into the copy: -errno. */
enum store_status job_copy_failed(struct job *job, int result);

#endif
