#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static int random_from_device(uint8_t *p, size_t n)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int result = 0;
    while (n && !result) {
        ssize_t got = read(fd, p, n);
        if (got > 0) {
            p += got;
            n -= (size_t)got;
        } else if (got == 0 || errno != EINTR) {
            result = got == 0 ? -EIO : -errno;
        }
    }
    close(fd);
    return result;
}

int random_bytes(void *p, size_t n)
{
    uint8_t *to = p;
    while (n) {
        ssize_t got = getrandom(to, n, 0);
        if (got > 0) {
            to += got;
            n -= (size_t)got;
        } else if (errno == ENOSYS) {
            return random_from_device(to, n);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

int random_u32(struct random_pool *pool, uint32_t *out)
{
    if (pool->left < sizeof *out) {
        int result = random_bytes(pool->bytes, sizeof pool->bytes);
        if (result)
            return result;
        pool->left = sizeof pool->bytes;
    }
    pool->left -= (uint32_t)sizeof *out;
    memcpy(out, pool->bytes + pool->left, sizeof *out);
    return 0;
}
