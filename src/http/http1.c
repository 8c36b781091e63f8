#include "http/http1.h"

#include <llhttp.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "http/target.h"

/* What llhttp's callbacks collect. */
struct head {
    llhttp_t parser;
    struct request *request;
    struct failure *failure;
    struct slice field, value;
    struct slice host;
    unsigned hosts, lengths, codings;
    bool close, keep_alive; /* what the client says of the connection */
    bool refused;
};

static struct head *head_of(llhttp_t *parser)
{
    return (struct head *)parser;
}

/* A span may come in pieces, which lie side by side. */
static int extend(struct slice *s, const char *at, size_t len)
{
    if (s->len == 0)
        s->at = at;
    s->len += len;
    return 0;
}

static int on_field(llhttp_t *parser, const char *at, size_t len)
{
    return extend(&head_of(parser)->field, at, len);
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    return extend(&head_of(parser)->value, at, len);
}

/* A line about which part of the answer is wanted, or when. One without a value says nothing.
 */
static void take_condition(struct head *head)
{
    struct slice *lines = &head->request->conditions;

    if (head->value.len == 0)
        return;
    if (lines->len == 0)
        lines->at = head->field.at;
    lines->len = (size_t)(head->value.at + head->value.len - lines->at);
}

/* Fill in the failure once: the first fault counts. */
static void refuse(struct head *head, int status, const char *why)
{
    if (!head->refused)
        failure_set(head->failure, status, NULL, "%s", why);
    head->refused = true;
}

/* RFC 9112 section 6.3: a body whose last coding is not chunked has no end. */
static void take_coding(struct head *head)
{
    struct slice list = head->value, last = list;

    while (field_member(&list, &last))
        continue;
    if (!field_is(last, "chunked"))
        refuse(head, 400, "the last transfer coding is not chunked");
    else if (!field_is(head->value, "chunked"))
        refuse(head, 501, "the only transfer coding known here is chunked");
}

static void take_connection(struct head *head)
{
    struct slice list = head->value, option;

    while (field_member(&list, &option)) {
        head->close |= field_is(option, "close");
        head->keep_alive |= field_is(option, "keep-alive");
    }
}

static void take_expectations(struct head *head)
{
    struct slice list = head->value, expectation;

    while (field_member(&list, &expectation)) {
        if (field_is(expectation, "100-continue"))
            head->request->expect_continue = true;
        else if (expectation.len > 0)
            refuse(head, 417, "the only expectation that can be met is 100-continue");
    }
}

static int on_value_complete(llhttp_t *parser)
{
    struct head *head = head_of(parser);
    struct request *request = head->request;

    head->value = field_trim(head->value);
    switch (head->field.len) {
    case 4:
        if (field_is(head->field, "host")) {
            head->hosts++;
            head->host = head->value;
        }
        break;
    case 5:
        if (field_is(head->field, "range"))
            take_condition(head);
        break;
    case 6:
        if (field_is(head->field, "origin"))
            request->origin = head->value;
        else if (field_is(head->field, "expect"))
            take_expectations(head);
        break;
    case 8:
        if (field_is(head->field, "if-range") || field_is(head->field, "if-match"))
            take_condition(head);
        break;
    case 10:
        if (field_is(head->field, "connection"))
            take_connection(head);
        break;
    case 12:
        if (field_is(head->field, "x-request-id"))
            request->id = head->value;
        break;
    case 13:
        if (field_is(head->field, "if-none-match"))
            take_condition(head);
        break;
    case 14:
        if (field_is(head->field, "content-length"))
            head->lengths++;
        break;
    case 17:
        if (field_is(head->field, "transfer-encoding")) {
            head->codings++;
            take_coding(head);
        } else if (field_is(head->field, "if-modified-since")) {
            take_condition(head);
        }
        break;
    case 19:
        if (field_is(head->field, "if-unmodified-since"))
            take_condition(head);
        break;
    }
    head->field.len = head->value.len = 0;
    return 0;
}

static enum request_method method_of(const llhttp_t *parser)
{
    switch (parser->method) {
    case HTTP_GET:
        return REQUEST_GET;
    case HTTP_HEAD:
        return REQUEST_HEAD;
    case HTTP_OPTIONS:
        return REQUEST_OPTIONS;
    default:
        return REQUEST_OTHER;
    }
}

/* What llhttp has found out, before it forgets it at the end of the request. */
static int on_headers_complete(llhttp_t *parser)
{
    struct head *head = head_of(parser);
    struct request *request = head->request;

    request->method = method_of(parser);
    request->minor = parser->http_minor;
    request->keep_alive = !head->close && (request->minor == 1 || head->keep_alive);
    request->chunked = head->codings > 0;
    request->body_bytes = head->codings == 0 && head->lengths > 0 ? parser->content_length : 0;
    return 0;
}

static const llhttp_settings_t *head_settings(void)
{
    static llhttp_settings_t settings;
    static bool ready;

    if (!ready) {
        llhttp_settings_init(&settings);
        settings.on_header_field = on_field;
        settings.on_header_value = on_value;
        settings.on_header_value_complete = on_value_complete;
        settings.on_headers_complete = on_headers_complete;
        ready = true;
    }
    return &settings;
}

/* RFC 9110 section 7.2: a Host is a host and perhaps a port: everything but / \ @ , ? # " < >
 * { } | ^ ` and what cannot be seen. */
static const bool host_bytes[256] = {
    ['!'] = true,         ['$' ... '+'] = true, ['-' ... '.'] = true, ['0' ... ';'] = true,
    ['='] = true,         ['A' ... '['] = true, [']'] = true,         ['_'] = true,
    ['a' ... 'z'] = true, ['~'] = true,
};

static bool host_valid(struct slice host)
{
    for (size_t i = 0; i < host.len; i++) {
        if (!host_bytes[(unsigned char)host.at[i]])
            return false;
    }
    return true;
}

static void check_fields(struct head *head)
{
    if (head->hosts > 1)
        refuse(head, 400, "more than one Host");
    else if (head->hosts == 0 && head->request->minor == 1)
        refuse(head, 400, "HTTP/1.1 needs a Host");
    else if (!host_valid(head->host))
        refuse(head, 400, "the Host is malformed");
    if (head->lengths > 1 || (head->lengths > 0 && head->codings > 0))
        refuse(head, 400, "more than one length for the body");
    else if (head->codings > 1)
        refuse(head, 400, "more than one Transfer-Encoding");
    else if (head->codings > 0 && head->request->minor == 0)
        refuse(head, 400, "HTTP/1.0 has no Transfer-Encoding");
}

/* Show llhttp lines, without the blanks at their ends: it would take a tab there for a part of
 * the value. */
static enum llhttp_errno execute_lines(llhttp_t *parser, struct slice lines)
{
    enum llhttp_errno error = HPE_OK;

    if (memchr(lines.at, '\t', lines.len) == NULL)
        return llhttp_execute(parser, lines.at, lines.len);
    while (error == HPE_OK && lines.len > 0) {
        struct slice line = slice_cut(lines, '\n', &lines);

        while (line.len > 0 && strchr(" \t\r", line.at[line.len - 1]) != NULL)
            line.len--;
        error = llhttp_execute(parser, line.at, line.len);
        if (error == HPE_OK)
            error = llhttp_execute(parser, "\r\n", 2);
    }
    return error;
}

/*
 * Show llhttp a head. A path and a query were looked at (target_check) and mean nothing to it,
 * but take it longer than all the rest: it sees a "/" in their place.
 */
static enum llhttp_errno execute(llhttp_t *parser, struct slice head, struct slice target)
{
    const char *rest = target.at + target.len;

    if (*target.at != '/')
        return execute_lines(parser, head);
    enum llhttp_errno error = llhttp_execute(parser, head.at, (size_t)(target.at - head.at));
    if (error == HPE_OK)
        error = llhttp_execute(parser, "/", 1);
    if (error == HPE_OK)
        error =
            execute_lines(parser, (struct slice){ rest, head.len - (size_t)(rest - head.at) });
    return error;
}

static const char *fault(enum llhttp_errno error)
{
    switch (error) {
    case HPE_INVALID_CONTENT_LENGTH:
        return "the Content-Length is malformed";
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        return "more than one length for the body";
    case HPE_INVALID_TRANSFER_ENCODING:
        return "the last transfer coding is not chunked";
    default:
        return "this is not an HTTP request";
    }
}

/* Let llhttp parse a head whose bytes were found to be sound. */
static enum http1_result parse(const char *bytes, size_t len, const struct config *config,
                               struct request *request, struct failure *failure)
{
    struct head head = { .request = request, .failure = failure };
    struct slice rest, target, all = { bytes, len };

    slice_cut(all, ' ', &rest);
    target = slice_cut(rest, ' ', &rest);
    *request = (struct request){ .minor = 1 };
    llhttp_init(&head.parser, HTTP_REQUEST, head_settings());
    enum llhttp_errno error = execute(&head.parser, all, target);
    if (error != HPE_OK && error != HPE_PAUSED_UPGRADE)
        refuse(&head, 400, fault(error));
    check_fields(&head);

    if (!head.refused && target_split(target, request))
        refuse(&head, 400, "the target is no path of this server");
    if (request->body_bytes > config->max_body)
        refuse(&head, 413, "the body is too large");
    return head.refused ? HTTP1_BAD : HTTP1_DONE;
}

/*
 * Whether the bytes begin with a head that differs from the last one in nothing but the path
 * and the query of its target, which must be sound. Then the line of the request and the fields
 * mean what they meant: neither depends on a target that begins with a slash.
 */
static bool repeats(const char *bytes, size_t len, const struct http1_last *last,
                    const struct config *config, struct request *request, size_t *consumed)
{
    if (last->len == 0 || len < 5 + last->len || memcmp(bytes, "GET /", 5) != 0)
        return false;

    struct slice rest, target = slice_cut((struct slice){ bytes + 4, len - 4 }, ' ', &rest);
    size_t end = 4 + target.len;
    if (len - end < last->len || memcmp(bytes + end, last->rest, last->len) != 0 ||
        target.len > config->max_target || !target_sound(target))
        return false;
    *request = last->request;
    request->path = slice_cut(target, '?', &request->query);
    *consumed = end + last->len;
    return true;
}

static struct slice moved(struct slice s, const char *from, const char *to)
{
    return s.len > 0 ? (struct slice){ to + (s.at - from), s.len } : s;
}

/* Remember a head of ${len} bytes that was found to be sound, if it has the shape for it. */
static void remember(struct http1_last *last, const char *bytes, size_t len,
                     const struct request *request)
{
    struct slice path = request->path, query = request->query;

    last->len = 0;
    if (memcmp(bytes, "GET /", 5) != 0 || request->chunked || request->body_bytes > 0 ||
        request->expect_continue)
        return;
    const char *rest = query.at != NULL ? query.at + query.len : path.at + path.len;
    size_t rest_len = len - (size_t)(rest - bytes);
    if (rest_len > sizeof(last->rest))
        return;
    memcpy(last->rest, rest, rest_len);
    last->len = rest_len;
    last->request = *request;
    last->request.origin = moved(request->origin, rest, last->rest);
    last->request.id = moved(request->id, rest, last->rest);
    last->request.conditions = moved(request->conditions, rest, last->rest);
}

enum http1_result http1_head(const char *bytes, size_t len, struct http1_scan *scan,
                             const struct config *config, struct request *request,
                             size_t *consumed, struct failure *failure)
{
    struct headlines *lines = &scan->lines;

    if (lines->at == 0 && repeats(bytes, len, &scan->last, config, request, consumed))
        return HTTP1_DONE;

    int complete = headlines_check(bytes, len, lines, config, failure);
    if (complete <= 0)
        return complete < 0 ? HTTP1_BAD : HTTP1_MORE;
    *consumed = lines->at;
    *lines = (struct headlines){ 0 };
    enum http1_result result = parse(bytes, *consumed, config, request, failure);
    if (result == HTTP1_DONE)
        remember(&scan->last, bytes, *consumed, request);
    return result;
}

bool http1_is_head(const char *bytes, size_t len)
{
    while (len > 0 && (*bytes == '\r' || *bytes == '\n')) {
        bytes++;
        len--;
    }
    return len >= 5 && memcmp(bytes, "HEAD ", 5) == 0;
}
