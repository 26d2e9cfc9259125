#include "monitor/signals.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

static int open_fd(const sigset_t *set)
{
    pthread_sigmask(SIG_BLOCK, set, NULL);
    return signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
}

signals_t signals_open(bool hangup_stops)
{
    sigset_t hangup;
    sigset_t stop;
    sigemptyset(&hangup);
    sigemptyset(&stop);
    sigaddset(&hangup, SIGHUP);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    if (hangup_stops)
        sigaddset(&stop, SIGHUP);
    signal(SIGPIPE, SIG_IGN); /* a reader that has gone is an error of write() */
    signals_t self = {.hangup_fd = hangup_stops ? -1 : open_fd(&hangup)};
    self.stop_fd = open_fd(&stop);
    return self;
}

void signals_close(signals_t *self)
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
