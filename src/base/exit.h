/*
 * exit: the exit statuses of all programs (PROTOCOL.md, section 6; the numbers of sysexits.h).
 */
#ifndef BASE_EXIT_H
#define BASE_EXIT_H

enum exit_status {
    EXIT_CLEAN = 0,
    EXIT_USAGE_ERROR = 64, /* options, config file, secret */
    EXIT_DAMAGED = 65,     /* the data directory is damaged */
    EXIT_LOCKED = 66,      /* another process holds it */
    EXIT_SYSTEM = 71,      /* the system refused: port, permission, memory */
    EXIT_IO = 74,          /* the disk failed */
};

#endif
