#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Connections that wait to be accepted; the kernel caps it at net.core.somaxconn. */
#define ADDRESS_BACKLOG 4096
/* Bytes that the kernel keeps unsent for a socket: what is more waits with us, so that a slow reader
   holds little of the kernel's memory, and is seen to take something while it does. */
#define ADDRESS_UNSENT (64 << 10)

static const char *address_parse_unix(struct address *out, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof un.sun_path)
        return "the path of a unix socket has 1 to 107 bytes";
    memcpy(un.sun_path, path, n + 1);
    memcpy(&out->storage, &un, sizeof un);
    out->n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    return NULL;
}

/* The port, or -1. */
static int address_port(const char *text)
{
    int value = 0;
    size_t n = strspn(text, "0123456789");
    if (n == 0 || n > 5 || text[n])
        return -1;
    for (; *text; text++)
        value = value * 10 + (*text - '0');
    return value <= 65535 ? value : -1;
}

static bool address_set_v4(struct address *out, const char *host, int port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    bool set = inet_pton(AF_INET, host, &v4.sin_addr) == 1;
    memcpy(&out->storage, &v4, sizeof v4);
    out->n = sizeof v4;
    return set;
}

/* With a zone, %eth0, where the address means something on one link only. */
static bool address_set_v6(struct address *out, char *host, int port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    char *zone = strchr(host, '%');
    if (zone) {
        *zone = 0;
        v6.sin6_scope_id = if_nametoindex(zone + 1);
    }
    bool set = inet_pton(AF_INET6, host, &v6.sin6_addr) == 1 && (!zone || v6.sin6_scope_id);
    memcpy(&out->storage, &v6, sizeof v6);
    out->n = sizeof v6;
    return set;
}

const char *address_parse(struct address *out, const char *text)
{
    if (strncmp(text, "unix:", 5) == 0)
        return address_parse_unix(out, text + 5);
    const char *colon = strrchr(text, ':');
    int port = colon ? address_port(colon + 1) : -1;
    if (port < 0)
        return "expected HOST:PORT, [V6]:PORT or unix:PATH, with a port from 0 to 65535";
    size_t n = (size_t)(colon - text);
    char host[256];
    bool bracketed = n >= 2 && text[0] == '[' && text[n - 1] == ']';
    if (bracketed) {
        text++;
        n -= 2;
    }
    if (n == 0 || n >= sizeof host || (!bracketed && memchr(text, ':', n)))
        return "expected HOST:PORT; an IPv6 address stands in brackets, [::1]:8080";
    memcpy(host, text, n);
    host[n] = 0;
    /* A machine may name itself by ::1 first; whoever says localhost means the usual one. */
    const char *number = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (!(bracketed ? address_set_v6(out, host, port) : address_set_v4(out, number, port)))
        return "the host is no number; expected one like 192.0.2.1, [2001:db8::1], or localhost";
    return NULL;
}

void address_format(char out[ADDRESS_TEXT], const struct address *a)
{
    char host[64] = "?";
    if (a->storage.ss_family == AF_UNIX) {
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        /* The kernel counts a terminator behind a path of 108 bytes. */
        memcpy(&un, &a->storage, a->n < sizeof un ? a->n : sizeof un);
        snprintf(out, ADDRESS_TEXT, "unix:%.*s", (int)sizeof un.sun_path, un.sun_path);
    } else if (a->storage.ss_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, &a->storage, sizeof v6);
        inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
        snprintf(out, ADDRESS_TEXT, "[%s]:%u", host, ntohs(v6.sin6_port));
    } else {
        struct sockaddr_in v4;
        memcpy(&v4, &a->storage, sizeof v4);
        inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
        snprintf(out, ADDRESS_TEXT, "%s:%u", host, ntohs(v4.sin_port));
    }
}

bool address_is_loopback(const struct address *a)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    switch (a->storage.ss_family) {
    case AF_INET:
        memcpy(&v4, &a->storage, sizeof v4);
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    case AF_INET6:
        memcpy(&v6, &a->storage, sizeof v6);
        return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
    default:
        return a->storage.ss_family == AF_UNIX;
    }
}

static int address_socket(const struct address *a)
{
    int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int on = 1, unsent = ADDRESS_UNSENT;
    if (a->storage.ss_family != AF_UNIX) {
        /* Accepted sockets have them from their listener. */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    }
    return fd;
}

int address_connect(const struct address *a)
{
    int fd = address_socket(a);
    if (fd < 0)
        return fd;
    if (connect(fd, (const struct sockaddr *)&a->storage, a->n) < 0 && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

/* Removes a socket file whose server is gone. Any other file refuses a connection just the same,
   and stays. */
static void address_clear_unix(const struct address *a)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct stat info;
    memcpy(&un, &a->storage, a->n);
    if (lstat(un.sun_path, &info) < 0 || !S_ISSOCK(info.st_mode))
        return;
    int fd = address_connect(a);
    if (fd == -ECONNREFUSED)
        unlink(un.sun_path);
    else if (fd >= 0)
        close(fd);
}

/* A proxy in front is another user: who may connect is for the folder to say, as for a port. */
static void address_open_unix(const struct address *a)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(&un, &a->storage, a->n);
    chmod(un.sun_path, 0666);
}

static int address_bind(int fd, struct address *a)
{
    int on = 1;
    if (a->storage.ss_family == AF_UNIX)
        address_clear_unix(a);
    else
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    /* An IPv6 listener is for IPv6 alone, so that 0.0.0.0 and [::] can stand side by side. */
    if (a->storage.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&a->storage, a->n) < 0)
        return -errno;
    if (a->storage.ss_family == AF_UNIX)
        address_open_unix(a);
    if (listen(fd, ADDRESS_BACKLOG) < 0)
        return -errno;
    socklen_t n = sizeof a->storage;
    if (a->storage.ss_family != AF_UNIX && getsockname(fd, (struct sockaddr *)&a->storage, &n) == 0)
        a->n = n;
    return fd;
}

int address_listen(struct address *a)
{
    int fd = address_socket(a);
    if (fd < 0)
        return fd;
    int result = address_bind(fd, a);
    if (result < 0)
        close(fd);
    return result;
}
