/*
 * page: the web client, compiled in, as gzip (RFC 1952); empty where it was built with DEMO=0.
 */
#ifndef SERVER_PAGE_H
#define SERVER_PAGE_H

#include "base/slice.h"

struct slice page_html(void);

#endif
