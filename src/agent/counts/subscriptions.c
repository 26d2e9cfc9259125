#include "agent/counts/subscriptions.h"

#include <stdlib.h>

/* The subscription of that id, a new one if there is none; NULL if memory ran out. */
static subscription_t *get(subscriptions_t *self, int event_id)
{
    subscription_t **place = &self->first;
    if (self->last && self->last->event_id < event_id)
        place = &self->last->next; /* ids grow: most are new */
    while (*place && (*place)->event_id < event_id)
        place = &(*place)->next;
    if (*place && (*place)->event_id == event_id)
        return *place;
    subscription_t *made = calloc(1, sizeof *made);
    if (made) {
        made->event_id = event_id;
        made->next = *place;
        *place = made;
        if (!made->next)
            self->last = made;
    }
    return made;
}

void subscriptions_connected(subscriptions_t *self, int event_id, topic_t *topic)
{
    pthread_mutex_lock(&self->mutex);
    subscription_t *subscription = get(self, event_id);
    if (subscription && !subscription->topic) {
        subscription->topic = topic;
        free(subscription->detail);
        subscription->detail = NULL;
        subscription->of_topic = topic_callback_added(topic);
    }
    pthread_mutex_unlock(&self->mutex);
}

void subscriptions_not_connected(subscriptions_t *self, int event_id,
                                 const subscription_target_t *target, int64_t now_ns)
{
    pthread_mutex_lock(&self->mutex);
    subscription_t *subscription = get(self, event_id);
    if (subscription && !subscription->topic && !subscription->detail)
        subscription->detail = malloc(sizeof *subscription->detail);
    if (subscription && subscription->detail)
        *subscription->detail = (not_connected_t){*target, now_ns};
    pthread_mutex_unlock(&self->mutex);
}

void subscriptions_tried_again(subscriptions_t *self, int event_id, int64_t now_ns)
{
    pthread_mutex_lock(&self->mutex);
    for (subscription_t *one = self->first; one; one = one->next)
        if (one->event_id == event_id && one->detail)
            one->detail->last_try_ns = now_ns;
    pthread_mutex_unlock(&self->mutex);
}

void subscriptions_removed(subscriptions_t *self, int event_id)
{
    pthread_mutex_lock(&self->mutex);
    subscription_t *before = NULL;
    for (subscription_t **place = &self->first; *place; place = &(*place)->next) {
        subscription_t *subscription = *place;
        if (subscription->event_id != event_id) {
            before = subscription;
            continue;
        }
        *place = subscription->next;
        if (self->last == subscription)
            self->last = before;
        if (subscription->topic)
            topic_callback_removed(subscription->topic, subscription->of_topic);
        free(subscription->detail);
        free(subscription);
        break;
    }
    pthread_mutex_unlock(&self->mutex);
}

not_connected_t *subscriptions_list_not_connected(subscriptions_t *self, size_t *count)
{
    *count = 0;
    pthread_mutex_lock(&self->mutex);
    size_t total = 0;
    for (const subscription_t *one = self->first; one; one = one->next)
        total += one->detail ? 1 : 0;
    not_connected_t *list = total > 0 ? calloc(total, sizeof *list) : NULL;
    for (const subscription_t *one = self->first; list && one; one = one->next)
        if (one->detail)
            list[(*count)++] = *one->detail;
    pthread_mutex_unlock(&self->mutex);
    return list;
}

void subscriptions_clear(subscriptions_t *self)
{
    while (self->first) {
        subscription_t *next = self->first->next;
        free(self->first->detail);
        free(self->first);
        self->first = next;
    }
    self->last = NULL;
}

void subscriptions_forget(subscriptions_t *self)
{
    pthread_mutex_lock(&self->mutex);
    atomic_store(&self->older, true);
    subscriptions_clear(self);
    pthread_mutex_unlock(&self->mutex);
}

void subscriptions_forked(subscriptions_t *self)
{
    if (pthread_mutex_trylock(&self->mutex) == 0) {
        pthread_mutex_unlock(&self->mutex);
        return;
    }
    /* A thread that isn't here was changing the list. */
    self->mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    atomic_store(&self->older, true);
    self->first = self->last = NULL;
}
