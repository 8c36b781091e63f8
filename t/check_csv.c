#include "unit.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include "tools/csv.h"

static char path[] = "/tmp/check_csv.XXXXXX";

static void make_file(const void *bytes, size_t len)
{
    strcpy(path + sizeof(path) - 7, "XXXXXX");
    int fd = mkstemp(path);

    ck_assert(fd >= 0);
    ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

/* All rows of the file as text: [field|field] line [..., with <reason> for bad ones. */
static char *rows_of(char delimiter)
{
    static char out[4096];
    struct csv *csv = csv_open(path, delimiter);
    const struct slice *fields;
    const char *reason;
    enum csv_result result;
    size_t count;
    char *at = out;

    ck_assert_ptr_nonnull(csv);
    *at = '\0';
    while ((result = csv_next(csv, &fields, &count, &reason)) == CSV_ROW || result == CSV_BAD) {
        at += sprintf(at, "%llu", (unsigned long long)csv_line(csv));
        if (result == CSV_BAD) {
            at += sprintf(at, "<%.*s>", 20, reason);
            continue;
        }
        for (size_t i = 0; i < count; i++)
            at += sprintf(at, "%c%.*s", i == 0 ? '[' : '|', SLICE_ARG(fields[i]));
        at += sprintf(at, "]");
    }
    ck_assert_int_eq(result, CSV_END);
    csv_close(csv);
    unlink(path);
    return out;
}

START_TEST(csv_splits)
{
    static const struct {
        const char *text, *rows;
    } cases[] = {
        { "", "" },
        { "\n", "" },
        { "\n\r\n\n", "" },
        { "a", "1[a]" },
        { "a\n", "1[a]" },
        { "a,b\nc,d", "1[a|b]2[c|d]" },
        { "a,b\r\nc,d\r\n", "1[a|b]2[c|d]" },
        { "a,b\r\nc,d\r", "1[a|b]2[c|d]" },
        { "a,,b\n,\n\n,,", "1[a||b]2[|]4[||]" },
        { "a;b,c d\n", "1[a;b|c d]" },
        { "\xef\xbb\xbf"
          "a,b\n",
          "1[a|b]" },
        { "a,\xef\xbb\xbf\n", "1[a|\xef\xbb\xbf]" },
        { "\"a\",\"b,c\"\n", "1[a|b,c]" },
        { "\"a\"\"b\",\"\"\"\"\n\"\"", "1[a\"b|\"]2[]" },
        { "\"a\nb\",c\nd,e\n", "1[a\nb|c]3[d|e]" },
        { "\"a\r\nb\",\"c\"\r\nd,\"e\"", "1[a\r\nb|c]3[d|e]" },
        { "a\"b,c\"\n", "1[a\"b|c\"]" },
        { "\"a\"b,c\nd,e\n", "1<something follows a >2[d|e]" },
        { "a,\"b\nc,d\n", "1<a quoted field does >2[c|d]" },
        { "a,b\n\"", "1[a|b]2<a quoted field does >" },
        { "a,b\n\"\"\"", "1[a|b]2<a quoted field does >" },
        { "\"a\"\n", "1[a]" },
        { "\"a\"", "1[a]" },
        { "a,\"\"\"\"", "1[a|\"]" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        make_file(cases[i].text, strlen(cases[i].text));
        ck_assert_str_eq(rows_of(','), cases[i].rows);
    }
    make_file("a\tb,c\n\"d\te\"\tf", 14);
    ck_assert_str_eq(rows_of('\t'), "1[a|b,c]2[d\te|f]");
}
END_TEST

START_TEST(csv_keeps_nul)
{
    const struct slice *fields;
    const char *reason;
    size_t count;

    make_file("a\0b,c\n", 6);
    struct csv *csv = csv_open(path, ',');
    ck_assert_int_eq(csv_next(csv, &fields, &count, &reason), CSV_ROW);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(fields[0].len, 3);
    ck_assert_mem_eq(fields[0].at, "a\0b", 3);
    csv_close(csv);
    unlink(path);
}
END_TEST

/* Rows of every length, so that some of each kind lies across the end of the buffer. */
static size_t make_long(char *text, size_t size)
{
    size_t len = 0;

    for (unsigned row = 0; len + 200 < size; row++) {
        len += (size_t)sprintf(text + len, "%u,", row);
        if (row % 3 == 0)
            len += (size_t)sprintf(text + len, "\"x\"\"%.*s\n\",", (int)(row % 31),
                                   "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
        else
            len +=
                (size_t)sprintf(text + len, "%.*s,", (int)(row % 97 % 60),
                                "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz");
        len += (size_t)sprintf(text + len, row % 2 ? "end\r\n" : "\"end\"\n");
    }
    return len;
}

static void check_long(void)
{
    struct csv *csv = csv_open(path, ',');
    const struct slice *fields;
    const char *reason;
    size_t count;
    uint64_t line = 1;
    unsigned row = 0;
    char number[16];

    while (csv_next(csv, &fields, &count, &reason) == CSV_ROW) {
        snprintf(number, sizeof(number), "%u", row);
        /* An assertion costs a write: one for all. */
        if (count != 3 || !slice_is(fields[0], number) || !slice_is(fields[2], "end") ||
            fields[1].len != (row % 3 ? row % 97 % 60 : 3 + row % 31) || csv_line(csv) != line)
            ck_abort_msg("row %u, line %llu", row, (unsigned long long)csv_line(csv));
        line += row % 3 ? 1 : 2;
        row++;
    }
    ck_assert_uint_gt(row, 10000);
    ck_assert_int_eq(csv_next(csv, &fields, &count, &reason), CSV_END);
    csv_close(csv);
    unlink(path);
}

START_TEST(csv_reads_on_across_its_buffer)
{
    size_t size = 5 * CSV_ROW_MAX, len;
    char *text = malloc(size);

    len = make_long(text, size);
    make_file(text, len);
    check_long();

    make_file("", 0);
    gzFile gz = gzopen(path, "wb1");
    ck_assert_int_eq(gzwrite(gz, text, (unsigned)(len / 2)), (int)(len / 2));
    gzclose(gz);
    gz = gzopen(path, "ab9"); /* a second member */
    ck_assert_int_eq(gzwrite(gz, text + len / 2, (unsigned)(len - len / 2)),
                     (int)(len - len / 2));
    gzclose(gz);
    check_long();
    free(text);
}
END_TEST

START_TEST(csv_refuses_endless_rows)
{
    size_t size = 3 * CSV_ROW_MAX;
    char *text = malloc(size + 5);

    memset(text, 'x', size);
    memcpy(text + size, "\na,b\n", 5);
    make_file(text, size + 5);
    ck_assert_str_eq(rows_of(','), "1<the row is longer th>2[a|b]");
    /* The longest row that there can be: with its line end, it fills the buffer. */
    memcpy(text + CSV_ROW_MAX - 1, "\nb\n", 3);
    make_file(text, CSV_ROW_MAX + 2);
    struct csv *csv = csv_open(path, ',');
    const struct slice *fields;
    const char *reason;
    size_t count;
    ck_assert_int_eq(csv_next(csv, &fields, &count, &reason), CSV_ROW);
    ck_assert_uint_eq(fields[0].len, CSV_ROW_MAX - 1);
    ck_assert_int_eq(csv_next(csv, &fields, &count, &reason), CSV_ROW);
    ck_assert(slice_is(fields[0], "b"));
    csv_close(csv);
    unlink(path);
    free(text);
}
END_TEST

START_TEST(csv_notices_damaged_gzip)
{
    static const size_t cuts[] = { 11, 100, 5000 };
    size_t size = 2 * CSV_ROW_MAX;
    char *text = malloc(size), *packed = malloc(size);

    for (size_t i = 0; i < COUNT_OF(cuts); i++) {
        const struct slice *fields;
        const char *reason;
        enum csv_result result;
        size_t count, len = make_long(text, size);

        make_file("", 0);
        gzFile gz = gzopen(path, "wb1");
        ck_assert_int_eq(gzwrite(gz, text, (unsigned)len), (int)len);
        gzclose(gz);
        int fd = open(path, O_RDONLY);
        ssize_t n = read(fd, packed, size);
        close(fd);
        unlink(path);
        make_file(packed, (size_t)n - cuts[i]);
        struct csv *csv = csv_open(path, ',');
        while ((result = csv_next(csv, &fields, &count, &reason)) == CSV_ROW)
            continue;
        ck_assert_int_eq(result, CSV_FAILED);
        csv_close(csv);
        unlink(path);
    }
    free(text);
    free(packed);
}
END_TEST

/* What the file of ${text}, packed, and the ${len} bytes ${more} is read as. */
static enum csv_result read_packed(const char *text, const char *more, size_t len)
{
    const struct slice *fields;
    const char *reason;
    enum csv_result result;
    size_t count;

    make_file("", 0);
    gzFile gz = gzopen(path, "wb");
    ck_assert_int_eq(gzwrite(gz, text, (unsigned)strlen(text)), (int)strlen(text));
    gzclose(gz);
    int fd = open(path, O_WRONLY | O_APPEND);
    ck_assert_int_eq(write(fd, more, len), (ssize_t)len);
    close(fd);
    struct csv *csv = csv_open(path, ',');
    while ((result = csv_next(csv, &fields, &count, &reason)) == CSV_ROW)
        continue;
    csv_close(csv);
    unlink(path);
    return result;
}

START_TEST(csv_notices_what_follows_gzip)
{
    static const char zeros[300000];

    ck_assert_int_eq(read_packed("a,b\n", "", 0), CSV_END);
    ck_assert_int_eq(read_packed("", "", 0), CSV_END);
    ck_assert_int_eq(read_packed("a,b\n", zeros, 1), CSV_END);
    ck_assert_int_eq(read_packed("a,b\n", zeros, sizeof(zeros)), CSV_END);
    ck_assert_int_eq(read_packed("a,b\n", "junk\n", 5), CSV_FAILED);
    ck_assert_int_eq(read_packed("a,b\n", "\n", 1), CSV_FAILED);
    ck_assert_int_eq(read_packed("", "\n", 1), CSV_FAILED);
    ck_assert_int_eq(read_packed("a,b\n", "\0\n", 2), CSV_FAILED);
    ck_assert_int_eq(read_packed("a,b\n", "\x1f", 1), CSV_FAILED);
    ck_assert_int_eq(read_packed("a,b\n", "\x1f,2\n", 4), CSV_FAILED);
    ck_assert_int_eq(read_packed("a,b\n", "\x1f\x8b", 2), CSV_FAILED);
}
END_TEST

UNIT("csv", csv_splits, csv_keeps_nul, csv_reads_on_across_its_buffer, csv_refuses_endless_rows,
     csv_notices_damaged_gzip, csv_notices_what_follows_gzip)
