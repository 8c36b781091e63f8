#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "system/segment.h"

#define PAGE 4096

static const size_t sizes[SEGMENT_SECTIONS] = { 100, PAGE, PAGE + 1, 0, 70000 };

/* How segment.c lays out the header: for those who damage one. */
struct header {
    uint64_t magic;
    uint32_t layout;
    int32_t master;
    char version[32];
    int64_t born;
    uint64_t bytes;
    struct {
        uint64_t offset, bytes;
    } sections[SEGMENT_SECTIONS];
};

/* The path of the descriptor of this process's only segment. */
static const char *path_of_segment(void)
{
    static char path[64];
    char target[64];

    for (int fd = 3; fd < 1024; fd++) {
        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
        ssize_t len = readlink(path, target, sizeof(target) - 1);
        if (len > 0 && strncmp(target, "/memfd:tickd", 12) == 0)
            return path;
    }
    ck_abort_msg("there is no segment");
}

START_TEST(segment_has_sections)
{
    time_t before = time(NULL);
    struct segment *segment = segment_create(sizes);
    char *end = NULL;

    ck_assert_ptr_nonnull(segment);
    for (enum segment_section i = 0; i < SEGMENT_SECTIONS; i++) {
        char *at = segment_at(segment, i);

        ck_assert_uint_eq((uintptr_t)at % PAGE, 0);
        ck_assert(end == NULL || at >= end);
        ck_assert_uint_eq(segment_bytes(segment, i), sizes[i]);
        for (size_t j = 0; j < sizes[i]; j++)
            ck_assert_msg(at[j] == 0, "section %u, byte %zu", i, j);
        memset(at, (int)i + 1, sizes[i]); /* over no other */
        end = at + sizes[i];
    }
    for (enum segment_section i = 0; i < SEGMENT_SECTIONS; i++) {
        for (size_t j = 0; j < sizes[i]; j++)
            ck_assert_msg(((char *)segment_at(segment, i))[j] == (char)i + 1,
                          "section %u, byte %zu", i, j);
    }
    ck_assert_str_eq(segment_version(segment), PACKAGE_VERSION);
    ck_assert_int_eq(segment_master(segment), getpid());
    ck_assert_int_ge(segment_born(segment), before);
    ck_assert_int_le(segment_born(segment), time(NULL));
    segment_free(segment);
    segment_free(NULL);
}
END_TEST

START_TEST(segment_keeps_its_size)
{
    struct segment *segment = segment_create(sizes);
    const char *path = path_of_segment();
    struct stat found;
    int fd = open(path, O_RDWR);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &found), 0);
    ck_assert_int_ge(found.st_blocks * 512, found.st_size); /* all there */
    ck_assert_int_eq(ftruncate(fd, 0), -1);
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_eq(ftruncate(fd, found.st_size - 1), -1);
    ck_assert_int_eq(ftruncate(fd, found.st_size + 1), -1);
    ck_assert_int_eq(fallocate(fd, 0, found.st_size, PAGE), -1);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    ck_assert_int_eq(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    close(fd);
    segment_free(segment);
}
END_TEST

START_TEST(segment_is_shared_by_fork)
{
    struct segment *segment = segment_create(sizes);
    char *at = segment_at(segment, SEGMENT_FENCES);
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        at[5] = 77;
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(at[5], 77);
    segment_free(segment);
}
END_TEST

START_TEST(segment_is_not_to_be_had)
{
    size_t bytes[SEGMENT_SECTIONS] = { [SEGMENT_FILES] = (size_t)1 << 55 };
    struct rlimit small = { 1 << 26, 1 << 26 }; /* stops us before all memory is taken */

    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    errno = 0;
    ck_assert_ptr_null(segment_create(bytes));
    ck_assert_int_eq(errno, ENOMEM);
    bytes[SEGMENT_FILES] = SIZE_MAX;
    ck_assert_ptr_null(segment_create(bytes));
    bytes[SEGMENT_FILES] = bytes[SEGMENT_DAYS] = SIZE_MAX / 2 + 1;
    ck_assert_ptr_null(segment_create(bytes));
}
END_TEST

static void ignore(int signal)
{
    (void)signal;
}

/* A signal while the memory is got, such as one to the master, is no reason to fail. */
START_TEST(segment_bears_a_signal)
{
    size_t bytes[SEGMENT_SECTIONS] = { [SEGMENT_FILES] = (size_t)64 << 20 };
    struct sigaction action = { .sa_handler = ignore };

    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    for (int i = 1; i <= 5; i++) {
        struct itimerval soon = { .it_value.tv_usec = i * 1000 };

        ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
        struct segment *segment = segment_create(bytes);
        ck_assert_msg(segment != NULL, "%s", strerror(errno));
        segment_free(segment);
    }
}
END_TEST

START_TEST(segment_attaches_to_read)
{
    struct segment *segment = segment_create(sizes), *other;
    char problem[256] = "", *at = segment_at(segment, SEGMENT_FENCES);
    int status;

    at[69999] = 42;
    other = segment_attach(path_of_segment(), problem, sizeof(problem));
    ck_assert_msg(other != NULL, "%s", problem);
    ck_assert_int_eq(segment_master(other), getpid());
    ck_assert_str_eq(segment_version(other), PACKAGE_VERSION);
    ck_assert_int_eq(segment_born(other), segment_born(segment));
    for (enum segment_section i = 0; i < SEGMENT_SECTIONS; i++)
        ck_assert_uint_eq(segment_bytes(other, i), sizes[i]);
    at = segment_at(other, SEGMENT_FENCES);
    ck_assert_int_eq(at[69999], 42);
    /* It is there to be read only. */
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit no_core = { 0, 0 };

        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGSEGV, SIG_DFL);
        *(volatile char *)at = 1;
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    segment_free(other);
    segment_free(segment);
}
END_TEST

/* --- What is no segment, or not one of ours */

static char file[64];

static void choose_file(void)
{
    snprintf(file, sizeof(file), "/tmp/check_segment.%d", (int)getpid());
    unlink(file);
}

/* A file that is a copy of a segment, with ${header} for its own, and ${bytes} long. */
static void write_file(const struct header *header, off_t bytes)
{
    choose_file();
    int fd = open(file, O_RDWR | O_CREAT | O_EXCL, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, header, sizeof(*header)), sizeof(*header));
    ck_assert_int_eq(ftruncate(fd, bytes), 0);
    close(fd);
}

static struct header good_header(void)
{
    struct segment *segment = segment_create(sizes);
    struct header header;

    memcpy(&header, (char *)segment_at(segment, SEGMENT_STATS) - PAGE, sizeof(header));
    segment_free(segment);
    return header;
}

/* Whether the file is taken for a segment; if not, ${expected} is in the line that says why. */
static bool attaches(const char *path, const char *expected)
{
    char problem[256] = "";
    struct segment *segment = segment_attach(path, problem, sizeof(problem));

    if (segment == NULL) {
        ck_assert_msg(strstr(problem, expected) != NULL, "\"%s\" without \"%s\"", problem,
                      expected);
        ck_assert_ptr_null(strchr(problem, '\n'));
    }
    segment_free(segment);
    return segment != NULL;
}

/* Whether a segment with that header, and of that size, is one; if not, unlink the file. */
static bool is_one(const struct header *header, uint64_t bytes, const char *expected)
{
    write_file(header, (off_t)bytes);
    bool result = attaches(file, expected);
    unlink(file);
    return result;
}

START_TEST(segment_of_another_layout)
{
    struct header good = good_header(), other = good;

    ck_assert(is_one(&good, good.bytes, ""));
    other.layout++;
    strcpy(other.version, "47.11");
    other.master = 4321;
    other.bytes = 1; /* whatever comes after the version is another matter there */
    memset(other.sections, 0xff, sizeof(other.sections));
    ck_assert(!is_one(&other, good.bytes, "47.11"));
    ck_assert(!is_one(&other, good.bytes, "4321"));
    ck_assert(!is_one(&other, good.bytes, PACKAGE_VERSION));
    memset(other.version, 'v', sizeof(other.version)); /* without an end */
    ck_assert(!is_one(&other, good.bytes, "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv, "));
}
END_TEST

START_TEST(segment_of_another_magic)
{
    struct header other = good_header();

    other.magic ^= 1;
    ck_assert(!is_one(&other, other.bytes, "not the memory of a tickd"));
}
END_TEST

START_TEST(segment_damaged)
{
    static const uint64_t offsets[] = {
        0, 64, PAGE - 8, PAGE + 4, UINT64_MAX, UINT64_MAX - PAGE + 1, UINT64_C(1) << 63
    };
    struct header good = good_header(), bad;

    for (uint64_t bytes = 0; bytes < good.bytes; bytes += PAGE / 2 + 7)
        ck_assert(!is_one(&good, bytes, bytes < PAGE ? "not the memory" : "damaged"));
    ck_assert(!is_one(&good, good.bytes + 1, "damaged"));
    bad = good;
    bad.bytes++;
    ck_assert(!is_one(&bad, good.bytes, "damaged"));
    bad = good;
    memset(bad.version, 'v', sizeof(bad.version));
    ck_assert(!is_one(&bad, good.bytes, "damaged"));
    for (int i = 0; i < SEGMENT_SECTIONS; i++) {
        for (size_t j = 0; j < COUNT_OF(offsets); j++) {
            bad = good;
            bad.sections[i].offset = offsets[j];
            ck_assert_msg(!is_one(&bad, good.bytes, "damaged"), "section %d, offset %llu", i,
                          (unsigned long long)offsets[j]);
        }
        bad = good;
        bad.sections[i].offset = good.bytes;
        ck_assert_int_eq(is_one(&bad, good.bytes, "damaged"), sizes[i] == 0);
        bad = good;
        bad.sections[i].bytes = good.bytes - good.sections[i].offset;
        ck_assert(is_one(&bad, good.bytes, "")); /* just so */
        bad.sections[i].bytes++;
        ck_assert(!is_one(&bad, good.bytes, "damaged"));
        bad.sections[i].bytes = UINT64_MAX;
        ck_assert(!is_one(&bad, good.bytes, "damaged"));
    }
}
END_TEST

/* What was found sound stays so for those who attached, whatever is written there later. */
START_TEST(segment_damaged_later)
{
    struct header good = good_header(), bad = good;
    char problem[256] = "";
    struct segment *segment;
    char *at;
    int fd;

    write_file(&good, (off_t)good.bytes);
    segment = segment_attach(file, problem, sizeof(problem));
    ck_assert_msg(segment != NULL, "%s", problem);
    at = segment_at(segment, SEGMENT_DAYS);
    memset(bad.version, 'v', sizeof(bad.version));
    memset(bad.sections, 0xff, sizeof(bad.sections));
    fd = open(file, O_RDWR);
    ck_assert_int_eq(pwrite(fd, &bad, sizeof(bad), 0), sizeof(bad));
    close(fd);
    unlink(file);
    ck_assert_ptr_eq(segment_at(segment, SEGMENT_DAYS), at);
    ck_assert_uint_eq(segment_bytes(segment, SEGMENT_DAYS), sizes[SEGMENT_DAYS]);
    ck_assert_str_eq(segment_version(segment), PACKAGE_VERSION);
    segment_free(segment);
}
END_TEST

START_TEST(segment_that_is_none)
{
    ck_assert(!attaches("/nonexistent", "cannot open /nonexistent: "));
    ck_assert(!attaches("/dev/null", "not the memory"));
    ck_assert(!attaches("/proc/self/fd/4000", "cannot open"));
    ck_assert(!attaches("/bin/sh", "not the memory"));
    ck_assert(!attaches("/tmp", ""));
    ck_assert(!attaches("/proc/self/maps", "not the memory"));
    /* A pipe into which nobody writes: it is not waited for. */
    choose_file();
    ck_assert_int_eq(mkfifo(file, 0600), 0);
    alarm(20);
    ck_assert(!attaches(file, "not the memory"));
    alarm(0);
    unlink(file);
}
END_TEST

UNIT("segment", segment_has_sections, segment_keeps_its_size, segment_is_shared_by_fork,
     segment_bears_a_signal, segment_attaches_to_read, segment_of_another_layout,
     segment_of_another_magic, segment_damaged, segment_damaged_later, segment_that_is_none,
     segment_is_not_to_be_had)
