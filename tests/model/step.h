/*
 * step: the server and the model go one step together: requests are sent, all gets quiet, and what
 * was seen must be explained. Restarts and what is found after them, too.
 */
#ifndef MODEL_STEP_H
#define MODEL_STEP_H

#include "explain.h"
#include "scene.h"

/* How a message begins that a device is shown, live or replayed; its id follows. */
#define STEP_LIVE "{\"event\":\"message\",\"data\":{\"id\":"

/* What a device has kept over all its connections, as a real client would. */
struct view {
    uint64_t ids[2 * MESSAGES];
    uint32_t n;
    uint64_t last; /* the highest of them: where it resumes */
    bool whole;    /* it has always resumed: there must be no gap, and no double */
};

struct steps {
    struct model model;
    struct request requests[REQUESTS];
    uint32_t n;
    struct view views[DEVICES];
    unsigned faults; /* of the disk, when the step began */
    char wrong[1400];
};

/* The first reason counts. */
__attribute__((format(printf, 2, 3))) void steps_wrong(struct steps *s, const char *format, ...);

void step_begin(struct steps *s);

/* Connects the device, which was not. */
void step_connect(struct steps *s, unsigned device);

/* Sends it. */
void step_send(struct steps *s, const struct request *r);

/* All gets quiet, and is explained. False: the disk has stopped meanwhile, and all is to be restarted. */
bool step_end(struct steps *s);

/* The second half of it: what has been seen by now must be explained. */
void step_explain(struct steps *s);

/* Time passes, with all that it brings, deadline by deadline. */
void step_pass(struct steps *s, int64_t ms);

/* Ends the server, in good order or at once, and starts it anew. Then everybody looks at everything. A
   step has begun: what was sent in it is answered if the end is orderly. */
void step_restart(struct steps *s, bool orderly, enum simdisk_end how);

/* Everybody leaves. Then a device of each user reads, slowly, what came since an id, or, with NO_SINCE, a page
 * and the snippets; a user is erased; and a message is sent between two others. */
void step_erase(struct steps *s, unsigned gone, const uint64_t since[USERS],
                const struct message *new);

#endif
