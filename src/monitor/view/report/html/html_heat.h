/*
 * html_heat: how long something took over time, as a heat map: the more events, the darker. Only
 * for files of this folder.
 */
#ifndef STEM_HTML_HEAT_H
#define STEM_HTML_HEAT_H

#include "monitor/view/report/html/html_page.h"

/* Whether there is anything to draw. */
bool heat_is_known(const report_cells_t *cells);

/* One heat map inside a section: id names it in the data, name is what is measured ("Latency"), of
 * whom (or NULL: everything). */
void heat_write(html_page_t *page, const char *id, const char *name, const char *of,
                const report_axis_t *axis, size_t columns, const report_cells_t *cells,
                const report_percentiles_t *percentiles);

/* "push", "latency", "processing", and what they are in words. */
const char *heat_id(report_duration_t duration);
const char *heat_name(report_duration_t duration);

#endif
