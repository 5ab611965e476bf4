#include "engine.h"

#include "codec/jwt.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

char engine_sid[64], engine_text[1 << 20];

void engine_turns(void)
{
    for (int i = 0; i < 6; i++)
        host_pump();
}

void engine_ask(struct client *c, const char *format, ...)
{
    char request[16384];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(request, sizeof request, format, args);
    va_end(args);
    assert_true(n > 0 && (size_t)n < sizeof request);
    client_send_raw(c, request, (size_t)n);
    engine_turns();
}

const char *engine_come(struct client *c)
{
    size_t n = 0;
    ssize_t got;
    engine_turns();
    while ((got = recv(c->fd, engine_text + n, sizeof engine_text - 1 - n, MSG_DONTWAIT)) > 0) {
        n += (size_t)got;
        engine_turns();
    }
    engine_text[n] = 0;
    return engine_text;
}

void engine_expect(struct client *c, const char *pattern)
{
    if (!matches(pattern, engine_come(c)))
        fail_msg("got \"%s\"; expected \"%s\"", engine_text, pattern);
}

void engine_get(struct client *c)
{
    engine_ask(c, "GET " ENGINE_QUERY "polling&sid=%s HTTP/1.1\r\nHost: h\r\n\r\n", engine_sid);
}

void engine_post(struct client *c, const char *body)
{
    engine_ask(c,
               "POST " ENGINE_QUERY "polling&sid=%s HTTP/1.1\r\nHost: h\r\nContent-Length: "
               "%zu\r\n\r\n%s",
               engine_sid, strlen(body), body);
}

void engine_shake_hands(struct client *c)
{
    engine_ask(c, "GET " ENGINE_QUERY "polling HTTP/1.1\r\nHost: h\r\n\r\n");
    const char *at = strstr(engine_come(c), "0{\"sid\":\"");
    assert_non_null(at);
    snprintf(engine_sid, sizeof engine_sid, "%.22s", at + 9);
}

void engine_open(struct client *c, struct client *p)
{
    host_open(c);
    host_open(p);
    engine_shake_hands(c);
}

const char *engine_connect(const char *user)
{
    static char packet[600];
    char token[512];
    struct hmac_key key;
    hmac_key_init(&key, slice_str(host_secret));
    size_t n = jwt_sign(token, sizeof token, &key, slice_str(user), host_wall(NULL), INT64_MAX);
    snprintf(packet, sizeof packet, "40{\"token\":\"%.*s\"}", (int)n, token);
    return packet;
}

void engine_open_as(struct client *c, struct client *p, const char *user)
{
    engine_open(c, p);
    engine_post(p, engine_connect(user));
    engine_expect(p, "HTTP/1.1 200 OK\r\n*\r\n\r\nok");
    engine_get(c);
    engine_expect(c, "*40{\"sid\":*42[\"registerMessages\",\"OK\",*");
}

void engine_open_socket_as(struct client *w, const char *user)
{
    host_open(w);
    engine_ask(w, "GET " ENGINE_QUERY "websocket" ENGINE_HANDSHAKE);
    client_expect_upgrade(w);
    client_expect(w, "0{\"sid\":*");
    client_send(w, engine_connect(user));
    client_expect(w, "40{\"sid\":*");
    client_expect(w, "42[\"registerMessages\",\"OK\",*");
}

void engine_drop(struct client *c)
{
    client_close(c);
    engine_turns();
}

struct session *engine_session(const char *user)
{
    struct online *online = hub_find(&host_chat.hub, slice_str(user));
    assert_non_null(online);
    return online->sessions;
}

void engine_send_long(struct client *bob, int n)
{
    char content[16000];
    memset(content, 'x', sizeof content);
    content[sizeof content - 1] = 0;
    host_chat.options.rate = 0;
    while (n--) {
        client_sendf(bob, "{\"event\":\"message\",\"data\":{\"to\":\"alice\",\"content\":\"%s\"}}",
                     content);
        client_expect(bob, "*success*");
    }
}

size_t engine_count(const char *what)
{
    size_t n = 0;
    for (const char *p = engine_text; (p = strstr(p, what)); p++)
        n++;
    return n;
}

const char *engine_answer(struct client *c)
{
    engine_come(c);
    const char *body = strstr(engine_text, "\r\n\r\n"), *size = strstr(engine_text, "Content-"
                                                                                    "Length: ");
    assert_non_null(body);
    assert_non_null(size);
    assert_int_equal(strlen(body + 4), strtoul(size + 16, NULL, 10));
    return body + 4;
}
