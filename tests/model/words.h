/* words: a request as a client sends it. */
#ifndef MODEL_WORDS_H
#define MODEL_WORDS_H

#include "model.h"

/* What is in `out` goes. Not for those that are no text: CLOSE, CUT and DRAIN. */
void words_put_request(const struct model *m, struct buf *out, const struct request *r);

#endif
