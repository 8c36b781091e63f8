#include "http/headlines.h"

#include <stdbool.h>
#include <string.h>

#include "base/slice.h"
#include "base/token.h"
#include "http/target.h"

/* More than any method, the spaces and "HTTP/1.1" of a request line need. */
#define LINE_SLACK 64

/* No method is as long. */
#define METHOD_BYTES 32

/* What becomes of a method that is not served but may be read past, and of one that is nothing
 * to us. */
static int check_method(struct slice method, struct failure *failure)
{
    static const char *const known[] = { "GET", "HEAD",   "OPTIONS", "POST",
                                         "PUT", "DELETE", "TRACE",   "PATCH" };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (slice_is(method, known[i]))
            return 0;
    }
    /* After CONNECT the bytes would be another protocol's. */
    if (slice_is(method, "CONNECT"))
        return failure_set(failure, 405, NULL, "the method CONNECT is not allowed");
    return failure_set(failure, 501, NULL, "the method is not known here");
}

static int check_version(struct slice version, struct failure *failure)
{
    if (slice_is(version, "HTTP/1.1") || slice_is(version, "HTTP/1.0"))
        return 0;
    if (version.len == 8 && memcmp(version.at, "HTTP/", 5) == 0 && version.at[6] == '.' &&
        version.at[5] >= '0' && version.at[5] <= '9' && version.at[7] >= '0' &&
        version.at[7] <= '9')
        return failure_set(failure, 505, NULL, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    return failure_set(failure, 400, NULL,
                       "the request line does not end with an HTTP version");
}

/* What a request line, of which there may be more to come, begins with. RFC 9112 section 3: a
 * method that is longer than any other is a 501. */
static int check_line_start(struct slice line, struct failure *failure)
{
    struct slice start = { line.at, line.len < METHOD_BYTES ? line.len : METHOD_BYTES };

    if (start.len > 0 && start.at[0] != '\r' && !token_byte(start.at[0]))
        return failure_set(failure, 400, NULL, "this is not an HTTP request");
    if (start.len == METHOD_BYTES && token_valid(start))
        return failure_set(failure, 501, NULL, "the method is not known here");
    return 0;
}

/* RFC 9112 section 3: method SP target SP version, and nothing else. */
static int check_request_line(struct slice line, const struct config *config,
                              struct failure *failure)
{
    struct slice version, rest, method = slice_cut(line, ' ', &rest);
    struct slice target = slice_cut(rest, ' ', &version);

    if (check_line_start(line, failure))
        return -1;
    if (!token_valid(method) || rest.at == NULL)
        return failure_set(failure, 400, NULL, "this is not an HTTP request");
    if (version.at == NULL)
        return failure_set(failure, 400, NULL, "the request line has no HTTP version");
    if (check_version(version, failure) || target_check(target, config->max_target, failure))
        return -1;
    return check_method(method, failure);
}

/* RFC 9112 section 5: a name, at once a colon, and a value without control bytes; no folded
 * lines. */
static int check_field_line(struct slice line, struct failure *failure)
{
    struct slice value, name = slice_cut(line, ':', &value);

    if (line.at[0] == ' ' || line.at[0] == '\t')
        return failure_set(failure, 400, NULL, "a header line begins with a space");
    if (value.at == NULL || !token_valid(name))
        return failure_set(failure, 400, NULL, "a header line has no proper name and colon");
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.at[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return failure_set(failure, 400, NULL, "a header value has a control byte");
    }
    return 0;
}

/* What the lines so far exceed, the last of which may be incomplete. */
static int check_limits(const struct headlines *seen, size_t len, const struct config *config,
                        struct failure *failure)
{
    if (seen->lines == 0) {
        if (len - seen->at > config->max_target + LINE_SLACK)
            return failure_set(failure, 414, NULL, "the target is longer than %llu bytes",
                               (unsigned long long)config->max_target);
    } else if (len - seen->target > config->max_header) {
        return failure_set(failure, 431, NULL, "the header fields have more than %llu bytes",
                           (unsigned long long)config->max_header);
    } else if (seen->lines - 1 > config->max_headers) {
        return failure_set(failure, 431, NULL, "more than %llu header fields",
                           (unsigned long long)config->max_headers);
    }
    return 0;
}

int headlines_check(const char *bytes, size_t len, struct headlines *seen,
                    const struct config *config, struct failure *failure)
{
    for (;;) {
        const char *start = bytes + seen->at;
        const char *end = len > seen->at ? memchr(start, '\n', len - seen->at) : NULL;

        if (end == NULL)
            break;
        struct slice line = { start, (size_t)(end - start) };
        seen->at += line.len + 1;
        if (line.len == 0 || line.at[line.len - 1] != '\r')
            return failure_set(failure, 400, NULL, "a line does not end with CR LF");
        line.len--;
        if (line.len == 0) {
            if (seen->lines > 0)
                return 1;
            if (seen->at > LINE_SLACK)
                return failure_set(failure, 400, NULL, "too many empty lines before a request");
            continue; /* RFC 9112 section 2.2: an empty line before a request is passed over */
        }
        if (seen->lines++ == 0) {
            if (check_request_line(line, config, failure))
                return -1;
            seen->target = seen->at;
        } else if (check_field_line(line, failure)) {
            return -1;
        }
        if (check_limits(seen, seen->at, config, failure))
            return -1;
    }
    if (seen->lines == 0 &&
        check_line_start((struct slice){ bytes + seen->at, len - seen->at }, failure))
        return -1;
    /* A CR may begin the line that ends the head, which counts for nothing. */
    size_t end = len > seen->at && bytes[len - 1] == '\r' ? len - 1 : len;
    return check_limits(seen, end, config, failure) ? -1 : 0;
}
