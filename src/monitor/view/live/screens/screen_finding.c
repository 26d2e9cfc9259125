/* A finding: what it is, its evidence, what to do about it, and what its rule looks for. */
#include <stdlib.h>
#include <string.h>

#include "base/local_time.h"
#include "base/memory.h"
#include "base/plural.h"
#include "monitor/analysis/findings/explanation.h"
#include "monitor/view/live/screens/screen_parts.h"
#include "monitor/view/live/ui/facts.h"
#include "monitor/view/text/duration_text.h"

enum { LINE_MOST = 100, INDENT = 1 }; /* text is hard to read in longer lines */

typedef struct {
    screen_t screen;
    char *identity;
    kept_t kept;
    size_t index; /* in the frame that is kept */
    page_t page;
    facts_t head;
    facts_t links; /* what it is about */
    page_target_t targets[2];
    facts_t evidence;
    facts_t advice;
    facts_t explanation;
} screen_finding_t;

static const frame_finding_t *finding_of(const screen_finding_t *self)
{
    return &self->kept.frame->findings[self->index];
}

/* ---- what it is ---- */

static const char *severity_means(severity_t severity)
{
    static const char *const meanings[] = {
        [SEVERITY_REMARK] = "remark: worth knowing, nothing is wrong",
        [SEVERITY_WARNING] = "WARNING: something is about to go wrong, or only half works",
        [SEVERITY_FAULT] = "FAULT: events don't arrive, or didn't",
    };
    return meanings[severity];
}

static bool lasts(const frame_finding_t *finding)
{
    return finding->state < FINDING_ENDED;
}

static look_t look_of(const frame_finding_t *finding)
{
    static const look_t looks[] = {[SEVERITY_REMARK] = LOOK_BOLD,
                                   [SEVERITY_WARNING] = LOOK_WARNING,
                                   [SEVERITY_FAULT] = LOOK_ALARM};
    return lasts(finding) ? looks[finding->severity] : LOOK_BOLD;
}

static void add_times(facts_t *facts, const frame_finding_t *finding)
{
    char *since = local_time_text(finding->since.tv_sec);
    char *seen = local_time_of_day(finding->seen.tv_sec, finding->since.tv_sec);
    char *duration = duration_text(finding->seconds, 0);
    char *took = finding->seconds < 0.5 ? memory_string("") : memory_format(", for %s", duration);
    if (lasts(finding))
        facts_add(facts, LOOK_PLAIN, "lasts", "since %s%s", since, took);
    else
        facts_add(facts, LOOK_GOOD, "is over", "from %s to %s%s", since, seen, took);
    if (finding->times > 1)
        facts_add(facts, LOOK_PLAIN, "how often", "%zu times, these are of the last",
                  finding->times);
    free(took);
    free(duration);
    free(seen);
    free(since);
}

static void make_head(screen_finding_t *self, canvas_t *canvas)
{
    facts_t *facts = &self->head;
    facts_begin(facts, canvas);
    char *gone = kept_says(&self->kept, "this finding");
    if (gone)
        facts_add_text(facts, LOOK_WARNING, "", "%s", gone);
    free(gone);
    if (!self->kept.frame)
        return;
    const frame_finding_t *finding = finding_of(self);
    facts_add_text(facts, look_of(finding), "", "%s", finding->text);
    facts_add(facts, LOOK_PLAIN, "severity", "%s", severity_means(finding->severity));
    add_times(facts, finding);
}

static void add_link(screen_finding_t *self, page_target_t target, const char *label,
                     const char *name)
{
    if (target.kind == PAGE_NOTHING)
        return;
    self->targets[self->links.list.count] = target;
    facts_add(&self->links, LOOK_PLAIN, label, "%s", name);
}

static void make_links(screen_finding_t *self, canvas_t *canvas)
{
    const frame_t *frame = self->kept.frame;
    const frame_finding_t *finding = finding_of(self);
    const page_target_t stream = stream_target(frame, finding->stream);
    const page_target_t server = server_target(frame, finding->server);
    facts_begin(&self->links, canvas);
    if (stream.kind != PAGE_NOTHING)
        add_link(self, stream, "stream", frame->streams[finding->stream].name);
    if (server.kind != PAGE_NOTHING)
        add_link(self, server, "server", frame->servers[finding->server].name);
}

static page_target_t link_target(void *context, size_t item)
{
    const screen_finding_t *self = context;
    return self->targets[item];
}

static void draw_links(void *context, const page_part_t *part)
{
    screen_finding_t *self = context;
    facts_draw(&self->links, part);
}

/* ---- texts ---- */

static void make_evidence(screen_finding_t *self, canvas_t *canvas)
{
    const frame_finding_t *finding = finding_of(self);
    facts_begin(&self->evidence, canvas);
    for (size_t i = 0; i < finding->evidence_count; i++)
        facts_add_text(&self->evidence, LOOK_PLAIN, "", "%s", finding->evidence[i]);
}

static size_t text_width(const canvas_t *canvas)
{
    const int width = canvas_columns(canvas) - 2 * INDENT;
    return width < 1 ? 1 : width > LINE_MOST ? LINE_MOST : (size_t)width;
}

/* A text that has lines already. */
static void add_lines(facts_t *facts, char *text)
{
    char *rest = text;
    for (char *line = NULL; (line = strsep(&rest, "\n")) != NULL;)
        if (*line || (rest && *rest))
            facts_add(facts, LOOK_PLAIN, "", "%s", line);
}

static void make_advice(screen_finding_t *self, canvas_t *canvas, const rule_t *rule)
{
    const frame_finding_t *finding = finding_of(self);
    facts_begin(&self->advice, canvas);
    if (finding->advice) {
        facts_add_text(&self->advice, LOOK_PLAIN, "", "%s", finding->advice);
    } else if (rule) {
        char *text = explanation_of_what_to_do(rule, text_width(canvas));
        add_lines(&self->advice, text);
        free(text);
    }
}

static void make_explanation(screen_finding_t *self, canvas_t *canvas, const rule_t *rule)
{
    facts_begin(&self->explanation, canvas);
    if (!rule)
        return;
    /* What is said above already isn't said once more. */
    char *text = finding_of(self)->advice
                     ? explanation_text(rule, text_width(canvas))
                     : explanation_without_what_to_do(rule, text_width(canvas));
    add_lines(&self->explanation, text);
    free(text);
}

static void add_section(screen_finding_t *self, char *title, facts_t *facts)
{
    const size_t rows = facts_rows(facts);
    if (rows > 0)
        page_add(
            &self->page,
            (page_block_t){.section = title, .rows = rows, .draw = facts_draw, .context = facts});
    else
        free(title);
}

/* ---- the screen ---- */

static void compose(screen_finding_t *self, canvas_t *canvas)
{
    page_t *page = &self->page;
    make_head(self, canvas);
    page_begin(page);
    page_add(page, (page_block_t){.rows = facts_rows(&self->head),
                                  .draw = facts_draw,
                                  .context = &self->head});
    if (!self->kept.frame)
        return;
    const rule_t *rule = rules_find(finding_of(self)->rule);
    make_links(self, canvas);
    make_evidence(self, canvas);
    make_advice(self, canvas, rule);
    make_explanation(self, canvas, rule);
    page_add(page, (page_block_t){.rows = self->links.list.count,
                                  .items = self->links.list.count,
                                  .draw = draw_links,
                                  .target = link_target,
                                  .context = self});
    add_section(self, memory_string("Evidence"), &self->evidence);
    add_section(self, memory_string("What to do"), &self->advice);
    add_section(self,
                memory_format("%s: %s", finding_of(self)->rule, rule ? rule->title : "not known"),
                &self->explanation);
}

static void draw(screen_t *screen, ui_t *ui, canvas_t *canvas, int top, int bottom,
                 const frame_t *frame)
{
    screen_finding_t *self = (screen_finding_t *)screen;
    (void)ui;
    if (frame) {
        const size_t index = frame_find_finding(frame, self->identity);
        if (kept_update(&self->kept, frame, index != FRAME_NONE))
            self->index = index;
    }
    compose(self, canvas);
    page_draw(&self->page, canvas, top, bottom);
}

static bool input(screen_t *screen, ui_t *ui, const ui_input_t *key, ui_request_t *request)
{
    screen_finding_t *self = (screen_finding_t *)screen;
    (void)request;
    return page_keys(&self->page, ui, key, self->kept.frame);
}

static const char *const *keys(const screen_t *screen)
{
    static const char *const list[] = {"Enter", "open", "Tab", "section", NULL, NULL};
    (void)screen;
    return list;
}

static void destroy(screen_t **screen)
{
    screen_finding_t *self = (screen_finding_t *)*screen;
    page_clear(&self->page);
    facts_clear(&self->head);
    facts_clear(&self->links);
    facts_clear(&self->evidence);
    facts_clear(&self->advice);
    facts_clear(&self->explanation);
    kept_clear(&self->kept);
    free(self->identity);
    free(self);
    *screen = NULL;
}

screen_t *screen_finding_new(const char *identity)
{
    static const screen_methods_t methods = {
        .name = "finding", .input = input, .draw = draw, .keys = keys, .destroy = destroy};
    screen_finding_t *self = memory_new(1, sizeof *self);
    self->screen.methods = &methods;
    self->identity = memory_string(identity);
    return &self->screen;
}
