#include "server/page.h"

#if PARLEY_DEMO && defined PARLEY_PAGE

/* The compressed file as it is, between two symbols of its own. */
__asm__(".section .rodata\n"
        ".global page_html_begin\n"
        ".global page_html_end\n"
        "page_html_begin:\n"
        ".incbin \"" PARLEY_PAGE "\"\n"
        "page_html_end:\n"
        ".byte 0\n"
        ".previous\n");

extern const uint8_t page_html_begin[], page_html_end[];

struct slice page_html(void)
{
    /* cppcheck-suppress comparePointers; both are symbols of the same section, see above */
    return slice_of(page_html_begin, (size_t)(page_html_end - page_html_begin));
}

#else

struct slice page_html(void)
{
    return SLICE("");
}

#endif
