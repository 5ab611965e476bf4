#include "words.h"

#include "codec/jwt.h"
#include "scene.h"

#include <inttypes.h>
#include <string.h>

static void put_token(struct buf *out, const struct request *r)
{
    char token[512];
    struct hmac_key key;
    hmac_key_init(&key, r->token == TOKEN_FORGED ? SLICE("another secret of thirty-two bytes")
                                                 : slice_str(scene_secret));
    size_t n = jwt_sign(token, sizeof token, &key, slice_str(model_names[r->token_user]), 0,
                        r->token == TOKEN_EXPIRED ? scene.now - 2000 : r->expires);
    buf_printf(out, "\"token\":\"%.*s\"", (int)n, token);
}

/* A user id that is a number may be written as one. */
static const char *quoted(const struct request *r, unsigned user)
{
    return user == 3 && r->ref % 3 == 0 ? "42" : model_quoted[user];
}

static void put_data(const struct model *m, struct buf *out, const struct request *r)
{
    const char *comma = "";
    switch (r->kind) {
    case REGISTER:
        put_token(out, r);
        if (r->since != NO_SINCE)
            buf_printf(out, ",\"since\":%" PRIu64, r->since);
        break;
    case CONVERSATION:
        buf_printf(out, "\"id\":%s", quoted(r, r->other));
        if (r->before)
            buf_printf(out, ",\"before\":%" PRIu64, r->before);
        if (r->limit)
            buf_printf(out, ",\"limit\":%u", r->limit);
        break;
    case MESSAGE:
        buf_printf(out, "\"to\":%s,\"content\":", quoted(r, r->other));
        model_content(m, out, r->content, true);
        if (r->key)
            buf_printf(out, ",\"key\":\"key %u\"", r->key);
        break;
    case READ:
        buf_printf(out, "\"id\":%s,\"upTo\":%" PRIu64, quoted(r, r->other), r->up_to);
        break;
    case PRESENCE:
        buf_append_lit(out, "\"ids\":[");
        for (unsigned i = 0; i < r->ids_n; i++, comma = ",")
            buf_printf(out, "%s%s", comma, quoted(r, r->ids[i]));
        buf_append_lit(out, "]");
        break;
    default:
        buf_printf(out, "\"id\":%s", quoted(r, r->other));
        if (r->token != TOKEN_NONE) {
            buf_append_lit(out, ",");
            put_token(out, r);
        }
    }
}

void words_put_request(const struct model *m, struct buf *out, const struct request *r)
{
    static const char *const names[] = {
        [REGISTER] = "registerMessages", [SNIPPETS] = "snippets", [CONVERSATION] = "conversation",
        [MESSAGE] = "message",           [READ] = "read",         [START_WRITING] = "startWriting",
        [STOP_WRITING] = "stopWriting",  [PRESENCE] = "presence",
    };
    buf_clear(out);
    if (r->kind == WRONG) {
        const char *at = strstr(r->frame, "%s");
        size_t n = at ? (size_t)(at - r->frame) : strlen(r->frame);
        buf_append(out, r->frame, n);
        if (at)
            buf_printf(out, "%s%s", model_ref(r), at + 2);
        return;
    }
    buf_printf(out, "{\"event\":\"%s\"", names[r->kind]);
    if (r->kind != SNIPPETS) {
        buf_append_lit(out, ",\"data\":{");
        put_data(m, out, r);
        buf_append_lit(out, "}");
    }
    buf_printf(out, "%s}", model_ref(r));
}
