#include "monitor/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/memory.h"

static int open_fd(const sigset_t *set)
{
    pthread_sigmask(SIG_BLOCK, set, NULL);
    return signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Whether a signal would end the program now: it is neither ignored nor used by a profiler. */
static bool would_kill(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
}

/* The signals that end a program and that somebody may send; the others mean that it crashed. */
static void add_stops(sigset_t *set)
{
    static const int numbers[] = {SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM,
                                  SIGPROF, SIGXCPU, SIGIO,   SIGPWR,  SIGSTKFLT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (would_kill(numbers[i]))
            sigaddset(set, numbers[i]);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        if (would_kill(number))
            sigaddset(set, number);
}

signals_t signals_open(bool hangup_stops, char **error)
{
    sigset_t hangup;
    sigset_t stop;
    sigemptyset(&hangup);
    sigemptyset(&stop);
    sigaddset(&hangup, SIGHUP);
    /* These two even if the shell makes its background jobs ignore them. */
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    add_stops(&stop);
    if (hangup_stops && would_kill(SIGHUP)) /* not under nohup */
        sigaddset(&stop, SIGHUP);
    /* These show as errors of write(): a reader that has gone, and a file that may not grow. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    /* Before we write, we check whether the terminal wants output of background jobs. */
    signal(SIGTTOU, SIG_IGN);
    signals_t self = {.hangup_fd = hangup_stops ? -1 : open_fd(&hangup)};
    self.stop_fd = open_fd(&stop);
    *error = self.stop_fd < 0 ? memory_format("can't wait for signals: %s", strerror(errno)) : NULL;
    return self;
}

void signals_clear(signals_t *self)
{
    if (self->hangup_fd >= 0)
        close(self->hangup_fd);
    close(self->stop_fd);
}

bool signals_say_stop(const signals_t *self)
{
    struct pollfd fd = {.fd = self->stop_fd, .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}

static int take(int fd)
{
    struct signalfd_siginfo info;
    if (fd < 0 || read(fd, &info, sizeof info) != (ssize_t)sizeof info)
        return 0;
    return (int)info.ssi_signo;
}

int signals_take_stop(signals_t *self)
{
    return take(self->stop_fd);
}

bool signals_take_hangup(signals_t *self)
{
    return take(self->hangup_fd) != 0;
}

void signals_release(void)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_UNBLOCK, &all, NULL);
}

void signals_ask_to_stop(void)
{
    kill(getpid(), SIGTERM);
}

void signals_die_of(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    signal(number, SIG_DFL);
    raise(number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    _exit(128 + number);
}
