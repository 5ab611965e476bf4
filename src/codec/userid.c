#include "codec/userid.h"

#include "codec/utf8.h"

bool userid_valid(struct slice id)
{
    if (id.n == 0 || id.n > USERID_MAX || !utf8_valid(id))
        return false;
    for (size_t i = 0; i < id.n; i++) {
        if (id.p[i] < 0x20 || id.p[i] == 0x7f)
            return false;
        if (id.p[i] == 0xc2 && id.p[i + 1] < 0xa0) /* U+0080 to U+009F */
            return false;
    }
    return true;
}
