/*
 * test: what every test file includes: cmocka with what it needs in front of it.
 */
#ifndef SUPPORT_TEST_H
#define SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Monotonic, for deadlines. */
int64_t now_ms(void);

#endif
