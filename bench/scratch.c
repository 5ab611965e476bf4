#include "scratch.h"

#include "base/exit.h"
#include "rig.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The process that works. */
static pid_t child;

static void pass_on(int signal)
{
    kill(child, signal);
}

void scratch_end_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_SYSTEM);
}

/* A signal ends the child, and with it the wait. */
static int clean_up(const char *path, const sigset_t *signals)
{
    const struct sigaction action = {.sa_handler = pass_on};
    int result = 0, status;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigprocmask(SIG_SETMASK, signals, NULL);
    for (pid_t ended; (ended = wait(&status)) >= 0 || errno == EINTR;)
        if (ended == child)
            result = status;
    rig_remove(path);
    if (WIFSIGNALED(result))
        fprintf(stderr, "%s: ended by signal %d\n", program_invocation_short_name,
                WTERMSIG(result));
    return WIFEXITED(result) ? WEXITSTATUS(result) : EXIT_SYSTEM;
}

static void make_folder(char path[PATH_MAX], const char *dir)
{
    char self[PATH_MAX - 128] = ".";
    ssize_t n = dir ? -1 : readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = 0;
        *strrchr(self, '/') = 0;
    }
    snprintf(path, PATH_MAX, "%.3900s/%.40s-XXXXXX", dir ? dir : self,
             program_invocation_short_name);
    if (!mkdtemp(path))
        run_die(errno, "cannot make a folder %s", path);
}

int scratch_run(const char *dir, int (*work)(void *ctx, const char *path), void *ctx)
{
    char path[PATH_MAX];
    /* Until somebody is there who cleans up. */
    sigset_t ending, before;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGHUP);
    sigprocmask(SIG_BLOCK, &ending, &before);
    make_folder(path, dir);
    pid_t self = getpid();
    child = fork();
    if (child < 0)
        run_die(errno, "cannot fork");
    if (child)
        return clean_up(path, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    scratch_end_with(self);
    return work(ctx, path);
}
