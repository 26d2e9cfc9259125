#include "monitor/analysis/findings/rules_losses.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/memory.h"
#include "base/plural.h"
#include "base/timespec.h"
#include "monitor/analysis/changes.h"
#include "response/names.h"

/* ---- what all of them say ---- */

static const char *subscriber_of(const rule_subscription_t *subscription)
{
    return subscription->part->reply->server;
}

static const reply_t *publishing_reply(const rules_input_t *input,
                                       const rule_subscription_t *subscription)
{
    const published_stream_t *publisher = subscription->publisher;
    return publisher && publisher->server != PUBLISHED_BY_SEVERAL
               ? &input->snapshot->replies[publisher->server]
               : NULL;
}

static finding_about_t about_of(const rules_input_t *input, const rule_subscription_t *subscription)
{
    const reply_t *reply = publishing_reply(input, subscription);
    return (finding_about_t){
        .server = subscriber_of(subscription),
        .stream = subscription->stream,
        .publisher = reply ? reply->server : subscription->now->channel_name,
        .subscriber = subscriber_of(subscription),
    };
}

/* The name of the publisher, for sentences. */
static const char *publisher_named(const finding_t *finding)
{
    return finding->about.publisher ? finding->about.publisher : "its publisher";
}

/* The counts of both sides, so that nobody has to look for them. */
static void add_counts(finding_t *finding, const rule_subscription_t *subscription)
{
    const response_subscription_t *now = subscription->now;
    const published_stream_t *publisher = subscription->publisher;
    if (publisher && publisher->count != RESPONSE_UNKNOWN)
        finding_evidence(finding, "%s has pushed %" PRId64 " event%s of this stream",
                         publisher_named(finding), publisher->count, PLURAL(publisher->count));
    else if (publisher && publisher->server == PUBLISHED_BY_SEVERAL)
        finding_evidence(finding, "several watched servers push a stream of this name");
    if (now->counts.event_count > 0 && now->counts.server_counter != RESPONSE_UNKNOWN)
        finding_evidence(
            finding, "%s has received %" PRId64 ", the last of them with the number %" PRId64,
            subscriber_of(subscription), now->counts.event_count, now->counts.server_counter);
    else if (now->counts.event_count != RESPONSE_UNKNOWN)
        finding_evidence(finding, "%s has received %" PRId64, subscriber_of(subscription),
                         now->counts.event_count);
    const loss_t *loss = subscription->loss;
    if (loss && loss->source != LOSS_UNKNOWN)
        finding_evidence(
            finding, "%s has lost %s%" PRId64 " of them%s", subscriber_of(subscription),
            loss->is_minimum ? "at least " : "", loss->lost,
            loss->source == LOSS_COUNTED ? "" : ", as far as the monitor has followed them");
    if (loss && loss->not_received > 0)
        finding_evidence(finding,
                         "pushed before the previous poll and still not received: %" PRId64,
                         loss->not_received);
}

/* What a finding remembers as its peaks: events per second, and the work that they make. */
enum { RATE, LOAD };

/*
 * Adds what was lost now to a finding, and to what that is out of: all that was received or lost
 * since it began, also in observations in which nothing was lost. Returns how many came or were
 * lost per second; 0: not known.
 */
static double add_losses(finding_t *finding, const rule_subscription_t *subscription, int64_t lost)
{
    const loss_t *loss = subscription->loss;
    const subscription_row_t *row = subscription->row;
    const int64_t received = row && row->steps.event_count > 0 ? row->steps.event_count : 0;
    const int64_t step = changes_sum(received, loss->step);
    const int64_t event_count = subscription->now->counts.event_count;
    const int64_t all = event_count != RESPONSE_UNKNOWN && loss->source != LOSS_UNKNOWN
                            ? changes_sum(event_count, loss->lost)
                            : RESPONSE_UNKNOWN;
    const bool goes_on = finding->among != RESPONSE_UNKNOWN && finding->mark != RESPONSE_UNKNOWN &&
                         all != RESPONSE_UNKNOWN && !(row && row->restarted) &&
                         all - finding->mark >= step;
    finding->among = changes_sum(finding->among == RESPONSE_UNKNOWN ? 0 : finding->among,
                                 goes_on ? all - finding->mark : step);
    finding->mark = all;
    finding_add_events(finding, lost);
    finding->events_is_minimum |= loss->step_is_minimum;
    /* Nobody knows when what was overdue was pushed, if the publisher isn't watched. */
    const double seconds = subscription->part->seconds;
    const double noticed = seconds > 0 && loss->overdue_step == 0 ? (double)step / seconds : 0;
    const double rate = loss->push_rate > 0 ? loss->push_rate : noticed;
    finding->peaks[RATE] = fmax(finding->peaks[RATE], rate);
    return rate;
}

/* "lost 12 of 40 on STREAM"; the caller frees it. */
static char *lost_text(const finding_t *finding, const rule_subscription_t *subscription)
{
    return memory_format("lost %s%" PRId64 " of %" PRId64 " on %s",
                         finding->events_is_minimum ? "at least " : "", finding->events,
                         finding->among, subscription->stream);
}

/* ---- how long callbacks take ---- */

typedef struct {
    double micros;  /* of an event, all its callbacks; NAN: not measured */
    int64_t count;  /* of events that this is the mean of */
    bool is_of_all; /* of all events since the previous answer; else of the newest ones */
} processing_t;

static processing_t of_histogram(const rule_subscription_t *subscription)
{
    const response_histogram_t *now = subscription->now->processing;
    const response_histogram_t *before =
        subscription->before ? subscription->before->processing : NULL;
    const bool is_from_0 = !before || (subscription->row && subscription->row->restarted);
    const int64_t count = now ? now->count - (is_from_0 ? 0 : before->count) : 0;
    const double nanos = now ? now->sum_nanos - (is_from_0 ? 0 : before->sum_nanos) : 0;
    if (count <= 0 || !(nanos >= 0))
        return (processing_t){.micros = NAN};
    return (processing_t){.micros = nanos / 1e3 / (double)count, .count = count, .is_of_all = true};
}

/* Samples have the first 31 characters of the attribute's name; those of the built-in command also
 * the "#dbase=no" of a device without a database. */
static bool is_sample_of(const response_receive_sample_t *sample, const char *stream)
{
    enum { LONGEST = 31 };
    const char *slash = strrchr(stream, '/');
    const size_t length = slash ? strcspn(slash + 1, ".#") : 0;
    const size_t shown = length < LONGEST ? length : LONGEST;
    return sample->attr_name && !sample->discarded && isfinite(sample->process_micros) &&
           shown > 0 && strcspn(sample->attr_name, "#") == shown &&
           strncasecmp(sample->attr_name, slash + 1, shown) == 0;
}

static processing_t of_samples(const rule_subscription_t *subscription)
{
    const response_t *response = subscription->part->reply->response;
    processing_t sum = {0};
    for (size_t i = 0; i < response->receive_sample_count; i++) {
        if (!is_sample_of(&response->receive_samples[i], subscription->stream))
            continue;
        sum.micros += response->receive_samples[i].process_micros;
        sum.count++;
    }
    sum.micros = sum.count > 0 ? sum.micros / (double)sum.count : NAN;
    return sum;
}

static processing_t processing_of(const rule_subscription_t *subscription)
{
    const processing_t all = of_histogram(subscription);
    return isfinite(all.micros) ? all : of_samples(subscription);
}

/* ---- overflow ---- */

/* From this share of its time on, a reader that works without a break is what is too slow. */
#define TOO_SLOW 0.8

#define LARGER_QUEUES                                                                              \
    "Make the queues larger than a burst: EventBufferHwm (of subscribers) and DSEventBufferHwm "   \
    "(of publishers) of the database's free object CtrlSystem, or TANGO_EVENT_BUFFER_HWM in the "  \
    "subscriber's environment and TANGO_DS_EVENT_BUFFER_HWM in the publisher's (1000 events "      \
    "unless set), and restart the servers. Or push in smaller bursts."

/* Why is only known as far as callbacks were measured. */
static void say_overflow(finding_t *finding, const rule_subscription_t *subscription, double rate)
{
    const processing_t processing = processing_of(subscription);
    const bool is_measured = isfinite(processing.micros);
    if (is_measured)
        finding->peaks[LOAD] = fmax(finding->peaks[LOAD], rate * processing.micros / 1e6);
    const double load = finding->peaks[LOAD];
    char *rate_text = finding->peaks[RATE] > 0 ? memory_format(" at %.0f/s", finding->peaks[RATE])
                                               : memory_string("");
    char *text = lost_text(finding, subscription);
    char *lost = memory_format("%s%s", text, rate_text);
    free(text);
    free(rate_text);
    const char *subscriber = subscriber_of(subscription);
    if (load >= TOO_SLOW) {
        finding_say(finding, "%s: queue overflow, publisher faster than %s's callbacks", lost,
                    subscriber);
        finding_advise(
            finding,
            "Make the callbacks of %s faster, or have them only put the event into a queue "
            "for another thread. If not every value is needed, push less often (a larger "
            "abs_change, or a pause between pushes). Larger queues only help with bursts.",
            subscriber);
    } else if (load > 0) {
        finding_say(finding, "%s: queue overflow, a burst larger than the queues to %s", lost,
                    subscriber);
        finding_advise(finding, LARGER_QUEUES);
    } else {
        finding_say(finding, "%s: queue overflow, %s pushed faster than %s read", lost,
                    publisher_named(finding), subscriber);
        finding_advise(finding, "Run the monitor with -m to learn whether the callbacks are too "
                                "slow. If they aren't, it is bursts. " LARGER_QUEUES);
    }
    free(lost);
    if (load > 0)
        finding_evidence(finding, "rate x time in callbacks: %.2f s of work arrive per second%s",
                         load, load < TOO_SLOW ? ", which the subscriber can keep up with" : "");
    else
        finding_evidence(finding,
                         "how long callbacks take wasn't measured: -m does that, and tells "
                         "slow callbacks from a burst");
    if (is_measured)
        finding_evidence(finding, "callbacks took %.0f us per event (mean of %s%" PRId64 " events)",
                         processing.micros, processing.is_of_all ? "all " : "the newest ",
                         processing.count);
    const response_consumer_t *consumer = &subscription->part->reply->response->consumer;
    if (consumer->topic && consumer->state_micros > 1e3)
        finding_evidence(finding, "when asked, a callback for %s had been running for %.3f s",
                         consumer->topic, consumer->state_micros / 1e6);
}

void rule_overflow(const rule_t *self, const rules_input_t *input,
                   const rule_subscription_t *subscription)
{
    const loss_t *loss = subscription->loss;
    if (!loss || loss->step <= 0)
        return;
    const int64_t lost = loss->step - loss->outage_step - loss->early_step;
    if (lost <= 0)
        return;
    const finding_about_t about = about_of(input, subscription);
    finding_t *finding = findings_report(input->findings, self, &about);
    const double rate = add_losses(finding, subscription, lost);
    say_overflow(finding, subscription, rate);
    add_counts(finding, subscription);
}

/* ---- pushed, and not received ---- */

typedef enum {
    ALL_CAME,       /* or nothing is known */
    MAY_COME,       /* they come, or the reader doesn't read */
    OF_NEW_PROCESS, /* the publisher is another process, and none of its events has come yet */
    GONE            /* nothing comes, and the reader has nothing to do */
} whereabouts_t;

/* So long it has waited for events when asked: between two events that are there it takes less. */
#define IDLE_MICROS 200

typedef enum { IDLE, BUSY, NOT_TOLD } reader_t;

static reader_t reader_of(const rule_subscription_t *subscription)
{
    const response_consumer_t *consumer = &subscription->part->reply->response->consumer;
    if (!consumer->state)
        return NOT_TOLD;
    const bool waits = strcmp(consumer->state, "polling") == 0 && !(consumer->delayed_micros > 0);
    return waits && consumer->state_micros >= IDLE_MICROS ? IDLE : BUSY;
}

static bool nothing_came(const rule_subscription_t *subscription)
{
    const response_subscription_t *before = subscription->before;
    const subscription_counts_t *now = &subscription->now->counts;
    return before && before->counts.event_count == now->event_count &&
           before->counts.server_counter == now->server_counter &&
           before->counts.discarded_event_count == now->discarded_event_count;
}

static bool publisher_began_after_last_event(const rules_input_t *input,
                                             const rule_subscription_t *subscription)
{
    const reply_t *reply = publishing_reply(input, subscription);
    const char *began = reply && reply->response ? response_process_began(reply->response) : NULL;
    const char *last = subscription->now->last_event;
    struct timespec from, to;
    return began && last && timespec_parse(last, &from) && timespec_parse(began, &to) &&
           timespec_seconds_between(&from, &to) > 0;
}

static bool is_known_to_be_lost(const rules_input_t *input, const rule_subscription_t *subscription)
{
    const finding_about_t about = about_of(input, subscription);
    return findings_find(input->findings, rules_find("unnoticed-loss"), &about) != NULL;
}

static whereabouts_t whereabouts_of(const rules_input_t *input,
                                    const rule_subscription_t *subscription)
{
    const loss_t *loss = subscription->loss;
    if (!loss || loss->not_received <= 0)
        return ALL_CAME;
    if (loss->publisher_changed || publisher_began_after_last_event(input, subscription))
        return OF_NEW_PROCESS;
    /* If the reader has waited in vain once, it need not do so at each answer. */
    if (!nothing_came(subscription) ||
        (reader_of(subscription) == BUSY && !is_known_to_be_lost(input, subscription)))
        return MAY_COME;
    /* Before a first event, perhaps nobody has listened. */
    return subscription->now->counts.event_count > 0 ? GONE : ALL_CAME;
}

/* What was missing has come, or another rule tells of it from now on. */
static void settle(const rule_t *self, const rules_input_t *input,
                   const rule_subscription_t *subscription)
{
    /* Where nothing is news, nothing was missing either. */
    const loss_t *loss = subscription->loss;
    if (!loss || (!loss->is_news && loss->not_received <= 0))
        return;
    const finding_about_t about = about_of(input, subscription);
    finding_t *finding = findings_find(input->findings, self, &about);
    if (!finding)
        return;
    const int64_t missed = finding->events;
    finding_hand_over(finding);
    if (loss->step > 0)
        finding_say(finding,
                    "%" PRId64
                    " event%s of %s hadn't been received: %s has noticed since then that "
                    "%" PRId64 " %s lost",
                    missed, PLURAL(missed), subscription->stream, subscriber_of(subscription),
                    loss->step, loss->step == 1 ? "was" : "were");
    else if (loss->not_received <= 0)
        finding_say(finding, "%" PRId64 " event%s of %s hadn't been received: %s arrived since",
                    missed, PLURAL(missed), subscription->stream,
                    missed == 1 ? "it has" : "they have");
    else
        finding_say(finding,
                    "%" PRId64 " event%s of %s hadn't been received, and %" PRId64 " still %s",
                    missed, PLURAL(missed), subscription->stream, loss->not_received,
                    loss->not_received == 1 ? "hasn't" : "haven't");
}

/* "6513 of the 30000 events pushed on STREAM"; the caller frees it. */
static char *not_received_text(const rule_subscription_t *subscription)
{
    const published_stream_t *publisher = subscription->publisher;
    if (!publisher || publisher->count < subscription->loss->not_received)
        return memory_format("%" PRId64 " event%s pushed on %s", subscription->loss->not_received,
                             PLURAL(subscription->loss->not_received), subscription->stream);
    return memory_format("%" PRId64 " of %" PRId64 " events pushed on %s",
                         subscription->loss->not_received, publisher->count, subscription->stream);
}

static finding_t *report_not_received(const rule_t *self, const rules_input_t *input,
                                      const rule_subscription_t *subscription)
{
    const finding_about_t about = about_of(input, subscription);
    finding_t *finding = findings_report(input->findings, self, &about);
    finding->events = subscription->loss->not_received;
    finding->among = subscription->publisher ? subscription->publisher->count : RESPONSE_UNKNOWN;
    return finding;
}

/* On a busy machine, events were under way for more than a second (seen: 1.8 s). */
#define UNDER_WAY_SECONDS 3

void rule_unnoticed_loss(const rule_t *self, const rules_input_t *input,
                         const rule_subscription_t *subscription)
{
    if (whereabouts_of(input, subscription) != GONE ||
        (double)subscription->loss->not_received < rule_threshold(self, input->settings)) {
        settle(self, input, subscription);
        return;
    }
    finding_t *finding = report_not_received(self, input, subscription);
    if (timespec_seconds_between(&finding->reported_since, &finding->seen) < UNDER_WAY_SECONDS)
        finding_needs_polls(finding, finding->polls + 1);
    char *which = not_received_text(subscription);
    const char *subscriber = subscriber_of(subscription);
    finding_say(finding, "lost %s: %s hasn't noticed, and won't until the next event", which,
                subscriber);
    free(which);
    add_counts(finding, subscription);
    if (subscription->channel && subscription->channel->last_heartbeat)
        finding_evidence(finding, "the last heartbeat of %s came at %s", publisher_named(finding),
                         subscription->channel->last_heartbeat);
    if (reader_of(subscription) == IDLE) {
        finding_evidence(finding, "nothing has arrived since the previous poll, and its consumer "
                                  "thread is idle");
    } else {
        if (finding->polls < 3)
            finding_needs_polls(finding, 3);
        finding_evidence(
            finding,
            "nothing has arrived for %.0f s; without the agent nobody can tell whether a "
            "callback has been running all that time",
            finding_seconds(finding));
    }
    finding_advise(finding,
                   "Read the attribute: its value is newer than the last event. " LARGER_QUEUES);
}

/* It is one callback that events wait behind, not many. */
#define LONG_MICROS 1e6

void rule_not_received(const rule_t *self, const rules_input_t *input,
                       const rule_subscription_t *subscription)
{
    const whereabouts_t where = whereabouts_of(input, subscription);
    if (where != MAY_COME && where != OF_NEW_PROCESS) {
        settle(self, input, subscription);
        return;
    }
    finding_t *finding = report_not_received(self, input, subscription);
    char *which = not_received_text(subscription);
    const char *subscriber = subscriber_of(subscription);
    const response_consumer_t *consumer = &subscription->part->reply->response->consumer;
    char *stream = consumer->topic ? names_stream_of_topic(consumer->topic) : NULL;
    if (where == OF_NEW_PROCESS)
        finding_say(finding, "%s not received: none has reached %s since %s was restarted", which,
                    subscriber, publisher_named(finding));
    else if (stream && consumer->state_micros < LONG_MICROS)
        finding_say(finding, "%s not received: waiting for callbacks, now one for %s, or lost",
                    which, stream);
    else if (stream)
        finding_say(finding,
                    "%s not received: waiting behind a callback for %s that has been running for "
                    "%.1f s, or lost",
                    which, stream, consumer->state_micros / 1e6);
    else if (consumer->delayed_micros > 0)
        finding_say(finding,
                    "%s not received: waiting for a subscription that %s has been making for "
                    "%.1f s, or lost",
                    which, subscriber, consumer->delayed_micros / 1e6);
    else
        finding_say(finding, "%s not received: waiting until %s has read what came before, or lost",
                    which, subscriber);
    free(stream);
    free(which);
    add_counts(finding, subscription);
}

/* ---- outages ---- */

/* Before a subscription's first event, its connection may take so long. */
#define CONNECTING_SECONDS 10

void rule_outage(const rule_t *self, const rules_input_t *input,
                 const rule_subscription_t *subscription)
{
    const loss_t *loss = subscription->loss;
    if (!loss || loss->step <= 0)
        return;
    const bool was_early =
        loss->early_step > 0 &&
        timespec_seconds_between(&loss->since, &input->snapshot->time) >= CONNECTING_SECONDS;
    const int64_t lost = changes_sum(loss->outage_step, was_early ? loss->early_step : 0);
    if (lost <= 0)
        return;
    const finding_about_t about = about_of(input, subscription);
    finding_t *finding = findings_report(input->findings, self, &about);
    add_losses(finding, subscription, lost);
    char *text = lost_text(finding, subscription);
    const char *publisher = publisher_named(finding);
    const char *subscriber = subscriber_of(subscription);
    const bool restarted = subscription->row && subscription->row->publisher_restarted;
    /* More than the new process has numbered. */
    if (restarted && lost > subscription->now->counts.server_counter)
        finding_say(finding, "%s: %s ended before %s had received them", text, publisher,
                    subscriber);
    else if (restarted)
        finding_say(finding, "%s: %s was restarted, and %s wasn't connected to it yet", text,
                    publisher, subscriber);
    else if (was_early)
        finding_say(finding, "%s: pushed before %s was connected to %s", text, subscriber,
                    publisher);
    else
        finding_say(finding, "%s: %s's connection to %s was down", text, subscriber, publisher);
    free(text);
    if (subscription->now->last_resubscribed)
        finding_evidence(finding, "%s subscribed again at %s", subscriber,
                         subscription->now->last_resubscribed);
    if (subscription->part->reply->response->dialect != RESPONSE_AGENT)
        finding_evidence(finding,
                         "without the agent in %s, an overflow right after the outage is "
                         "counted here, too",
                         subscriber);
    add_counts(finding, subscription);
}

void rule_publisher_restart(const rule_t *self, const rules_input_t *input,
                            const rule_subscription_t *subscription)
{
    if (!subscription->row || !subscription->row->publisher_restarted)
        return;
    const reply_t *reply = publishing_reply(input, subscription);
    const char *began = reply && reply->response ? response_process_began(reply->response) : NULL;
    const char *again = subscription->now->last_resubscribed;
    struct timespec from, to;
    if (!began || !again || !timespec_parse(began, &from) || !timespec_parse(again, &to))
        return;
    const double seconds = timespec_seconds_between(&from, &to);
    if (seconds < rule_threshold(self, input->settings))
        return;
    const finding_about_t about = about_of(input, subscription);
    finding_t *finding = findings_report(input->findings, self, &about);
    finding_say(finding,
                "%s was restarted, and %s took %.0f s to subscribe to %s again: changes in "
                "between reached nobody",
                publisher_named(finding), subscriber_of(subscription), seconds,
                subscription->stream);
    finding_evidence(finding, "the new process of %s began at %s", publisher_named(finding), began);
    finding_evidence(finding, "%s subscribed again at %s", subscriber_of(subscription), again);
    add_counts(finding, subscription);
}

/* ---- from before ---- */

void rule_earlier_losses(const rule_t *self, const rules_input_t *input,
                         const rule_subscription_t *subscription)
{
    const subscription_row_t *row = subscription->row;
    if (!subscription->part->changes->first || !row || row->earlier_losses <= 0 ||
        (double)row->earlier_losses < rule_threshold(self, input->settings))
        return;
    const finding_about_t about = about_of(input, subscription);
    finding_t *finding = findings_report(input->findings, self, &about);
    const subscription_counts_t *counts = &subscription->now->counts;
    const char *subscriber = subscriber_of(subscription);
    finding->events = row->earlier_losses;
    finding->events_is_minimum = row->only_misses || subscription->now->lost_is_minimum;
    if (counts->event_count != RESPONSE_UNKNOWN && !finding->events_is_minimum)
        finding->among = changes_sum(counts->event_count, row->earlier_losses);
    finding_say(finding, "%s lost %s%" PRId64 " event%s on %s before the monitor first asked it",
                subscriber, finding->events_is_minimum ? "at least " : "", row->earlier_losses,
                PLURAL(row->earlier_losses), subscription->stream);
    if (counts->outage_lost_event_count > 0)
        finding_evidence(finding, "of these, %" PRId64 " while its connection was down",
                         counts->outage_lost_event_count);
    if (row->only_misses) {
        finding_evidence(finding, "it noticed %" PRId64 " gap%s, each of at least one event",
                         counts->missed_event_count, PLURAL(counts->missed_event_count));
        if (counts->server_counter > counts->event_count && counts->event_count > 0)
            finding_evidence(finding,
                             "at most %" PRId64 " if its publisher is still the same process",
                             counts->server_counter - counts->event_count);
    }
    add_counts(finding, subscription);
}

/* ---- duplicates, and events without a number ---- */

static bool has_no_counter(const response_subscription_t *subscription)
{
    return subscription->counts.server_counter == 0 && subscription->counts.event_count > 0;
}

/* Of events that really come twice, half are discarded. */
#define DUPLICATES_SHARE 0.4

void rule_duplicates(const rule_t *self, const rules_input_t *input,
                     const rule_subscription_t *subscription)
{
    const subscription_row_t *row = subscription->row;
    if (!row || !subscription->before || row->restarted)
        return;
    const int64_t discarded = row->steps.discarded_event_count;
    const int64_t received = row->steps.event_count;
    if (discarded <= 0 || received < 0 ||
        (double)discarded < rule_threshold(self, input->settings) ||
        (double)discarded < DUPLICATES_SHARE * ((double)discarded + (double)received))
        return;
    const finding_about_t about = about_of(input, subscription);
    finding_t *finding = findings_report(input->findings, self, &about);
    const char *subscriber = subscriber_of(subscription);
    finding_add_events(finding, discarded);
    finding->among = changes_sum(finding->among == RESPONSE_UNKNOWN ? 0 : finding->among,
                                 changes_sum(discarded, received));
    if (has_no_counter(subscription->now)) {
        finding->severity = SEVERITY_FAULT;
        finding_say(finding,
                    "%s discards every second event of %s (%" PRId64 " of %" PRId64
                    "): %s doesn't number them, and Tango takes them for duplicates",
                    subscriber, subscription->stream, finding->events, finding->among,
                    publisher_named(finding));
        finding_evidence(finding, "all events came with the counter 0, as cppTango 9.3 sends them "
                                  "from a server without a database");
        finding_advise(finding,
                       "Run %s with a database or a property file (-file=), or with cppTango 10; a "
                       "subscriber older "
                       "than cppTango 10 hands all events to its callbacks.",
                       publisher_named(finding));
    } else {
        finding_say(finding, "events of %s reach %s twice: it discarded %" PRId64 " of %" PRId64,
                    subscription->stream, subscriber, finding->events, finding->among);
        finding_evidence(finding, "one duplicate comes with each new subscriber; these are more");
    }
    add_counts(finding, subscription);
}

void rule_no_counter(const rule_t *self, const rules_input_t *input,
                     const rule_subscription_t *subscription)
{
    if (!has_no_counter(subscription->now) || !subscription->before ||
        !has_no_counter(subscription->before) || subscription->now->counts.event_count < 2)
        return;
    /* All streams of that publisher are the same in this. */
    finding_about_t about = about_of(input, subscription);
    about.stream = NULL;
    finding_t *finding = findings_report(input->findings, self, &about);
    finding_say(finding, "nobody can tell whether %s loses events of %s: they aren't numbered",
                subscriber_of(subscription), publisher_named(finding));
    finding_evidence(finding, "events came with the counter 0, on %s for one",
                     subscription->stream);
}
