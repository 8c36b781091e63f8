#include "base/accessline.h"

#include <time.h>

static const char *const ends[] = {
    [ACCESSLINE_WHOLE] = "whole",
    [ACCESSLINE_ABORTED] = "aborted",
    [ACCESSLINE_CUT] = "cut",
};

static void put(struct text *text, const char *string)
{
    text_put(text, slice_of(string));
}

static void put_time(struct text *text, const char *format, int64_t wall)
{
    char written[64];
    time_t at = wall;
    struct tm tm;

    gmtime_r(&at, &tm);
    text_put(text, (struct slice){ written, strftime(written, sizeof(written), format, &tm) });
}

static bool is_plain(unsigned char c, bool spaces)
{
    return c < 0x7f && c > 0x20 - spaces && c != '"' && c != '\\';
}

/* A field, with spaces if it stands in quotes. */
static void put_escaped(struct text *text, struct slice s, bool spaces)
{
    if (s.len == 0)
        put(text, "-");
    while (s.len > 0) {
        size_t plain = 0;
        unsigned char c;

        while (plain < s.len && is_plain((unsigned char)s.at[plain], spaces))
            plain++;
        text_put(text, (struct slice){ s.at, plain });
        if (plain == s.len)
            return;
        c = (unsigned char)s.at[plain];
        char escape[] = { '\\', 'x', "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15] };
        text_put(text, (struct slice){ escape, sizeof(escape) });
        s = (struct slice){ s.at + plain + 1, s.len - plain - 1 };
    }
}

static void put_number(struct text *text, uint64_t value)
{
    put(text, " ");
    text_number(text, value);
}

static void put_quoted(struct text *text, struct slice s)
{
    put(text, " \"");
    put_escaped(text, s, true);
    put(text, "\"");
}

/* Whether what was asked for was there, in memory. */
static struct slice cache_of(const struct accessline *line)
{
    return !line->data ? SLICE("") : line->cold ? SLICE("cold") : SLICE("hit");
}

void accessline_combined(struct text *text, const struct accessline *line)
{
    put_escaped(text, line->peer, false);
    put_time(text, " - - [%d/%b/%Y:%H:%M:%S +0000]", line->wall);
    put_quoted(text, line->request);
    put_number(text, (uint64_t)line->status);
    put_number(text, line->sent);
    put_quoted(text, line->referer);
    put_quoted(text, line->agent);
    put_number(text, line->us);
    put_number(text, line->rows);
    put_number(text, line->length);
    put(text, " ");
    put_escaped(text, cache_of(line), false);
    put(text, " ");
    put_escaped(text, line->id, false);
    put(text, " ");
    put(text, ends[line->end]);
    put(text, "\n");
}

static void put_member(struct text *text, const char *name, struct slice value)
{
    put(text, name);
    text_json_tame(text, value);
}

static void put_count(struct text *text, const char *name, uint64_t value)
{
    put(text, name);
    text_number(text, value);
}

void accessline_json(struct text *text, const struct accessline *line)
{
    put_time(text, "{\"time\":\"%Y-%m-%dT%H:%M:%SZ\"", line->wall);
    put_member(text, ",\"peer\":", line->peer);
    put_member(text, ",\"request\":", line->request);
    put_count(text, ",\"status\":", (uint64_t)line->status);
    put_count(text, ",\"sent\":", line->sent);
    put_member(text, ",\"referer\":", line->referer);
    put_member(text, ",\"agent\":", line->agent);
    put_count(text, ",\"us\":", line->us);
    put_count(text, ",\"rows\":", line->rows);
    put_count(text, ",\"length\":", line->length);
    put_member(text, ",\"cache\":", cache_of(line));
    put_member(text, ",\"id\":", line->id);
    put_member(text, ",\"end\":", slice_of(ends[line->end]));
    put(text, "}\n");
}
