#include "exporter/web/pages.h"

#include <stddef.h>

#include "base/memory.h"
#include "base/xml_text.h"
#include "version.h"

char *pages_landing(const char *telemetry_path, bool is_ready, bool waits)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n", out);
    if (waits)
        fputs("<meta http-equiv=\"refresh\" content=\"2\">\n", out);
    fputs("<title>ska-tango-event-exporter</title>\n</head>\n<body>\n"
          "<h1>ska-tango-event-exporter</h1>\n"
          "<p>Version " STEM_VERSION
          ": what happens to the events of Tango device servers.</p>\n<ul>\n<li><a href=\"",
          out);
    xml_text_write_value(out, telemetry_path);
    fprintf(out,
            "\">Metrics</a>, for Prometheus</li>\n"
            "<li><a href=\"/-/healthy\">Health</a>: whether it runs</li>\n"
            "<li><a href=\"/-/ready\">Readiness</a>: whether servers were asked: %s</li>\n"
            "</ul>\n%s<p>Documentation: <code>man ska-tango-event-exporter</code>, and "
            "<code>docs/exporter.md</code> and <code>docs/metrics.md</code>.</p>\n"
            "</body>\n</html>\n",
            is_ready ? "yes" : "not yet",
            waits ? "<p>Once they were, what has happened to events is shown here.</p>\n" : "");
    memory_stream_close(out);
    return text;
}
