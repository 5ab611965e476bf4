#include "server/page.h"

#if PARLEY_DEMO && defined PARLEY_PAGE

/* The compressed file as it is, between two symbols of its own. */
__asm__(".section .rodata\n"
        ".global parley_page_begin\n"
        ".global parley_page_end\n"
        "parley_page_begin:\n"
        ".incbin \"" PARLEY_PAGE "\"\n"
        "parley_page_end:\n"
        ".byte 0\n"
        ".previous\n");

extern const uint8_t parley_page_begin[], parley_page_end[];

struct slice page_html(void)
{
    /* cppcheck-suppress comparePointers; both are symbols of the same section, see above */
    return slice_of(parley_page_begin, (size_t)(parley_page_end - parley_page_begin));
}

#else

struct slice page_html(void)
{
    return SLICE("");
}

#endif
