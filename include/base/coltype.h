#ifndef BASE_COLTYPE_H
#define BASE_COLTYPE_H

#include <stdint.h>

#include "base/slice.h"

/* The types a column's records can have: fixed-size, little-endian, no header. */

enum coltype_kind {
    COLTYPE_U8,
    COLTYPE_I8,
    COLTYPE_U16,
    COLTYPE_I16,
    COLTYPE_U32,
    COLTYPE_I32,
    COLTYPE_U64,
    COLTYPE_I64,
    COLTYPE_F32,
    COLTYPE_F64,
    COLTYPE_BYTES, /* bytesN: N opaque bytes */
};

struct coltype {
    enum coltype_kind kind;
    uint16_t size; /* bytes of a record, 1-COLTYPE_SIZE_MAX */
};

#define COLTYPE_SIZE_MAX 4096

/* Room for the longest name and its NUL. */
#define COLTYPE_NAME 12

/**
 * coltype_parse(text, type):
 * Read one of u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 bytesN (1 <= N <= COLTYPE_SIZE_MAX) into
 * ${type}. Returns 0, or -1 if it is none of them.
 */
int coltype_parse(struct slice text, struct coltype *type);

/**
 * coltype_name(type, text):
 * Write the name of ${type} and a NUL to ${text}; returns ${text}.
 */
char *coltype_name(struct coltype type, char text[COLTYPE_NAME]);

#endif
