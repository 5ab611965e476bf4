#include "server/secret.h"

#include "base/random.h"
#include "codec/base64.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void secret_wipe(struct secret *secret)
{
    explicit_bzero(secret, sizeof *secret);
}

/* A new one is 32 random bytes in base64url, so that it can be pasted into any JWT library. */
static int secret_make(const struct disk *folder)
{
    uint8_t random[SECRET_MIN];
    char text[BASE64URL_SIZE(sizeof random) + 1];
    int result = random_bytes(random, sizeof random);
    if (result)
        return result;
    size_t size = base64url_encode(text, slice_of(random, sizeof random));
    text[size++] = '\n';
    result = disk_write_file(folder, SECRET_NAME, text, size);
    explicit_bzero(random, sizeof random);
    explicit_bzero(text, sizeof text);
    return result;
}

static int secret_read(struct secret *out, int fd, const char *path, const struct log *log)
{
    struct stat info;
    uint8_t bytes[SECRET_MAX + 64]; /* with some newlines */
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n < 0 || fstat(fd, &info) < 0)
        return -errno;
    if (info.st_mode & 077)
        log_write(log, LOG_WARN, "secret file %s can be read by others (mode %03o); chmod 600 it",
                  path, (unsigned)info.st_mode & 0777);
    while (n && (bytes[n - 1] == '\n' || bytes[n - 1] == '\r'))
        n--;
    out->n = (size_t)n;
    if (out->n <= SECRET_MAX)
        memcpy(out->bytes, bytes, out->n);
    explicit_bzero(bytes, sizeof bytes);
    return out->n < SECRET_MIN || out->n > SECRET_MAX ? -EINVAL : 0;
}

int secret_load(struct secret *out, const char *path, const struct disk *make_in,
                const struct log *log, struct secret_error *error)
{
    int result = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && make_in) {
        result = secret_make(make_in);
        if (result == 0) {
            log_write(log, LOG_INFO, "made a new secret in %s", path);
            fd = open(path, O_RDONLY | O_CLOEXEC);
        }
    }
    if (result == 0)
        result = fd < 0 ? -errno : secret_read(out, fd, path, log);
    if (fd >= 0)
        close(fd);
    if (result == -EINVAL)
        snprintf(error->text, sizeof error->text,
                 "secret file %.160s holds %s%zu bytes; expected %d to %d", path,
                 out->n > SECRET_MAX ? "over " : "", out->n > SECRET_MAX ? SECRET_MAX : out->n,
                 SECRET_MIN, SECRET_MAX);
    else if (result)
        snprintf(error->text, sizeof error->text, "secret file %.160s: %s", path,
                 strerror(-result));
    return result;
}
