#ifndef STORE_SYMBOLFILE_H
#define STORE_SYMBOLFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What an operator says of an exchange's symbols, for those who search: a file of JSON, an
 * object keyed by symbol. It lies outside of DATA, at a path of the configuration.
 */

struct symbolfile;

/* Files larger than this are refused. */
#define SYMBOLFILE_MAX (64 << 20)

/* What it says of a symbol; NULL where it says nothing. Bytes of the file's. */
struct symbolfile_entry {
    const char *normalized_id, *display_name, *description, *base, *quote, *category;
    const void *tags;
};

/**
 * symbolfile_mark(directory, exchange):
 * A number that is another one once the file ${directory}/${exchange}.json has changed; 0:
 * there is none.
 */
uint64_t symbolfile_mark(const char *directory, const char *exchange);

/**
 * symbolfile_read(directory, exchange, quiet):
 * Read that file; may block. NULL after logging, unless ${quiet}, what is wrong with it. To be
 * given to symbolfile_free.
 */
struct symbolfile *symbolfile_read(const char *directory, const char *exchange, bool quiet);

/**
 * symbolfile_find(file, symbol, entry):
 * What ${file} (NULL: none) says of ${symbol}. Returns whether that is anything; if not,
 * ${entry} is all NULL.
 */
bool symbolfile_find(const struct symbolfile *file, const char *symbol,
                     struct symbolfile_entry *entry);

/**
 * symbolfile_tag(entry, number):
 * The tag of that ${number}, from 0; NULL after the last one.
 */
const char *symbolfile_tag(const struct symbolfile_entry *entry, size_t number);

/**
 * symbolfile_free(file):
 * Give it back; NULL is fine.
 */
void symbolfile_free(struct symbolfile *file);

#endif
