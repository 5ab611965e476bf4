/*
 * naive: what the core does, done in the plainest way: byte by byte, with an allocation where one is at
 * hand, a system call where one comes to mind. Each is a run of the same work as the one it stands beside.
 */
#ifndef BENCH_NAIVE_H
#define BENCH_NAIVE_H

#include <stddef.h>
#include <stdint.h>

/* Read into a tree of allocated values, and freed. */
void naive_envelopes(void);

/* Code point by code point. */
void naive_texts(void);

/* i % 4 for each byte. */
void naive_unmask(uint8_t *p, size_t n, const uint8_t key[4]);

/* Each payload copied into memory of its own, and unmasked there. */
void naive_frames(void);

/* A bit at a time. */
void naive_checks(void);

/* The key prepared anew for each token. */
void naive_tokens(void);

/* A list, searched from its begin. */
void naive_lookups(void);

/* A line of text and a write for each message; a read for each message, by its place. */
void naive_open(void);
void naive_appends(void);
void naive_pages(void);
void naive_close(void);

#endif
