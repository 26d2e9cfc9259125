#include "monitor/analysis/findings/findings.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/name_set.h"
#include "base/shorten.h"
#include "base/timespec.h"
#include "base/vector.h"
#include "monitor/analysis/findings/rules.h"
#include "response/names.h"

/* By so many seconds the time of day differs from the monotonic clock when somebody has set it, */
#define CLOCK_JUMP 1.0
/* and by more only in recordings that somebody made up. */
#define CLOCK_JUMP_MAXIMUM 1e10

/* So many bytes of a text are kept, and of a name, which may come from a hostile server. No text
 * that means something is longer. */
enum { TEXT_MAXIMUM = 3000, NAME_MAXIMUM = 1000 };

/* When there are FINDINGS_MAXIMUM of them, those that are past make room for so many. */
enum { ROOM = FINDINGS_MAXIMUM / 4 };

/* A finding, and what only the engine knows of it. */
typedef struct {
    finding_t seen; /* the public part; comes first */
    uint64_t hash;
    bool reported;         /* in the present observation */
    bool fresh;            /* for the first time in a row */
    double seconds_before; /* that it lasted in its former times */
    int64_t events_before; /* likewise */
    bool has_former;       /* it is past, and suspected once more, which seen is about: */
    finding_t former;      /* as it was; about and identity are those of seen */
} whole_t;

struct findings {
    const rule_settings_t *settings;
    vector_t all;       /* whole_t * */
    size_t *places;     /* a hash table: index in all plus 1; 0: free */
    size_t place_count; /* a power of two */
    vector_t now;       /* finding_t *, sorted */
    vector_t of_run;
    vector_t suspected;
    size_t left_out;
    whole_t *beyond; /* the one that is thrown away */
    struct timespec time;
    double asked;               /* the same moment, as in snapshot_t */
    const snapshot_t *previous; /* the last answers before it, during findings_update() */
};

const char *severity_name(severity_t severity)
{
    static const char *const names[] = {
        [SEVERITY_REMARK] = "remark", [SEVERITY_WARNING] = "warning", [SEVERITY_FAULT] = "fault"};
    return names[severity];
}

const char *finding_state_name(finding_state_t state)
{
    static const char *const names[] = {[FINDING_SUSPECTED] = "suspected",
                                        [FINDING_BEGAN] = "began",
                                        [FINDING_LASTS] = "lasts",
                                        [FINDING_ENDED] = "ended",
                                        [FINDING_PAST] = "past"};
    return names[state];
}

findings_t *findings_new(const rule_settings_t *settings)
{
    findings_t *self = memory_new(1, sizeof *self);
    self->settings = settings;
    self->all.item_size = self->now.item_size = self->of_run.item_size = self->suspected.item_size =
        sizeof(whole_t *);
    self->place_count = 64;
    self->places = memory_new(self->place_count, sizeof *self->places);
    return self;
}

static void empty_texts(finding_t *self)
{
    for (size_t i = 0; i < self->evidence_count; i++)
        free(self->evidence[i]);
    free(self->evidence);
    free(self->text);
    free(self->advice);
    self->evidence = NULL;
    self->evidence_count = 0;
    self->text = self->advice = NULL;
}

static void whole_destroy(whole_t **self)
{
    if (!*self)
        return;
    finding_t *seen = &(*self)->seen;
    empty_texts(seen);
    empty_texts(&(*self)->former);
    free((char *)seen->about.server);
    free((char *)seen->about.stream);
    free((char *)seen->about.publisher);
    free((char *)seen->about.subscriber);
    free((char *)seen->about.object);
    free(seen->identity);
    free(*self);
    *self = NULL;
}

void findings_destroy(findings_t **self)
{
    if (!*self)
        return;
    whole_t **all = (*self)->all.items;
    for (size_t i = 0; i < (*self)->all.count; i++)
        whole_destroy(&all[i]);
    whole_destroy(&(*self)->beyond);
    free((*self)->all.items);
    free((*self)->now.items);
    free((*self)->of_run.items);
    free((*self)->suspected.items);
    free((*self)->places);
    free(*self);
    *self = NULL;
}

/* ---- finding again ---- */

/* Each part ends with a byte that no name has. */
static uint64_t add_to_hash(uint64_t hash, const char *text)
{
    return name_set_hash(name_set_hash(hash, text ? text : "\2"), "\1");
}

/*
 * A stream has one publisher, whose name may change: it is that of the channel until it is known
 * which of the watched servers it is.
 */
static uint64_t hash_of(const rule_t *rule, const finding_about_t *about)
{
    uint64_t hash = add_to_hash(0, rule->name);
    hash = add_to_hash(hash, about->server);
    hash = add_to_hash(hash, about->stream);
    hash = add_to_hash(hash, about->stream ? NULL : about->publisher);
    hash = add_to_hash(hash, about->subscriber);
    return add_to_hash(hash, about->object);
}

/* Where a hash is, or would be put. */
static size_t *place_of(const findings_t *self, uint64_t hash)
{
    whole_t *const *all = self->all.items;
    size_t at = (size_t)hash & (self->place_count - 1);
    while (self->places[at] != 0 && all[self->places[at] - 1]->hash != hash)
        at = (at + 1) & (self->place_count - 1);
    return &self->places[at];
}

static void index_all(findings_t *self)
{
    whole_t *const *all = self->all.items;
    while (self->all.count * 2 >= self->place_count)
        self->place_count *= 2;
    free(self->places);
    self->places = memory_new(self->place_count, sizeof *self->places);
    for (size_t i = 0; i < self->all.count; i++)
        *place_of(self, all[i]->hash) = i + 1;
}

static char *copy_name(const char *name)
{
    return shorten_copy(name, NAME_MAXIMUM);
}

static whole_t *make(const rule_t *rule, const finding_about_t *about, uint64_t hash)
{
    whole_t *whole = memory_new(1, sizeof *whole);
    whole->hash = hash;
    whole->seen = (finding_t){
        .rule = rule,
        .about = {.server = copy_name(about->server),
                  .stream = copy_name(about->stream),
                  .publisher = copy_name(about->publisher),
                  .subscriber = copy_name(about->subscriber),
                  .object = copy_name(about->object)},
        .identity = memory_format("%s-%016" PRIx64, rule->name, hash),
        .state = FINDING_SUSPECTED,
        .events = RESPONSE_UNKNOWN,
        .events_in_all = RESPONSE_UNKNOWN,
        .among = RESPONSE_UNKNOWN,
        .mark = RESPONSE_UNKNOWN,
    };
    whole->events_before = RESPONSE_UNKNOWN;
    return whole;
}

static whole_t *find_or_add(findings_t *self, const rule_t *rule, const finding_about_t *about)
{
    const uint64_t hash = hash_of(rule, about);
    size_t *place = place_of(self, hash);
    if (*place != 0)
        return ((whole_t **)self->all.items)[*place - 1];
    whole_t *whole = make(rule, about, hash);
    if (self->all.count >= FINDINGS_MAXIMUM) {
        self->left_out++;
        whole_destroy(&self->beyond);
        return self->beyond = whole;
    }
    *(whole_t **)vector_add(&self->all) = whole;
    *place = self->all.count;
    if (self->all.count * 2 >= self->place_count)
        index_all(self);
    return whole;
}

/* ---- those that are suspected once more ---- */

/* Keeps what is known: until it is sure that there is more, that is what was found. */
static void put_aside(whole_t *self)
{
    self->has_former = true;
    self->former = self->seen;
    self->seen.text = self->seen.advice = NULL;
    self->seen.evidence = NULL;
    self->seen.evidence_count = 0;
}

static void forget_former(whole_t *self)
{
    empty_texts(&self->former);
    self->former = (finding_t){0};
    self->has_former = false;
}

/* There was nothing more. */
static void restore_former(whole_t *self)
{
    const finding_t suspected = self->seen;
    empty_texts(&self->seen);
    self->seen = self->former;
    self->seen.about = suspected.about;
    self->has_former = false;
    self->former = (finding_t){0};
}

/* ---- for rules ---- */

finding_t *findings_report(findings_t *self, const rule_t *rule, const finding_about_t *about)
{
    whole_t *whole = find_or_add(self, rule, about);
    finding_t *seen = &whole->seen;
    if (!whole->reported && seen->state == FINDING_PAST)
        put_aside(whole);
    empty_texts(seen);
    seen->severity = rule->severity;
    if (about->publisher &&
        (!seen->about.publisher || strcmp(seen->about.publisher, about->publisher) != 0)) {
        free((char *)seen->about.publisher);
        seen->about.publisher = memory_string(about->publisher);
    }
    if (whole->reported)
        return seen;
    whole->reported = true;
    whole->fresh =
        seen->state == FINDING_SUSPECTED ? seen->polls == 0 : seen->state == FINDING_PAST;
    if (whole->fresh) {
        seen->state = FINDING_SUSPECTED;
        seen->polls = seen->polls_needed = 0;
        seen->events = seen->among = seen->mark = RESPONSE_UNKNOWN;
        seen->events_is_minimum = false;
        seen->peaks[0] = seen->peaks[1] = 0;
        seen->since = seen->reported_since = self->time;
    }
    seen->polls++;
    seen->seen = self->time;
    return seen;
}

void finding_say(finding_t *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    free(self->text);
    self->text = shorten(memory_vformat(format, arguments), TEXT_MAXIMUM);
    va_end(arguments);
}

void finding_evidence(finding_t *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    self->evidence =
        memory_resize(self->evidence, self->evidence_count + 1, sizeof *self->evidence);
    self->evidence[self->evidence_count++] =
        shorten(memory_vformat(format, arguments), TEXT_MAXIMUM);
    va_end(arguments);
}

void finding_advise(finding_t *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    free(self->advice);
    self->advice = shorten(memory_vformat(format, arguments), TEXT_MAXIMUM);
    va_end(arguments);
}

void finding_add_events(finding_t *self, int64_t events)
{
    self->events = changes_sum(self->events == RESPONSE_UNKNOWN ? 0 : self->events, events);
}

void finding_needs_polls(finding_t *self, unsigned polls)
{
    self->polls_needed = polls;
}

finding_t *findings_find(const findings_t *self, const rule_t *rule, const finding_about_t *about)
{
    const size_t place = *place_of(self, hash_of(rule, about));
    finding_t *seen = place != 0 ? &((whole_t **)self->all.items)[place - 1]->seen : NULL;
    return seen && (seen->state == FINDING_BEGAN || seen->state == FINDING_LASTS) ? seen : NULL;
}

void finding_hand_over(finding_t *self)
{
    const whole_t *whole = (const whole_t *)self;
    self->events = self->among = 0;
    self->events_in_all = whole->events_before == RESPONSE_UNKNOWN ? 0 : whole->events_before;
}

void finding_began(finding_t *self, const struct timespec *since)
{
    if (timespec_seconds_between(since, &self->since) > 0)
        self->since = *since;
}

double finding_seconds(const finding_t *self)
{
    return fmax(0, timespec_seconds_between(&self->since, &self->seen));
}

/* ---- after the rules ---- */

static void add_servers(name_set_t *servers, const snapshot_t *snapshot)
{
    for (size_t i = 0; snapshot && i < snapshot->reply_count; i++)
        if (snapshot->replies[i].server)
            name_set_add(servers, names_hash_but_host(snapshot->replies[i].server));
}

/* Says in what was found of a publisher that it isn't among the watched servers. */
static void name_unwatched_publishers(findings_t *self, const snapshot_t *snapshot)
{
    name_set_t watched = {0};
    whole_t *const *all = self->all.items;
    for (size_t i = 0; i < self->all.count; i++) {
        finding_t *seen = &all[i]->seen;
        if (!all[i]->reported || !seen->about.publisher)
            continue;
        if (watched.count == 0) {
            add_servers(&watched, snapshot);
            add_servers(&watched, snapshot->is_part ? self->previous : NULL);
        }
        seen->publisher_is_unwatched =
            !name_set_has(&watched, names_hash_but_host(seen->about.publisher));
        if (seen->publisher_is_unwatched)
            finding_evidence(seen,
                             "%s isn't watched: name it, too, or use --follow, to see its side",
                             seen->about.publisher);
    }
    free(watched.hashes);
}

static bool is_sure(const findings_t *self, const finding_t *seen)
{
    const rule_t *rule = seen->rule;
    return seen->polls >= rule->polls && seen->polls >= seen->polls_needed &&
           timespec_seconds_between(&seen->reported_since, &seen->seen) >= rule->lasts &&
           (!rule->counts || (double)seen->events >= rule_threshold(rule, self->settings)) &&
           (!rule->holds || finding_seconds(seen) >= rule_threshold(rule, self->settings));
}

/* Begins it, or goes on with it. */
static void settle_reported(const findings_t *self, whole_t *whole)
{
    finding_t *seen = &whole->seen;
    if (seen->state != FINDING_SUSPECTED) {
        seen->state = FINDING_LASTS;
    } else if (is_sure(self, seen)) {
        seen->state = FINDING_BEGAN;
        forget_former(whole);
        if (seen->times == 0)
            seen->first = seen->since;
        seen->times++;
        whole->seconds_before = seen->seconds_in_all;
        whole->events_before = seen->events_in_all;
    }
    if (seen->state == FINDING_SUSPECTED)
        return;
    seen->seconds_in_all = whole->seconds_before + finding_seconds(seen);
    seen->events_in_all = whole->events_before;
    if (seen->events != RESPONSE_UNKNOWN)
        seen->events_in_all = changes_sum(
            whole->events_before == RESPONSE_UNKNOWN ? 0 : whole->events_before, seen->events);
}

/* Whether its server's answers can't tell now. */
static bool is_unjudged(const finding_t *seen, const snapshot_t *snapshot)
{
    const reply_t *reply =
        seen->about.server ? snapshot_find(snapshot, seen->about.server, 0) : NULL;
    return reply ? !reply->response && !seen->rule->failed
                 : seen->about.server && snapshot->is_part;
}

/* Returns whether it is to be forgotten. */
static bool settle_unreported(const findings_t *self, whole_t *whole, const snapshot_t *snapshot)
{
    finding_t *seen = &whole->seen;
    switch (seen->state) {
    case FINDING_SUSPECTED:
        if (is_unjudged(seen, snapshot) ||
            (seen->rule->counts &&
             timespec_seconds_between(&seen->seen, &self->time) < seen->rule->keep))
            return false;
        seen->polls = 0;
        if (seen->times == 0)
            return true;
        restore_former(whole);
        break;
    case FINDING_BEGAN:
    case FINDING_LASTS:
        seen->state = FINDING_LASTS;
        if (is_unjudged(seen, snapshot))
            break;
        if (timespec_seconds_between(&seen->seen, &self->time) >= seen->rule->keep)
            seen->state = FINDING_ENDED;
        break;
    case FINDING_ENDED:
        seen->state = FINDING_PAST;
        break;
    case FINDING_PAST:
        break;
    }
    return false;
}

static int compare_findings(const void *a, const void *b)
{
    const finding_t *left = *(finding_t *const *)a;
    const finding_t *right = *(finding_t *const *)b;
    const bool left_lasts = left->state < FINDING_ENDED;
    const bool right_lasts = right->state < FINDING_ENDED;
    if (left_lasts != right_lasts)
        return left_lasts ? -1 : 1;
    if (left->severity != right->severity)
        return left->severity > right->severity ? -1 : 1;
    const double later = timespec_seconds_between(&left->since, &right->since);
    if (later != 0)
        return later > 0 ? 1 : -1;
    return strcmp(left->identity, right->identity);
}

static void sort(vector_t *list)
{
    if (list->count > 1)
        qsort(list->items, list->count, list->item_size, compare_findings);
}

static void list(findings_t *self)
{
    whole_t *const *all = self->all.items;
    self->now.count = self->of_run.count = self->suspected.count = 0;
    for (size_t i = 0; i < self->all.count; i++) {
        if (all[i]->seen.state == FINDING_SUSPECTED)
            *(finding_t **)vector_add(&self->suspected) = &all[i]->seen;
        if (all[i]->seen.state == FINDING_SUSPECTED && all[i]->seen.times == 0)
            continue;
        all[i]->former.about = all[i]->seen.about;
        *(finding_t **)vector_add(&self->of_run) =
            all[i]->has_former ? &all[i]->former : &all[i]->seen;
        if (all[i]->seen.state != FINDING_SUSPECTED && all[i]->seen.state != FINDING_PAST)
            *(finding_t **)vector_add(&self->now) = &all[i]->seen;
    }
    sort(&self->now);
    sort(&self->of_run);
}

/* ---- clocks ---- */

/*
 * Since the previous snapshot, in seconds: by the monotonic clock; by the time of day if that isn't
 * known, or of another boot, where it is back by at least the former uptime.
 */
static double seconds_since(const findings_t *self, const snapshot_t *snapshot)
{
    const double by_day = timespec_seconds_between(&self->time, &snapshot->time);
    const double seconds = snapshot->asked - self->asked;
    const bool other_boot = snapshot->is_recorded && by_day - seconds >= self->asked;
    return self->asked > 0 && seconds > 0 && !other_boot ? seconds : fmax(0, by_day);
}

static void move(finding_t *self, double seconds)
{
    self->since = timespec_later(&self->since, seconds);
    self->seen = timespec_later(&self->seen, seconds);
    self->first = timespec_later(&self->first, seconds);
    self->reported_since = timespec_later(&self->reported_since, seconds);
}

/* When the time of day is set, what was found goes with it: so long as it lasted, it lasted. */
static void follow_clock(findings_t *self, double jump)
{
    whole_t *const *all = self->all.items;
    for (size_t i = 0; i < self->all.count; i++) {
        move(&all[i]->seen, jump);
        if (all[i]->has_former)
            move(&all[i]->former, jump);
    }
}

double findings_begin(findings_t *self, const snapshot_t *snapshot)
{
    const bool is_first = self->time.tv_sec == 0;
    const double seconds = is_first ? NAN : seconds_since(self, snapshot);
    const double jump =
        is_first ? 0 : timespec_seconds_between(&self->time, &snapshot->time) - seconds;
    if (fabs(jump) > CLOCK_JUMP && fabs(jump) < CLOCK_JUMP_MAXIMUM)
        follow_clock(self, jump);
    self->time = snapshot->time;
    self->asked = snapshot->asked;
    return seconds;
}

void findings_update(findings_t *self, const snapshot_t *snapshot, const snapshot_t *previous,
                     const comparison_t *comparison, const losses_t *losses)
{
    const double seconds = findings_begin(self, snapshot);
    subscribers_t *subscribers = subscribers_new(snapshot);
    const rules_input_t input = {
        .snapshot = snapshot,
        .previous = previous,
        .comparison = comparison,
        .losses = losses,
        .published = losses_published(losses),
        .subscribers = subscribers,
        .settings = self->settings,
        .findings = self,
        .seconds = previous ? seconds : NAN,
    };
    rules_apply(&input);
    subscribers_destroy(&subscribers);
    self->previous = previous;
    findings_settle(self, snapshot);
    self->previous = NULL;
}

static int compare_seen(const void *a, const void *b)
{
    const whole_t *left = *(whole_t *const *)a;
    const whole_t *right = *(whole_t *const *)b;
    const double later = timespec_seconds_between(&left->seen.seen, &right->seen.seen);
    if (later != 0)
        return later > 0 ? -1 : 1;
    return strcmp(left->seen.identity, right->seen.identity);
}

/*
 * When no more can be kept, forgets what has been past for longest, so that servers that invent new
 * names all the time can't hide what will be found.
 */
static void make_room(findings_t *self)
{
    whole_t **all = self->all.items;
    if (self->all.count < FINDINGS_MAXIMUM)
        return;
    size_t past = 0; /* they are moved to the beginning */
    for (size_t i = 0; i < self->all.count; i++) {
        whole_t *whole = all[i];
        if (whole->seen.state != FINDING_PAST)
            continue;
        all[i] = all[past];
        all[past++] = whole;
    }
    qsort(all, past, sizeof *all, compare_seen);
    const size_t forgotten = past < ROOM ? past : ROOM;
    for (size_t i = 0; i < forgotten; i++)
        whole_destroy(&all[i]);
    memmove(all, all + forgotten, (self->all.count - forgotten) * sizeof *all);
    self->all.count -= forgotten;
    self->left_out += forgotten;
    index_all(self);
}

void findings_settle(findings_t *self, const snapshot_t *snapshot)
{
    name_unwatched_publishers(self, snapshot);
    whole_t **all = self->all.items;
    size_t kept = 0;
    for (size_t i = 0; i < self->all.count; i++) {
        bool forgotten = false;
        if (all[i]->reported)
            settle_reported(self, all[i]);
        else
            forgotten = settle_unreported(self, all[i], snapshot);
        all[i]->reported = false;
        if (forgotten)
            whole_destroy(&all[i]);
        else
            all[kept++] = all[i];
    }
    if (kept < self->all.count) {
        self->all.count = kept;
        index_all(self);
    }
    make_room(self);
    list(self);
}

const finding_t *const *findings_now(const findings_t *self, size_t *count)
{
    *count = self->now.count;
    return self->now.items;
}

const finding_t *const *findings_of_run(const findings_t *self, size_t *count)
{
    *count = self->of_run.count;
    return self->of_run.items;
}

const finding_t *const *findings_suspected(const findings_t *self, size_t *count)
{
    *count = self->suspected.count;
    return self->suspected.items;
}

double findings_threshold(const findings_t *self, const rule_t *rule)
{
    return rule_threshold(rule, self->settings);
}

size_t findings_left_out(const findings_t *self)
{
    return self->left_out;
}
