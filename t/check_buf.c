#include "unit.h"

#include <string.h>

#include "base/buf.h"
#include "dice.h"

/* Against a plain array. */
START_TEST(buf_is_a_queue)
{
    static char model[200000];
    struct dice dice = dice_new(1);
    struct buf buf = { 0 };
    size_t len = 0;

    for (int step = 0; step < 20000; step++) {
        if (dice_roll(&dice, 2) && len < 100000) {
            char bytes[3000];
            size_t more = dice_roll(&dice, dice_roll(&dice, 20) ? 50 : sizeof(bytes));

            dice_fill(&dice, bytes, more);
            MUST(buf_append(&buf, bytes, more) == 0);
            memcpy(model + len, bytes, more);
            len += more;
        } else {
            size_t less = dice_roll(&dice, dice_roll(&dice, 50) ? 60 : 5000);

            buf_drop(&buf, less);
            less = less < len ? less : len;
            memmove(model, model + less, len - less);
            len -= less;
            if (len == 0)
                MUST(buf.room == 0);
        }
        MUST(buf.len == len);
        MUST(buf.room >= buf.len);
        if (len > 0)
            MUST(memcmp(buf.bytes, model, len) == 0);
    }
    buf_free(&buf);
    ck_assert_ptr_null(buf.bytes);
    buf_free(&buf);
}
END_TEST

START_TEST(buf_takes_nothing)
{
    struct buf buf = { 0 };

    ck_assert_int_eq(buf_append(&buf, "", 0), 0);
    ck_assert_int_eq(buf_append(&buf, NULL, 0), 0);
    ck_assert_uint_eq(buf.len, 0);
    buf_drop(&buf, 0);
    buf_drop(&buf, 10);
    ck_assert_ptr_null(buf.bytes);
}
END_TEST

UNIT("buf", buf_is_a_queue, buf_takes_nothing)
