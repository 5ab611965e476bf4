/* An echo server with libwebsockets: frames that wait lie in a queue of the connection, and one goes out
   each time that it is writable, as the library asks for. */
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct frame {
    struct frame *next;
    size_t n;
    enum lws_write_protocol mode;
    unsigned char bytes[]; /* LWS_PRE free ones in front */
};

struct session {
    struct frame *first, **last;
};

static int on_message(struct lws *wsi, struct session *s, const void *in, size_t n)
{
    struct frame *f = malloc(sizeof *f + LWS_PRE + n);
    if (!f)
        return -1;
    int mode = lws_write_ws_flags(lws_frame_is_binary(wsi) ? LWS_WRITE_BINARY : LWS_WRITE_TEXT,
                                  lws_is_first_fragment(wsi), lws_is_final_fragment(wsi));
    f->next = NULL;
    f->n = n;
    f->mode = (enum lws_write_protocol)mode;
    memcpy(f->bytes + LWS_PRE, in, n);
    *s->last = f;
    s->last = &f->next;
    lws_callback_on_writable(wsi);
    return 0;
}

static int write_one(struct lws *wsi, struct session *s)
{
    struct frame *f = s->first;
    if (!f)
        return 0;
    int result = lws_write(wsi, f->bytes + LWS_PRE, f->n, f->mode);
    s->first = f->next;
    if (!s->first)
        s->last = &s->first;
    else
        lws_callback_on_writable(wsi);
    free(f);
    return result < 0 ? -1 : 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t n)
{
    struct session *s = user;
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        s->last = &s->first;
        return 0;
    case LWS_CALLBACK_RECEIVE:
        return on_message(wsi, s, in, n);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return write_one(wsi, s);
    case LWS_CALLBACK_CLOSED:
        for (struct frame *f = s->first, *next; f; f = next) {
            next = f->next;
            free(f);
        }
        return 0;
    default:
        return 0;
    }
}

int main(void)
{
    static const struct lws_protocols protocols[] = {
        {.name = "echo",
         .callback = on_event,
         .per_session_data_size = sizeof(struct session),
         .rx_buffer_size = 65536},
        {.name = NULL}};
    struct lws_context_creation_info info = {.port = 0,
                                             .iface = "127.0.0.1",
                                             .protocols = protocols,
                                             .gid = (gid_t)-1,
                                             .uid = (uid_t)-1};
    lws_set_log_level(LLL_ERR, NULL);
    info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
    struct lws_context *context = lws_create_context(&info);
    struct lws_vhost *host = context ? lws_create_vhost(context, &info) : NULL;
    if (!host)
        return 1;
    printf("listening on 127.0.0.1:%d\n", lws_get_vhost_listen_port(host));
    fflush(stdout);
    while (lws_service(context, 0) >= 0)
        ;
    return 0;
}
