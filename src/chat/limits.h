/*
 * limits: how often somebody may do something: a token bucket of events, and the back-off of addresses
 * that show bad tokens. Both by a clock of the caller's, loop->now.
 */
#ifndef CHAT_LIMITS_H
#define CHAT_LIMITS_H

#include "net/ip.h"

struct bucket {
    uint32_t refilled; /* ms, truncated: when `credit` was last reckoned */
    uint32_t credit;   /* thousandths of events that are left */
};

/* Full: two seconds' worth. rate is in events a second, at most 1,000,000. */
void bucket_init(struct bucket *b, int64_t now, uint32_t rate);

/* Takes one event out: whether there was one. */
__attribute__((warn_unused_result)) bool bucket_take(struct bucket *b, int64_t now, uint32_t rate);

/* Addresses that are remembered; the one whose last bad token is the oldest makes room. */
#define BACKOFF_ADDRESSES 1024
/* Bad tokens of an address, each within a minute of the one before, that cost it nothing yet. The next
   shuts it out for a second, the one after for two, and so on up to 64. */
#define BACKOFF_FREE 9
#define BACKOFF_WINDOW_MS 60000

struct backoff_entry {
    struct ip ip; /* of IPv6 the network, 64 bits: a host has as many addresses as it likes */
    uint32_t bad;
    int64_t last;  /* ms: the last bad token */
    int64_t until; /* ms: shut out */
};

struct backoff {
    struct backoff_entry *entries; /* NULL until the first bad token */
    uint32_t n;
};

void backoff_fini(struct backoff *b);

/* ms that the address has to wait still; 0: it need not. */
int64_t backoff_wait(const struct backoff *b, const struct ip *ip, int64_t now);

/* Counts a bad token: ms that the address is shut out for it. */
int64_t backoff_count(struct backoff *b, const struct ip *ip, int64_t now);

#endif
