#ifndef SYSTEM_SEGMENT_H
#define SYSTEM_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The memory that all processes of a server share: a memfd(2) made by the master before it
 * forks, of a size that never changes (sealed) and that is all there (a full tmpfs must not
 * become a SIGBUS later). Nothing in it is a pointer. It begins with a header that says what it
 * is, for those who attach from outside; after it come sections, each on a page of its own,
 * zeros at first. What is in them is the business of those who use them.
 */

enum segment_section {
    SEGMENT_STATS,  /* system/stats.h */
    SEGMENT_NAMES,  /* store/names.h */
    SEGMENT_DAYS,   /* store/cache.h: the days and columns of a series */
    SEGMENT_FILES,  /* likewise: what files are */
    SEGMENT_FENCES, /* likewise: where time lies in them */
    SEGMENT_BOARD,  /* store/board.h */
    SEGMENT_SECTIONS,
};

/* The layout of everything in the segment: another number means that this program cannot read
 * it. To be raised whenever any section changes. */
#define SEGMENT_LAYOUT 4

/* Beside the segment, for what is of no size that could be known beforehand: files in memory,
 * inherited with it and empty at first. Nobody maps them: whoever writes to one where there is
 * no memory left is told so. */
#define SEGMENT_SCRATCH 4

struct segment;

/**
 * segment_create(bytes):
 * A new segment whose sections have room for ${bytes} each, to be inherited by fork; NULL with
 * errno (ENOMEM, ENOSPC: the system has not got so much). To be given to segment_free.
 */
struct segment *segment_create(const size_t bytes[SEGMENT_SECTIONS]);

/**
 * segment_attach(path, problem, size):
 * Attach read-only to the segment of another process at ${path}, such as /proc/PID/fd/N. NULL
 * with a line in the ${size} bytes of ${problem} if that is no segment, or one of another
 * layout: then the line names its version. To be given to segment_free.
 */
struct segment *segment_attach(const char *path, char *problem, size_t size);

/**
 * segment_sealed(segment):
 * Whether nobody can cut it off, as is so with each that segment_create made: it can be read
 * without fear.
 */
bool segment_sealed(const struct segment *segment);

/**
 * segment_at(segment, section), segment_bytes(segment, section):
 * Where a section begins; its size.
 */
void *segment_at(const struct segment *segment, enum segment_section section);
size_t segment_bytes(const struct segment *segment, enum segment_section section);

/**
 * segment_scratch(segment, number):
 * The descriptor of the file ${number}, from 0 to SEGMENT_SCRATCH - 1; of a segment that
 * segment_create made.
 */
int segment_scratch(const struct segment *segment, unsigned number);

/**
 * segment_inotify(segment):
 * The descriptor of an inotify(7) instance that is inherited with it; -1: there is none.
 */
int segment_inotify(const struct segment *segment);

/**
 * segment_version(segment), segment_master(segment), segment_born(segment):
 * The version of the program that made the segment; its process; and when, in seconds since the
 * Unix epoch.
 */
const char *segment_version(const struct segment *segment);
int segment_master(const struct segment *segment);
int64_t segment_born(const struct segment *segment);

/**
 * segment_free(segment):
 * Let go of ${segment}, in this process; NULL is fine.
 */
void segment_free(struct segment *segment);

#endif
