#include "chat/socketio.h"

#include "base/random.h"
#include "chat/api.h"
#include "chat/polling.h"
#include "codec/base64.h"

/* Engine.IO's types of packets, and Socket.IO's of what is in its messages. */
enum { ENGINE_OPEN = '0', ENGINE_CLOSE, ENGINE_PING, ENGINE_PONG, ENGINE_MESSAGE, ENGINE_UPGRADE };
enum { PACKET_CONNECT = '0', PACKET_DISCONNECT, PACKET_EVENT, PACKET_ACK, PACKET_CONNECT_ERROR };

#define NO_BINARY "only text is understood here, no binary packets"

int socketio_make_sid(char sid[SOCKETIO_SID])
{
    uint8_t bits[16];
    int result = random_bytes(bits, sizeof bits);
    base64url_encode(sid, slice_of(bits, result ? 0 : sizeof bits));
    return result;
}

uint32_t socketio_max_payload(const struct chat *chat)
{
    return chat->options.max_frame < STREAM_READ ? chat->options.max_frame : STREAM_READ;
}

static void send_text(struct session *s, const struct buf *text)
{
    if (text->failed)
        stream_close(&s->ws.stream);
    else
        websocket_send(&s->ws, FRAME_TEXT, buf_slice(text));
}

void socketio_open(struct session *s, const char *sid)
{
    struct chat *chat = session_chat(s);
    struct buf *text = &chat->frames[FRAMING_SOCKETIO];
    char own[SOCKETIO_SID];
    s->framing = FRAMING_SOCKETIO;
    if (!sid && socketio_make_sid(own)) {
        stream_close(&s->ws.stream);
        return;
    }
    buf_clear(text);
    buf_printf(text,
               "0{\"sid\":\"%.*s\",\"upgrades\":[%s],\"pingInterval\":%lu,\"pingTimeout\":%lu,"
               "\"maxPayload\":%lu}",
               SOCKETIO_SID, sid ? sid : own, sid ? "\"websocket\"" : "",
               (unsigned long)session_ping_ms(chat),
               (unsigned long)(chat->options.idle_ms - session_ping_ms(chat)),
               (unsigned long)socketio_max_payload(chat));
    send_text(s, text);
}

void socketio_connected(struct session *s)
{
    struct buf *text = &session_chat(s)->frames[FRAMING_SOCKETIO];
    char sid[SOCKETIO_SID];
    s->stage = SOCKETIO_CONNECTED;
    if (socketio_make_sid(sid)) { /* not the one that a request names, which is a secret */
        stream_close(&s->ws.stream);
        return;
    }
    buf_clear(text);
    buf_printf(text, "40{\"sid\":\"%.*s\"}", SOCKETIO_SID, sid);
    send_text(s, text);
}

static void connect_error(struct session *s, struct slice namespace, struct slice text,
                          const char *code)
{
    struct buf *packet = &session_chat(s)->frames[FRAMING_SOCKETIO];
    buf_clear(packet);
    buf_append_lit(packet, "44");
    buf_append_slice(packet, namespace);
    buf_append_lit(packet, "{\"message\":");
    wire_write_string(packet, text);
    if (code)
        buf_printf(packet, ",\"data\":{\"code\":\"%s\"}", code);
    buf_append_lit(packet, "}");
    send_text(s, packet);
}

void socketio_refuse(struct session *s, const char *code, struct slice text)
{
    if (s->stage == SOCKETIO_CONNECTING)
        connect_error(s, SLICE(""), text, code);
    s->stage = SOCKETIO_OPEN;
}

/* ---- receiving --------------------------------------------------------------------------- */

static void malformed(struct session *s, const char *why)
{
    session_close(s, CLOSE_PROTOCOL, why);
}

/* Takes "/NAMESPACE," off a packet, its comma too; empty: it is the one that has no name. */
static struct slice take_namespace(struct slice *packet)
{
    if (!packet->n || packet->p[0] != '/')
        return slice_of(packet->p, 0);
    const uint8_t *comma = memchr(packet->p, ',', packet->n);
    struct slice name = slice_of(packet->p, comma ? (size_t)(comma - packet->p) + 1 : packet->n);
    *packet = slice_skip(*packet, name.n);
    return slice_eq(name, SLICE("/")) || slice_eq(name, SLICE("/,")) ? slice_of(name.p, 0) : name;
}

/* An object, or nothing at all. */
static bool read_auth(struct slice text, struct json_value *out)
{
    struct json_reader r;
    struct json_value name, value;
    enum json_step step;
    *out = (struct json_value){.type = JSON_NULL};
    if (!text.n)
        return true;
    if (!json_open_object(&r, text))
        return false;
    while ((step = json_next_member(&r, &name, &value)) == JSON_ITEM)
        ;
    *out = (struct json_value){.type = JSON_OBJECT, .raw = text};
    return step == JSON_END;
}

static void receive_connect(struct session *s, struct slice namespace, struct slice text)
{
    struct json_value auth;
    if (!read_auth(text, &auth)) {
        malformed(s, "a CONNECT whose payload is not an object");
    } else if (namespace.n && session_charge(s)) {
        /* The name comes back with its comma. */
        bool comma = namespace.p[namespace.n - 1] == ',';
        struct buf *name = &session_chat(s)->text;
        buf_clear(name);
        buf_append_slice(name, namespace);
        buf_append(name, ",", !comma);
        connect_error(s, wire_json(name), SLICE("Invalid namespace"), NULL);
    } else if (!namespace.n && s->stage != SOCKETIO_OPEN) {
        malformed(s, "a second CONNECT");
    } else if (!namespace.n) {
        s->stage = SOCKETIO_CONNECTING;
        api_connect(s, auth);
    }
}

static void receive_message(struct session *s, struct slice packet)
{
    uint8_t type = packet.n ? packet.p[0] : 0;
    struct slice rest = slice_skip(packet, packet.n > 0);
    if (type == PACKET_CONNECT_ERROR + 1 || type == PACKET_CONNECT_ERROR + 2) {
        session_close(s, CLOSE_UNSUPPORTED, NO_BINARY);
        return;
    }
    struct slice namespace = take_namespace(&rest);
    if (type == PACKET_CONNECT)
        receive_connect(s, namespace, rest);
    else if (type < PACKET_CONNECT || type > PACKET_ACK || s->stage != SOCKETIO_CONNECTED ||
             namespace.n)
        malformed(s, "a packet that cannot stand here");
    else if (type == PACKET_DISCONNECT)
        session_close(s, CLOSE_NORMAL, "");
    else if (type == PACKET_EVENT)
        api_receive(s, rest);
    else
        session_charge(s); /* an ACK answers nothing that we asked */
}

/* The transport is at its end. One that polls has no goodbye to wait for. */
static void end(struct session *s, uint16_t code, const char *why)
{
    if (session_poll(s))
        stream_close(&s->ws.stream);
    else
        session_close(s, code, why);
}

void socketio_receive(struct session *s, struct slice packet)
{
    if (polling_is_probe(s)) {
        polling_probe(s, packet);
        return;
    }
    switch (packet.n ? packet.p[0] : 0) {
    case ENGINE_MESSAGE:
        receive_message(s, slice_skip(packet, 1));
        break;
    case ENGINE_CLOSE:
        end(s, CLOSE_NORMAL, "");
        break;
    case ENGINE_PING:
        end(s, CLOSE_PROTOCOL, "a ping, which is the server's to send");
        break;
    case ENGINE_PONG: /* that something came is all that counts */
        break;
    case ENGINE_OPEN:
    case ENGINE_UPGRADE:
    case ENGINE_UPGRADE + 1: /* noop */
        session_charge(s);
        break;
    case 'b':
        session_close(s, CLOSE_UNSUPPORTED, NO_BINARY);
        break;
    default:
        end(s, CLOSE_PROTOCOL, "a packet of unknown type");
    }
}
