#ifndef TOOLS_ROWREADER_H
#define TOOLS_ROWREADER_H

#include <stddef.h>
#include <stdint.h>

#include "tools/colmap.h"

/* From the fields of a file's rows to the records of columns, as a map says. */

struct rowreader;

/**
 * rowreader_new(map):
 * A reader for ${map}, which must outlive it. Returns NULL without memory.
 */
struct rowreader *rowreader_new(const struct colmap *map);

/**
 * rowreader_bind(reader, header, count):
 * Begin a file. Its header line has the ${count} fields ${header}; without one, ${count} is 0.
 * Returns NULL, or what is wrong.
 */
const char *rowreader_bind(struct rowreader *reader, const struct slice *header, size_t count);

/**
 * rowreader_read(reader, fields, count, number, ns, row):
 * Turn a row's ${count} ${fields} into ${row}, laid out as the map's columns, but for `time`
 * and `nanos`: those go to ${ns}, as the file has them. ${number} is what @row means. Spaces
 * around a field do not count. All rows of a file must have as many fields as its header line,
 * or its first good row. Returns NULL, or what is wrong with the row.
 */
const char *rowreader_read(struct rowreader *reader, const struct slice *fields, size_t count,
                           uint64_t number, int64_t *ns, char *row);

/**
 * rowreader_free(reader):
 * Free ${reader}.
 */
void rowreader_free(struct rowreader *reader);

#endif
