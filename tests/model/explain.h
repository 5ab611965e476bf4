/*
 * explain: whether what was seen in a step can be.
 *
 * A step is some requests of some devices, and what every device saw by the time that all was quiet.
 * The contract says what each request does, and in what order one device's are answered; which
 * device's come first is the server's choice, and so is whether the disk, when it fails, does so
 * before or after a send. A step is right if there is an order, and a choice in each place where there
 * is one, in which the model shows every device what it saw, no less and no more.
 */
#ifndef MODEL_EXPLAIN_H
#define MODEL_EXPLAIN_H

#include "model.h"

/* Whether it can be: the model then stands behind the step. Otherwise model_difference tells how far
   the best attempt came. */
bool explain(struct model *m);

#endif
