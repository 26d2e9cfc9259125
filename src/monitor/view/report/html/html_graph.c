/* Who publishes to whom: publishers on the left, subscribers on the right. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plural.h"
#include "base/xml_text.h"
#include "monitor/view/report/html/html_page.h"

enum {
    ROW_HEIGHT = 26, /* as in the style */
    EDGES = 160,
    DENSE = 50, /* from so many edges on, they are thinner */
    ROUNDS = 4, /* of putting nodes in order */
    WIDTHS = 4, /* of edges */
    UNIT = 100  /* from left to right */
};

typedef struct {
    size_t from; /* a server's index; the number of servers: not watched */
    size_t to;
    int64_t events;
    int64_t lost;
    size_t streams;
} edge_t;

typedef struct {
    size_t server;
    int64_t events;
    int64_t lost;
    double place; /* among its side, for putting it in order */
    size_t row;   /* on its side; SIZE_MAX: it isn't shown */
} node_t;

typedef struct {
    edge_t *edges;
    size_t edge_count;
    node_t *nodes[2]; /* publishers, subscribers: by server */
    node_t **shown[2];
    size_t counts[2]; /* of shown ones */
    size_t left_out;  /* edges */
} graph_t;

/* ---- collecting ---- */

static int compare_edges(const void *a, const void *b)
{
    const edge_t *left = a;
    const edge_t *right = b;
    if (left->from != right->from)
        return left->from < right->from ? -1 : 1;
    return left->to < right->to ? -1 : left->to > right->to;
}

static void collect(graph_t *self, const report_t *report)
{
    size_t count = 0;
    self->edges = memory_new(report->row_count, sizeof *self->edges);
    for (size_t i = 0; i < report->stream_count; i++) {
        const report_stream_t *stream = &report->streams[i];
        const size_t from = stream->publisher_count > 0
                                ? report->stream_rows[stream->first_publisher]->server
                                : report->server_count;
        for (size_t j = 0; j < stream->subscription_count; j++) {
            const report_row_t *row = report->stream_rows[stream->first_subscription + j];
            if (row->server >= report->server_count || from > report->server_count)
                continue;
            self->edges[count++] = (edge_t){.from = from,
                                            .to = row->server,
                                            .events = row->sum.events,
                                            .lost = row->sum.lost,
                                            .streams = 1};
        }
    }
    qsort(self->edges, count, sizeof *self->edges, compare_edges);
    for (size_t i = 0; i < count; i++) {
        edge_t *last = self->edge_count > 0 ? &self->edges[self->edge_count - 1] : NULL;
        if (last && compare_edges(last, &self->edges[i]) == 0) {
            last->events = changes_sum(last->events, self->edges[i].events);
            last->lost = changes_sum(last->lost, self->edges[i].lost);
            last->streams++;
        } else {
            self->edges[self->edge_count++] = self->edges[i];
        }
    }
}

static size_t end_of(const edge_t *edge, size_t side)
{
    return side == 0 ? edge->from : edge->to;
}

static int compare_weights(const void *a, const void *b)
{
    const node_t *left = *(node_t *const *)a;
    const node_t *right = *(node_t *const *)b;
    if (left->lost != right->lost)
        return left->lost < right->lost ? 1 : -1;
    if (left->events != right->events)
        return left->events < right->events ? 1 : -1;
    return left->server < right->server ? -1 : left->server > right->server;
}

/* The nodes of a side that lost most, or have most events. */
static void choose(graph_t *self, size_t side, size_t servers, size_t most)
{
    size_t count = 0;
    self->nodes[side] = memory_new(servers + 1, sizeof *self->nodes[side]);
    self->shown[side] = memory_new(servers + 1, sizeof(node_t *));
    bool *has_edges = memory_new(servers + 1, sizeof *has_edges);
    for (size_t i = 0; i < self->edge_count; i++) {
        const size_t at = end_of(&self->edges[i], side);
        node_t *node = &self->nodes[side][at];
        node->server = at;
        node->events = changes_sum(node->events, self->edges[i].events);
        node->lost = changes_sum(node->lost, self->edges[i].lost);
        if (!has_edges[at])
            self->shown[side][count++] = node;
        has_edges[at] = true;
    }
    free(has_edges);
    qsort(self->shown[side], count, sizeof(node_t *), compare_weights);
    self->counts[side] = count < most ? count : most;
    for (size_t i = 0; i < count; i++)
        self->shown[side][i]->row = i < most ? i : SIZE_MAX;
}

/* ---- order ---- */

static int compare_places(const void *a, const void *b)
{
    const node_t *left = *(node_t *const *)a;
    const node_t *right = *(node_t *const *)b;
    if (left->place != right->place)
        return left->place < right->place ? -1 : 1;
    return left->server < right->server ? -1 : left->server > right->server;
}

static bool is_shown(const graph_t *self, const edge_t *edge)
{
    return self->nodes[0][edge->from].row != SIZE_MAX && self->nodes[1][edge->to].row != SIZE_MAX;
}

/* Each node of a side goes to the middle of those that it is connected to: fewer edges cross. */
static void arrange(graph_t *self, size_t side)
{
    for (size_t i = 0; i < self->counts[side]; i++) {
        node_t *node = self->shown[side][i];
        double sum = 0;
        size_t count = 0;
        for (size_t j = 0; j < self->edge_count; j++)
            if (end_of(&self->edges[j], side) == node->server && is_shown(self, &self->edges[j])) {
                sum += (double)self->nodes[1 - side][end_of(&self->edges[j], 1 - side)].row;
                count++;
            }
        node->place = count > 0 ? sum / (double)count : (double)i;
    }
    qsort(self->shown[side], self->counts[side], sizeof(node_t *), compare_places);
    for (size_t i = 0; i < self->counts[side]; i++)
        self->shown[side][i]->row = i;
}

/* ---- drawing ---- */

/* How many empty rows are above the nodes of a side, so that it is in the middle. */
static size_t top_of(const graph_t *self, size_t side)
{
    const size_t other = self->counts[1 - side];
    return other > self->counts[side] ? (other - self->counts[side]) / 2 : 0;
}

static void write_nodes(html_page_t *page, const graph_t *self, size_t side)
{
    fprintf(page->out, "<ul class=\"nodes %s\">", side == 0 ? "left" : "right");
    for (size_t i = 0; i < top_of(self, side); i++)
        fputs("<li class=\"empty\" aria-hidden=\"true\">", page->out);
    for (size_t i = 0; i < self->counts[side]; i++) {
        const node_t *node = self->shown[side][i];
        fprintf(page->out, "<li data-%s=\"%zu\"%s><span>", side == 0 ? "from" : "to", node->server,
                node->lost > 0 ? " class=\"lossy\"" : "");
        html_name(page, html_server(page, node->server));
        fputs("</span>", page->out);
        if (node->lost > 0) {
            fputs(" <b>", page->out);
            html_count(page, node->lost);
            fputs(" lost</b>", page->out);
        }
    }
    fputs("</ul>\n", page->out);
}

static size_t width_of(const edge_t *edge)
{
    enum { TENFOLD = 2 }; /* a step for a hundred times as many events */
    const double power = edge->events > 0 ? log10((double)edge->events) / TENFOLD : 0;
    return power < WIDTHS - 1 ? 1 + (size_t)power : WIDTHS;
}

static void write_edge(html_page_t *page, const graph_t *self, const edge_t *edge)
{
    const size_t from = self->nodes[0][edge->from].row + top_of(self, 0);
    const size_t to = self->nodes[1][edge->to].row + top_of(self, 1);
    const size_t begin = from * ROW_HEIGHT + ROW_HEIGHT / 2;
    const size_t end = to * ROW_HEIGHT + ROW_HEIGHT / 2;
    fprintf(page->out,
            "<path class=\"w%zu%s\" data-from=\"%zu\" data-to=\"%zu\" d=\"M0 %zuC%d %zu %d %zu %d "
            "%zu\"><title>",
            width_of(edge), edge->lost > 0 ? " lossy" : "", edge->from, edge->to, begin, UNIT / 2,
            begin, UNIT / 2, end, UNIT, end);
    html_name(page, html_server(page, edge->from));
    fputs(" \xe2\x86\x92 ", page->out);
    html_name(page, html_server(page, edge->to));
    fprintf(page->out, ": %zu stream%s, ", edge->streams, PLURAL(edge->streams));
    html_count(page, edge->events);
    fputs(" received, ", page->out);
    html_count(page, edge->lost);
    fputs(" lost</title></path>\n", page->out);
}

static int compare_edge_weights(const void *a, const void *b)
{
    const edge_t *left = a;
    const edge_t *right = b;
    if (left->lost != right->lost)
        return left->lost < right->lost ? 1 : -1;
    if (left->events != right->events)
        return left->events < right->events ? 1 : -1;
    return compare_edges(a, b);
}

/* Those that lost most, then those with most events, come first. Returns how many are drawn. */
static size_t choose_edges(graph_t *self)
{
    size_t shown = 0;
    for (size_t i = 0; i < self->edge_count; i++)
        if (is_shown(self, &self->edges[i]))
            self->edges[shown++] = self->edges[i];
    self->left_out = self->edge_count - shown;
    qsort(self->edges, shown, sizeof *self->edges, compare_edge_weights);
    const size_t kept = shown < EDGES ? shown : EDGES;
    self->left_out += shown - kept;
    return self->edge_count = kept;
}

/* Those that lost are drawn last, over the others. */
static void write_edges(html_page_t *page, graph_t *self)
{
    const size_t rows = self->counts[0] > self->counts[1] ? self->counts[0] : self->counts[1];
    const size_t count = choose_edges(self);
    fprintf(page->out,
            "<svg class=\"edges%s\" height=\"%zu\" viewBox=\"0 0 %d %zu\" "
            "preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Who publishes to whom; the "
            "table of subscriptions has the same as text\">\n",
            count > DENSE ? " dense" : "", rows * ROW_HEIGHT, UNIT, rows * ROW_HEIGHT);
    for (size_t i = count; i-- > 0;)
        write_edge(page, self, &self->edges[i]);
    fputs("</svg>\n", page->out);
}

void html_graph(html_page_t *page)
{
    const report_t *report = page->report;
    graph_t self = {0};
    collect(&self, report);
    if (self.edge_count > 0 && page->limits->nodes > 0) {
        for (size_t side = 0; side < 2; side++)
            choose(&self, side, report->server_count, page->limits->nodes);
        for (size_t round = 0; round < ROUNDS; round++)
            arrange(&self, 1 - round % 2);
        html_section_open(page, "graph", "Who publishes to whom");
        fputs("<p class=\"note\"><span class=\"key k-edge\">the more events, the wider</span> "
              "<span class=\"key k-lossy\">some were lost</span></p>\n"
              "<div class=\"graph-head\"><b>Publishers</b><b>Subscribers</b></div>\n"
              "<div class=\"graph\">\n",
              page->out);
        write_nodes(page, &self, 0);
        write_edges(page, &self);
        write_nodes(page, &self, 1);
        fputs("</div>\n", page->out);
        html_left_out(page, self.left_out, "connection");
        html_section_close(page);
    }
    for (size_t side = 0; side < 2; side++) {
        free(self.nodes[side]);
        free(self.shown[side]);
    }
    free(self.edges);
}
