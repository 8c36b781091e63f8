#include "system/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config.h"

#define NAME "tickd"
#define SCRATCH_NAME "tickd-scratch"       /* not to be taken for a segment */
#define MAGIC UINT64_C(0x746765736b636974) /* "tickseg", nearly */
#define PAGE 4096

/* What the first page holds. The fields up to version stay as they are in all layouts, so that
 * any program can name any segment. */
struct header {
    uint64_t magic;
    uint32_t layout;
    int32_t master;
    char version[32];
    int64_t born;
    uint64_t bytes; /* of everything */
    struct {
        uint64_t offset, bytes;
    } sections[SEGMENT_SECTIONS];
};

/* What the header says is kept apart: that in the memory can change after it was checked. */
struct segment {
    struct header header;
    char *at;
    size_t bytes;
    int fd;
    int scratch[SEGMENT_SCRATCH]; /* -1: none */
    int inotify;                  /* likewise */
};

static uint64_t whole_pages(uint64_t bytes)
{
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

/* Whether the machine has so much at all: to get more would not fail but have processes killed,
 * this or any other. */
static bool has_memory(const size_t bytes[SEGMENT_SECTIONS])
{
    uint64_t left = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

    for (int i = 0; i < SEGMENT_SECTIONS; i++) {
        if (bytes[i] > left)
            return false;
        left -= bytes[i];
    }
    return true;
}

static struct header make_header(const size_t bytes[SEGMENT_SECTIONS])
{
    struct header header = {
        .magic = MAGIC,
        .layout = SEGMENT_LAYOUT,
        .master = (int32_t)getpid(),
        .version = PACKAGE_VERSION,
        .born = time(NULL),
        .bytes = PAGE,
    };

    for (int i = 0; i < SEGMENT_SECTIONS; i++) {
        header.sections[i].offset = header.bytes;
        header.sections[i].bytes = bytes[i];
        header.bytes += whole_pages(bytes[i]);
    }
    return header;
}

/* Give the file all of its memory; 0, or the error. A signal ends that early, and undoes it. */
static int allocate(int fd, off_t bytes)
{
    int error;

    if (ftruncate(fd, bytes))
        return errno;
    do
        error = posix_fallocate(fd, 0, bytes);
    while (error == EINTR);
    return error;
}

/* Map what ${fd} refers to; then ${fd} is the segment's. */
static struct segment *map(int fd, size_t bytes, int protection)
{
    struct segment *segment = malloc(sizeof(*segment));

    if (segment == NULL)
        return NULL;
    char *at = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        free(segment);
        return NULL;
    }
    *segment = (struct segment){ .at = at, .bytes = bytes, .fd = fd, .inotify = -1 };
    for (int i = 0; i < SEGMENT_SCRATCH; i++)
        segment->scratch[i] = -1;
    return segment;
}

static int make_scratch(struct segment *segment)
{
    for (int i = 0; i < SEGMENT_SCRATCH; i++) {
        segment->scratch[i] = memfd_create(SCRATCH_NAME, MFD_CLOEXEC);
        if (segment->scratch[i] < 0)
            return -1;
    }
    return 0;
}

struct segment *segment_create(const size_t bytes[SEGMENT_SECTIONS])
{
    struct segment *segment = NULL;
    struct header header;
    int error, fd;

    if (!has_memory(bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    header = make_header(bytes);
    fd = memfd_create(NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return NULL;
    error = allocate(fd, (off_t)header.bytes);
    if (error == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        error = errno;
    if (error == 0 && (segment = map(fd, header.bytes, PROT_READ | PROT_WRITE)) == NULL)
        error = errno;
    if (segment == NULL) {
        close(fd);
        errno = error;
        return NULL;
    }
    memcpy(segment->at, &header, sizeof(header));
    segment->header = header;
    segment->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (make_scratch(segment)) {
        error = errno;
        segment_free(segment);
        errno = error;
        return NULL;
    }
    return segment;
}

/* Whether the header is one that this program can follow; if not, say why. */
static bool is_ours(const struct header *header, uint64_t bytes, char *problem, size_t size)
{
    if (header->magic != MAGIC) {
        snprintf(problem, size, "that is not the memory of a tickd");
        return false;
    }
    if (header->layout != SEGMENT_LAYOUT) {
        snprintf(problem, size,
                 "process %d is tickd %.*s, whose memory this version (%s) cannot read",
                 header->master, (int)sizeof(header->version), header->version,
                 PACKAGE_VERSION);
        return false;
    }
    bool sound =
        header->bytes == bytes && memchr(header->version, '\0', sizeof(header->version));
    for (int i = 0; i < SEGMENT_SECTIONS; i++)
        sound &= header->sections[i].offset >= PAGE && header->sections[i].offset <= bytes &&
                 header->sections[i].offset % PAGE == 0 &&
                 header->sections[i].bytes <= bytes - header->sections[i].offset;
    if (!sound)
        snprintf(problem, size, "the memory of process %d is damaged", header->master);
    return sound;
}

struct segment *segment_attach(const char *path, char *problem, size_t size)
{
    struct segment *segment = NULL;
    struct stat found;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || fstat(fd, &found)) {
        snprintf(problem, size, "cannot open %s: %s", path, strerror(errno));
    } else if (found.st_size < PAGE) {
        snprintf(problem, size, "that is not the memory of a tickd");
    } else if ((segment = map(fd, (size_t)found.st_size, PROT_READ)) == NULL) {
        snprintf(problem, size, "cannot map %s: %s", path, strerror(errno));
    } else {
        memcpy(&segment->header, segment->at, sizeof(segment->header));
        if (!is_ours(&segment->header, segment->bytes, problem, size)) {
            segment_free(segment);
            return NULL;
        }
    }
    if (segment == NULL && fd >= 0)
        close(fd);
    return segment;
}

bool segment_sealed(const struct segment *segment)
{
    int seals = fcntl(segment->fd, F_GET_SEALS);

    return seals >= 0 && (seals & F_SEAL_SHRINK) != 0;
}

void *segment_at(const struct segment *segment, enum segment_section section)
{
    return segment->at + segment->header.sections[section].offset;
}

size_t segment_bytes(const struct segment *segment, enum segment_section section)
{
    return segment->header.sections[section].bytes;
}

int segment_scratch(const struct segment *segment, unsigned number)
{
    return segment->scratch[number];
}

int segment_inotify(const struct segment *segment)
{
    return segment->inotify;
}

const char *segment_version(const struct segment *segment)
{
    return segment->header.version;
}

int segment_master(const struct segment *segment)
{
    return segment->header.master;
}

int64_t segment_born(const struct segment *segment)
{
    return segment->header.born;
}

void segment_free(struct segment *segment)
{
    if (segment == NULL)
        return;
    munmap(segment->at, segment->bytes);
    close(segment->fd);
    if (segment->inotify >= 0)
        close(segment->inotify);
    for (int i = 0; i < SEGMENT_SCRATCH; i++) {
        if (segment->scratch[i] >= 0)
            close(segment->scratch[i]);
    }
    free(segment);
}
