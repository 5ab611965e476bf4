/*
 * json_scan: what reading and writing of JSON strings have in common. Private to json*.c.
 */
#ifndef CODEC_JSON_SCAN_H
#define CODEC_JSON_SCAN_H

#include "base/endian.h"
#include "base/slice.h"

/* The value of a hexadecimal digit, or -1. */
static inline int json_hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#define JSON_NOT_ASCII UINT64_C(0x8080808080808080)

/* The first byte from p on that cannot stand for itself in a string (a quote, a backslash, a
 * control character), or end. The bits of all bytes in front of it, and maybe of some behind, are added
 * to *seen, unless it is NULL: none of JSON_NOT_ASCII, and all are ASCII.
 *
 * Eight bytes at a time: x - 0x01.. borrows from the top bit of a byte that was zero, so it finds
 * the zero bytes of x, and with 0x20.. those below a space. A borrow may also mark bytes behind
 * the first one found, never in front of it. */
static inline const uint8_t *json_scan_plain(const uint8_t *p, const uint8_t *end, uint64_t *seen)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    for (; end - p >= 8; p += 8) {
        uint64_t w = le64_load(p), quote = w ^ ones * '"', backslash = w ^ ones * '\\';
        uint64_t found = (((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) |
                          ((backslash - ones) & ~backslash)) &
                         ones * 0x80;
        if (seen)
            *seen |= w;
        if (found)
            return p + __builtin_ctzll(found) / 8;
    }
    for (; p < end && *p >= 0x20 && *p != '"' && *p != '\\'; p++)
        if (seen)
            *seen |= (uint64_t)*p;
    return p;
}

#endif
