/*
 * order: the records of a log in the order of their ids.
 *
 * A walk reads an arranged segment run by run. Put between a thorough walk and its handler, this notes
 * where its records are, reads them once more when all of the segment is known, and hands them on in
 * the order of their ids; an id that is there twice is told as damage. All else goes straight through.
 *
 * Memory: 16 bytes for each record of the largest arranged segment.
 */
#ifndef LOG_ORDER_H
#define LOG_ORDER_H

#include "base/buf.h"
#include "store/walk.h"

struct order {
    struct walk *walk;
    const struct walk_handler *to;
    struct walk_handler handler;
    struct buf found; /* struct found, each */
};

/* Takes the place of the walk's handler, which must live as long. */
void order_init(struct order *o, struct walk *walk);
void order_fini(struct order *o);

#endif
