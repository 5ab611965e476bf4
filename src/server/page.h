/*
 * page: the web client, compiled in; empty where it was built with DEMO=0.
 */
#ifndef SERVER_PAGE_H
#define SERVER_PAGE_H

#include "base/slice.h"

struct slice page_html(void);

#endif
