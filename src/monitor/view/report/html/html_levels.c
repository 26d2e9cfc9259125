#include "monitor/view/report/html/html_levels.h"

#include <math.h>

/* At the first level, and at the least; how much faster than others it shrinks. */
typedef struct {
    double most;
    double least;
    double power;
} range_t;

/* Of each level to the one before. */
static const double step = 0.88;

/* Of all that shrinks. */
static const double greatest_power = 1.6;

static size_t at(const range_t *range, double part)
{
    const double value = range->most * pow(part, range->power);
    return (size_t)(value > range->least ? value : range->least);
}

html_limits_t html_limits(size_t level)
{
    static const range_t columns = {960, 60, 0.5};
    static const range_t heat_columns = {240, 24, 0.5};
    static const range_t cards = {24, 0, 0.9};
    static const range_t card_columns = {160, 24, 0.5};
    static const range_t spark_columns = {48, 12, 0.3};
    static const range_t sparks = {2000, 0, 1.6};
    static const range_t streams = {4000, 5, 1.3};
    static const range_t subscriptions = {6000, 5, 1.3};
    static const range_t servers = {2000, 5, 1.2};
    static const range_t findings = {100, 5, 0.7};
    static const range_t evidence = {40, 3, 0.7};
    static const range_t incidents = {1000, 5, 1.2};
    static const range_t minutes = {100, 5, 0.7};
    static const range_t nodes = {50, 5, 0.5};
    static const range_t name_size = {400, 60, 1};
    static const range_t text_size = {4000, 300, 0.7};
    const double part = pow(step, (double)level);
    return (html_limits_t){.columns = at(&columns, part),
                           .heat_columns = at(&heat_columns, part),
                           .cards = at(&cards, part),
                           .card_columns = at(&card_columns, part),
                           .spark_columns = at(&spark_columns, part),
                           .sparks = at(&sparks, part),
                           .streams = at(&streams, part),
                           .subscriptions = at(&subscriptions, part),
                           .servers = at(&servers, part),
                           .findings = at(&findings, part),
                           .evidence = at(&evidence, part),
                           .incidents = at(&incidents, part),
                           .minutes = at(&minutes, part),
                           .nodes = at(&nodes, part),
                           .name_size = at(&name_size, part),
                           .text_size = at(&text_size, part)};
}

size_t html_level_after(size_t level, double excess)
{
    const double needed = log(excess) / (greatest_power * log(1 / step));
    const size_t more = needed > 1 ? (size_t)fmin(needed, HTML_LEVELS) : 1;
    return level + more < HTML_LEVELS ? level + more : HTML_LEVELS - 1;
}
