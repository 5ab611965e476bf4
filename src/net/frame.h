/*
 * frame: the frames of the WebSocket protocol (RFC 6455, section 5), read and written.
 *
 * A pure function of (state, bytes) for both roles: a server's reader demands masked frames, a
 * client's refuses them. Payloads are unmasked in place and handed out as they come, so a message
 * may arrive in pieces; control frames are handed out whole. What is not used is given again with
 * what follows: never more than a control frame, 131 bytes.
 *
 * Refused: reserved bits and opcodes; lengths that are not in their shortest form or have the top
 * bit set; control frames that are fragmented or over 125 bytes; continuation of nothing, and a new
 * message inside another; a close of one byte, with a code that must not be sent, or a reason that is
 * not UTF-8; text that is not UTF-8, at the first byte that shows it; messages over the limit, by
 * the header alone. No extension is known.
 */
#ifndef NET_FRAME_H
#define NET_FRAME_H

#include "base/slice.h"

enum frame_opcode {
    FRAME_CONTINUATION = 0x0,
    FRAME_TEXT = 0x1,
    FRAME_BINARY = 0x2,
    FRAME_CLOSE = 0x8,
    FRAME_PING = 0x9,
    FRAME_PONG = 0xa,
};

/* RFC 6455, 7.4.1; 4000 and more are parley's own. */
enum close_code {
    CLOSE_NORMAL = 1000,
    CLOSE_GOING_AWAY = 1001,
    CLOSE_PROTOCOL = 1002,
    CLOSE_UNSUPPORTED = 1003,
    CLOSE_NO_CODE = 1005,  /* never on the wire: a close without a payload */
    CLOSE_ABNORMAL = 1006, /* never on the wire: the connection ended without a close */
    CLOSE_NOT_UTF8 = 1007,
    CLOSE_POLICY = 1008,
    CLOSE_TOO_BIG = 1009,
    CLOSE_SERVER_ERROR = 1011,
};

#define FRAME_MAX_CONTROL 125 /* bytes of payload */
#define FRAME_MAX_HEAD 14     /* bytes: two, a 64-bit length, a masking key */

struct frame_reader {
    uint64_t left;   /* bytes of the current data frame that have not come yet */
    uint64_t size;   /* bytes of the current message so far, by its frames' headers */
    uint32_t utf8;   /* utf8.h's state of the text so far */
    uint8_t key[4];  /* masking key, turned so that key[0] is for the next byte */
    uint8_t message; /* opcode of the message under way; 0: none */
    bool in_payload; /* inside a data frame */
    bool fin;        /* that frame is its message's last */
};

enum frame_event {
    FRAME_MORE,    /* all used but an incomplete head or control frame */
    FRAME_DATA,    /* a piece of a message */
    FRAME_CONTROL, /* a ping, pong or close, as `opcode` says */
    FRAME_ERROR,   /* close the connection with `code` */
};

struct frame {
    enum frame_opcode opcode; /* of the message, or of the control frame */
    struct slice payload;     /* unmasked, in place; of a close: its reason */
    bool first, last;         /* this piece begins, ends its message */
    uint16_t code;            /* close and error: a close_code */
    const char *why;          /* error: what was wrong */
};

/*
 * Reads the next event from n bytes at p; *used is how many of them are done with. A zeroed reader
 * is one at the start of a connection. After FRAME_ERROR and a close nothing more must be read.
 */
enum frame_event frame_read(struct frame_reader *r, bool server, uint64_t max_message, uint8_t *p,
                            size_t n, size_t *used, struct frame *out);

/* The head of a whole message in one frame, without a masking key: its size. */
size_t frame_write_head(uint8_t out[FRAME_MAX_HEAD], enum frame_opcode opcode, uint64_t size);

/* The same with a masking key, as clients must; the payload is masked by frame_mask. */
size_t frame_write_masked_head(uint8_t out[FRAME_MAX_HEAD], enum frame_opcode opcode, uint64_t size,
                               const uint8_t key[4]);

/* Masks or unmasks n bytes in place, key[0] being for the first: RFC 6455, 5.3. */
void frame_mask(uint8_t *p, size_t n, const uint8_t key[4]);

/* Whether a code may stand in a close frame: RFC 6455, 7.4, and the registered 1012 to 1014. */
bool close_code_valid(uint16_t code);

#endif
