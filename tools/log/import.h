/*
 * import: makes a log of what parley-log dump has printed, a message a line.
 */
#ifndef LOG_IMPORT_H
#define LOG_IMPORT_H

#include "job.h"

/* import DIR [FILE]: DIR is what is written. */
enum exit_status import_run(struct job *job);

#endif
