#include "launcher/attach/tracing.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

/* How long a thread that waits may take to stop: as long as a busy machine needs to let it run. */
static const double patience_us = 500000;

typedef struct {
    pid_t thread;
    tracing_action_t *action;
    void *data;
    double stopped_us;
    tracing_result_t result;
} trace_t;

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Waits until it stops or ends: for SIGCHLD, which is blocked; one may be lost if there are other
 * children, or be ignored, so not for long. */
static bool wait_for(pid_t thread, int *status, double until_us)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    for (;;) {
        const pid_t done = waitpid(thread, status, __WALL | WNOHANG);
        if (done < 0)
            *status = 0; /* as if it had ended */
        if (done != 0)
            return true;
        if (now_us() > until_us)
            return false;
        sigtimedwait(&child, NULL, &moment);
    }
}

static tracing_result_t handle_stop(const trace_t *self, int status)
{
    if (!WIFSTOPPED(status))
        return TRACING_GONE;
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    if (event == PTRACE_EVENT_STOP && signal == SIGTRAP) {
        self->action(self->thread, self->data);
        return ptrace(PTRACE_DETACH, self->thread, 0, 0) == 0 ? TRACING_DONE : TRACING_GONE;
    }
    /* It has stopped to take a signal, which is given back to it; or it was stopped by SIGSTOP, as
     * it then remains. */
    const intptr_t given_back = event == 0 ? signal : 0;
    ptrace(PTRACE_DETACH, self->thread, 0, given_back);
    return TRACING_BUSY;
}

static tracing_result_t trace(trace_t *self)
{
    int status = 0;
    if (ptrace(PTRACE_SEIZE, self->thread, 0, 0) != 0)
        return errno == EPERM ? TRACING_FORBIDDEN : TRACING_GONE;
    const double began = now_us();
    if (ptrace(PTRACE_INTERRUPT, self->thread, 0, 0) != 0)
        return TRACING_GONE;
    const tracing_result_t result = wait_for(self->thread, &status, began + patience_us)
                                        ? handle_stop(self, status)
                                        : TRACING_STUCK;
    self->stopped_us = now_us() - began;
    return result;
}

static void *tracer(void *data)
{
    trace_t *self = data;
    /* So that a busy machine lets us run as soon as it has stopped; if that is allowed. Only this
     * thread's: Linux has a priority for each. */
    setpriority(PRIO_PROCESS, 0, -20);
    self->result = trace(self);
    return NULL;
}

tracing_result_t tracing_stop(pid_t thread, tracing_action_t *action, void *data,
                              double *stopped_us)
{
    trace_t self = {.thread = thread, .action = action, .data = data, .result = TRACING_FAILED};
    pthread_t ours;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    if (pthread_create(&ours, NULL, tracer, &self) == 0)
        pthread_join(ours, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    *stopped_us = self.stopped_us;
    return self.result;
}
