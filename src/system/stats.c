#include "system/stats.h"

static struct stats_row unseen;

STATS_OWNER struct stats_row *stats_mine = &unseen;
