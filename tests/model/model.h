/*
 * model: what PROTOCOL.md, sections 3 and 4, says the server does, as plainly as it can be written: a
 * list of messages, some marks, a few devices, and one function for each request. It does one thing at
 * a time, and says what every device then sees.
 *
 * What a device really saw in a step stands in model->seen, one text after another; whatever the model
 * says is compared with the next of them at once. The first difference sets `wrong`. In what order
 * the requests of a step are carried out is for explain.h to find.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define USERS 4
#define NOBODY USERS /* a user who never comes */
#define NAMES (USERS + 1)
#define DEVICES 7
#define MESSAGES 96 /* of one run, at most */
#define KEYS 6      /* of a user */
#define REQUESTS 24 /* of one step, at most */
#define UNSURE 16   /* sends and marks of which only a restart tells what became of them */

/* PROTOCOL.md's times, ms. */
#define TYPING_ENDS 30000
#define REGISTER_WITHIN 30000
#define SILENT_PING 25000
#define SILENT_END 45000
#define TIMER_LATE 130 /* a timer of the loop fires up to one slot of 128 ms late */

extern const char *const model_names[NAMES];  /* as bytes */
extern const char *const model_quoted[NAMES]; /* as JSON */
extern const uint8_t model_home[DEVICES];     /* whose device it is */

enum request_kind {
    REGISTER,
    SNIPPETS,
    CONVERSATION,
    MESSAGE,
    READ,
    START_WRITING,
    STOP_WRITING,
    PRESENCE,
    WRONG, /* that only an error answers */
    CLOSE, /* with a close frame */
    CUT,   /* the connection is lost: nothing of this step is seen by the device */
    DRAIN, /* the server tells the device to go */
};

enum token { TOKEN_NONE, TOKEN_GOOD, TOKEN_EXPIRED, TOKEN_FORGED };

#define NO_SINCE UINT64_MAX

struct request {
    enum request_kind kind;
    uint8_t device;
    uint8_t other; /* the correspondent */
    uint32_t ref;  /* 0: none; an even one is sent as an integer, an odd one as a string */
    enum token token;
    uint8_t token_user;
    int64_t expires; /* of the token, ms; INT64_MAX: never */
    uint64_t since;
    uint32_t content;
    uint8_t key; /* 0: none */
    bool
        unseen; /* the answer, since the device has gone: `id` is that of the message; 0: there is none */
    uint64_t id;
    uint64_t before, up_to; /* before 0: not said */
    uint32_t limit;         /* 0: not said */
    uint8_t ids[NAMES + 1], ids_n;
    const char *frame, *code, *event; /* WRONG: what is sent, how it is answered */
};

struct message {
    uint64_t id; /* 0: nobody has seen it yet */
    int64_t date;
    uint32_t content;
    uint8_t from, to, key;
};

struct mark {
    uint64_t up_to;
    uint8_t reader, other;
};

struct device {
    /* Closing: a close was sent, and the server has not noticed the end. */
    enum { DEVICE_NONE, DEVICE_OPEN, DEVICE_CLOSING } state;
    bool registered;
    bool deaf;   /* lost in this step: what it is sent is not seen */
    bool asleep; /* answers no ping */
    bool pinged; /* and has not answered */
    uint8_t user;
    uint8_t watches; /* a bit for each user */
    int64_t opened, heard, expires;
    int64_t typing[NAMES]; /* to whom it writes: when that ends; 0: not */
    uint32_t at;           /* bytes of what it saw that are explained */
};

struct model {
    struct message messages[MESSAGES]; /* in the order of their ids */
    uint32_t count;
    uint64_t marks[USERS][NAMES]; /* how far the first has read the second */
    struct device devices[DEVICES];
    struct message unsure[UNSURE];
    struct mark unsure_marks[UNSURE];
    uint32_t unsure_n, unsure_marks_n;
    int64_t now;
    uint32_t max_devices; /* of one user */
    bool large;           /* contents are long */

    /* Of the step under way. */
    const struct request *requests;
    uint32_t request_n, done; /* a bit for each that was carried out */
    bool down;                /* the store had failed before it */
    bool faulty;              /* the disk failed in it, or before: what is sent may not be stored */
    bool failed;              /* and the store has ended all writing with that */
    bool wrong;
    const struct buf *seen; /* by each device: texts, each with its 0 */
};

/* Something that may happen next: a request, or what time brings. */
enum happening {
    HAPPEN_REQUEST,
    HAPPEN_TYPING, /* ends by itself; `what` is to whom */
    HAPPEN_EXPIRY,
    HAPPEN_UNREGISTERED,
    HAPPEN_PING,
    HAPPEN_SILENCE,
    HAPPEN_END, /* the server notices that a connection has ended */
};

/* Where the server may do one of several things, `choice` says which. */
enum choice {
    CHOICE_STORED,
    CHOICE_NOT_STORED,
    CHOICE_CONFLICT,
    CHOICE_LOST = DEVICES, /* those below are devices, where one is evicted */
    CHOICES
};

/* Carries out a request: false if it cannot be done now, or not in this way. */
bool model_request(struct model *m, uint32_t number, uint32_t choice);

/* Only the next start will tell whether it is stored. */
void model_doubt(struct model *m, const struct message *message);

/* Lets that happen at the device: false if it cannot. */
bool model_happen(struct model *m, enum happening what, unsigned device, unsigned other);

/* When the next of these is due: INT64_MAX: none is. */
int64_t model_next_due(const struct model *m);

/* Whether something should have happened by now that has not; but for requests. */
bool model_is_late(const struct model *m);

/* Content number n as a client writes it into a frame, and as the server shows it. */
void model_content(const struct model *m, struct buf *out, uint32_t n, bool sent);

/* The ref of a request as JSON; "" if there is none. */
const char *model_ref(const struct request *r);

/* What the last comparison that failed had on either side, for people. */
struct model_difference {
    uint32_t device;
    char expected[400], seen[400];
};
extern struct model_difference model_difference;

#endif
