/* The version, in its one place. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define PARLEY_VERSION "0.1.0"

#endif
