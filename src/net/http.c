#include "net/http.h"

/* RFC 9110, 5.6.2: tchar. */
static bool is_token_char(uint8_t c)
{
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
        return true;
    return (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static uint8_t to_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool http_equal_fold(struct slice text, const char *lower)
{
    if (text.n != strlen(lower))
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (to_lower(text.p[i]) != (uint8_t)lower[i])
            return false;
    return true;
}

const struct http_field *http_find(const struct http_head *head, const char *name, size_t *count)
{
    const struct http_field *first = NULL;
    size_t n = 0;
    for (size_t i = 0; i < head->fields_n; i++) {
        if (!http_equal_fold(head->fields[i].name, name))
            continue;
        if (n++ == 0)
            first = &head->fields[i];
    }
    if (count)
        *count = n;
    return first;
}

static struct slice trim(struct slice s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = slice_skip(s, 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* Takes what stands in front of the first `mark`, and the mark, off *rest. */
static bool split(struct slice *rest, char mark, struct slice *out)
{
    const uint8_t *found = rest->n ? memchr(rest->p, mark, rest->n) : NULL;
    if (!found)
        return false;
    *out = slice_of(rest->p, (size_t)(found - rest->p));
    *rest = slice_skip(*rest, out->n + 1);
    return true;
}

bool http_has_token(const struct http_head *head, const char *name, const char *token)
{
    for (size_t i = 0; i < head->fields_n; i++) {
        if (!http_equal_fold(head->fields[i].name, name))
            continue;
        struct slice rest = head->fields[i].value, item;
        while (split(&rest, ',', &item))
            if (http_equal_fold(trim(item), token))
                return true;
        if (http_equal_fold(trim(rest), token))
            return true;
    }
    return false;
}

/* The length of the first line without its CRLF; -1: incomplete, -2: a bare CR or LF, or a NUL. */
static ptrdiff_t line_length(struct slice in)
{
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '\n' || in.p[i] == 0)
            return -2;
        if (in.p[i] != '\r')
            continue;
        if (i + 1 == in.n)
            return -1;
        return in.p[i + 1] == '\n' ? (ptrdiff_t)i : -2;
    }
    return -1;
}

static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_token_char(s.p[i]))
            return false;
    return s.n > 0;
}

/* Visible characters, spaces, tabs, and bytes over 0x7f (obs-text): RFC 9110, 5.5. */
static bool is_field_value(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
            return false;
    return true;
}

static const char *parse_field(struct slice line, struct http_field *out)
{
    if (line.p[0] == ' ' || line.p[0] == '\t')
        return "a folded header line";
    struct slice rest = line;
    if (!split(&rest, ':', &out->name))
        return "a header line without a colon";
    if (!is_token(out->name))
        return "a header name with other characters than those of a token";
    if (!is_field_value(rest))
        return "a control character in a header value";
    out->value = trim(rest);
    return NULL;
}

static bool is_version(struct slice s)
{
    return s.n == 8 && memcmp(s.p, "HTTP/", 5) == 0 && s.p[5] >= '0' && s.p[5] <= '9' &&
           s.p[6] == '.' && s.p[7] >= '0' && s.p[7] <= '9';
}

static bool is_known_version(struct slice s)
{
    return slice_eq(s, SLICE("HTTP/1.1")) || slice_eq(s, SLICE("HTTP/1.0"));
}

/* HOST or HOST:PORT, as far as its characters tell; no user, no list. */
static bool is_host(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7f || strchr("/?#@\\,", s.p[i]))
            return false;
    return true;
}

/* origin-form, or absolute-form, which servers must accept: RFC 9112, 3.2.1 and 3.2.2. */
static const char *parse_target(struct slice target, struct http_head *out)
{
    for (size_t i = 0; i < target.n; i++)
        if (target.p[i] <= 0x20 || target.p[i] >= 0x7f || target.p[i] == '#')
            return "a request target with a character that has to be percent-encoded";
    if (target.n > 7 && http_equal_fold(slice_of(target.p, 7), "http://")) {
        out->host.p = target.p + 7;
        while (7 + out->host.n < target.n && !strchr("/?", out->host.p[out->host.n]))
            out->host.n++;
        if (!out->host.n || !is_host(out->host))
            return "an absolute request target whose host is not HOST or HOST:PORT";
        target = slice_skip(target, 7 + out->host.n);
    }
    struct slice rest = target;
    if (split(&rest, '?', &out->path))
        out->query = rest;
    else
        out->path = target;
    if (!out->path.n && out->host.n)
        out->path = SLICE("/"); /* the same to servers: RFC 9110, 4.2.3 */
    return out->path.n && out->path.p[0] == '/' ? NULL
                                                : "a request target that does not begin with a "
                                                  "slash";
}

static enum http_result parse_request_line(struct slice line, struct http_head *out,
                                           const char **why)
{
    struct slice rest = line, target;
    *why = "a request line that is not METHOD TARGET HTTP/1.1";
    if (!split(&rest, ' ', &out->method) || !is_token(out->method) || !split(&rest, ' ', &target) ||
        !is_version(rest))
        return HTTP_MALFORMED;
    if (!is_known_version(rest))
        return HTTP_VERSION;
    out->version_1_0 = rest.p[7] == '0';
    *why = parse_target(target, out);
    return *why ? HTTP_MALFORMED : HTTP_OK;
}

static enum http_result parse_status_line(struct slice line, struct http_head *out,
                                          const char **why)
{
    *why = "a status line that is not HTTP/1.1 STATUS REASON";
    if (line.n < 12 || !is_version(slice_of(line.p, 8)) || line.p[8] != ' ' ||
        (line.n > 12 && line.p[12] != ' ') || !is_field_value(line))
        return HTTP_MALFORMED;
    if (!is_known_version(slice_of(line.p, 8)))
        return HTTP_VERSION;
    for (size_t i = 9; i < 12; i++) {
        if (line.p[i] < '0' || line.p[i] > '9')
            return HTTP_MALFORMED;
        out->status = out->status * 10 + (unsigned)(line.p[i] - '0');
    }
    return out->status >= 100 && out->status < 600 ? HTTP_OK : HTTP_MALFORMED;
}

/* RFC 9112, 6: how long the body is. Two lengths, or a length beside a coding, smuggle requests. */
static const char *parse_framing(struct http_head *out)
{
    size_t lengths, codings;
    const struct http_field *length = http_find(out, "content-length", &lengths);
    http_find(out, "transfer-encoding", &codings);
    out->chunked = codings > 0;
    if (lengths > 1)
        return "more than one Content-Length";
    if (lengths && codings)
        return "a Content-Length beside a Transfer-Encoding";
    if (!lengths)
        return NULL;
    if (length->value.n == 0 || length->value.n > 15)
        return "a Content-Length that is not a number of 1 to 15 digits";
    for (size_t i = 0; i < length->value.n; i++) {
        uint8_t c = length->value.p[i];
        if (c < '0' || c > '9')
            return "a Content-Length that is not a number of 1 to 15 digits";
        out->body_size = out->body_size * 10 + (uint64_t)(c - '0');
    }
    return NULL;
}

/* RFC 9112, 3.2: exactly one Host, in HTTP/1.0 at most one. */
static const char *check_host(struct http_head *out)
{
    size_t hosts;
    const struct http_field *host = http_find(out, "host", &hosts);
    if (hosts > 1)
        return "more than one Host";
    if (!hosts)
        return out->version_1_0 ? NULL : "no Host";
    if (!is_host(host->value))
        return "a Host that is not HOST or HOST:PORT";
    if (!out->host.n)
        out->host = host->value;
    return NULL;
}

typedef enum http_result first_line_parser(struct slice line, struct http_head *out,
                                           const char **why);

static enum http_result parse_lines(struct slice in, struct http_head *out, const char **why,
                                    first_line_parser *parse_first)
{
    bool first = true;
    if (in.n > HTTP_MAX_HEAD) /* or the verdict would depend on how much came at once */
        in.n = HTTP_MAX_HEAD;
    for (;;) {
        ptrdiff_t n = line_length(slice_skip(in, out->size));
        if (n == -2) {
            *why = "a bare CR or LF, or a NUL";
            return HTTP_MALFORMED;
        }
        if (n < 0)
            return in.n == HTTP_MAX_HEAD ? HTTP_TOO_LARGE : HTTP_MORE;
        struct slice line = slice_of(in.p + out->size, (size_t)n);
        out->size += (size_t)n + 2;
        if (first) {
            enum http_result result = parse_first(line, out, why);
            if (result != HTTP_OK)
                return result;
            first = false;
        } else if (line.n == 0) {
            *why = parse_framing(out);
            return *why ? HTTP_MALFORMED : HTTP_OK;
        } else if (out->fields_n == HTTP_MAX_FIELDS) {
            return HTTP_TOO_LARGE;
        } else {
            *why = parse_field(line, &out->fields[out->fields_n++]);
            if (*why)
                return HTTP_MALFORMED;
        }
    }
}

/* All but the fields, which are filled in as they come: they are most of the struct. */
static void head_init(struct http_head *out)
{
    memset(out, 0, offsetof(struct http_head, fields));
}

enum http_result http_parse_request(struct slice in, struct http_head *out, const char **why)
{
    head_init(out);
    /* One empty line in front is passed over: RFC 9112, 2.2. */
    if (in.n >= 2 && memcmp(in.p, "\r\n", 2) == 0)
        out->size = 2;
    enum http_result result = parse_lines(in, out, why, parse_request_line);
    if (result != HTTP_OK)
        return result;
    *why = check_host(out);
    return *why ? HTTP_MALFORMED : HTTP_OK;
}

enum http_result http_parse_response(struct slice in, struct http_head *out, const char **why)
{
    head_init(out);
    return parse_lines(in, out, why, parse_status_line);
}

const char *http_reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } reasons[] = {
        {101, "Switching Protocols"},
        {200, "OK"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {426, "Upgrade Required"},
        {431, "Request Header Fields Too Large"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}
