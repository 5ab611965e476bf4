#include "store/message.h"

#include "codec/json.h"
#include "codec/userid.h"
#include "store/record.h"

static const char *message_id(struct json_value v, uint64_t *id)
{
    return json_integer(v, id) && *id && *id < RECORD_MAX_ID ? NULL
                                                             : "\"id\" must be a whole number from "
                                                               "1 to 9007199254740991";
}

static const char *message_date(struct json_value v, int64_t *date)
{
    uint64_t ms;
    if (!json_integer(v, &ms))
        return "\"date\" must be a whole number, milliseconds since 1970";
    *date = (int64_t)ms;
    return NULL;
}

static const char *message_name(struct json_value v, uint8_t room[MESSAGE_NAME_ROOM],
                                struct slice *name)
{
    if (v.type != JSON_STRING)
        return "a user must be a string";
    *name = v.raw;
    if (v.escaped) {
        ptrdiff_t n = v.raw.n <= MESSAGE_NAME_ROOM ? json_string_decode(v, room) : 0;
        *name = slice_of(room, n > 0 ? (size_t)n : 0);
    }
    return userid_valid(*name) ? NULL
                               : "a user must be 1 to 64 bytes of UTF-8 without control characters";
}

static const char *message_content(struct json_value v)
{
    if (v.type != JSON_STRING)
        return "\"content\" must be a string";
    return v.raw.n + 2 <= STORE_MAX_CONTENT ? NULL : "\"content\" must not be over 1 MiB of JSON";
}

const char *message_read(struct store_message *out, struct message_names *room, struct slice json,
                         size_t *at)
{
    static const char form[] = "{\"id\":,\"from\":\"\",\"to\":\"\",\"content\":\"\",\"date\":}";
    static const char order[] = "the members must be \"id\", \"from\", \"to\", \"content\", "
                                "\"date\", in this order";
    static const struct slice names[] = {{(const uint8_t *)"id", 2},
                                         {(const uint8_t *)"from", 4},
                                         {(const uint8_t *)"to", 2},
                                         {(const uint8_t *)"content", 7},
                                         {(const uint8_t *)"date", 4}};
    struct json_reader r;
    struct json_value name, value;
    size_t used = sizeof form - 1;
    *at = 0;
    *out = (struct store_message){.json = json};
    if (!json_open_object(&r, json))
        return r.error;
    for (int i = 0; i < 5; i++) {
        *at = json_error_offset(&r);
        enum json_step step = json_next_member(&r, &name, &value);
        if (step == JSON_ERROR)
            break;
        if (step == JSON_END || !slice_eq(name.raw, names[i]))
            return order;
        const char *wrong = i == 0   ? message_id(value, &out->id)
                            : i == 1 ? message_name(value, room->text[0], &out->from)
                            : i == 2 ? message_name(value, room->text[1], &out->to)
                            : i == 3 ? message_content(value)
                                     : message_date(value, &out->date);
        if (wrong)
            return wrong;
        used += value.raw.n;
    }
    if (!r.error)
        *at = json_error_offset(&r);
    if (!r.error && json_next_member(&r, &name, &value) == JSON_ITEM)
        return order;
    if (r.error) {
        *at = json_error_offset(&r);
        return r.error;
    }
    return json.n == used ? NULL : "there must be no white space between its parts";
}
