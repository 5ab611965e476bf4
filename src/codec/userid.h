/*
 * userid: what the name of a user may be: 1 to 64 bytes of well-formed UTF-8 without control
 * characters (U+0000 to U+001F, U+007F to U+009F). Two ids are the same when their bytes are.
 */
#ifndef CODEC_USERID_H
#define CODEC_USERID_H

#include "base/slice.h"

#define USERID_MAX 64 /* bytes */

bool userid_valid(struct slice id);

#endif
