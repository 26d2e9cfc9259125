#include "launcher/attach/waits.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>

enum { STACK_MAX = 1 << 20, PAGE_SIZE = 4096, SLEEP_MIN_NS = 10000000 };

/* With these the kernel says, to itself and to a tracer, how an interrupted system call goes on.
 * Source: linux/include/linux/errno.h. */
enum { ERESTARTSYS = 512, ERESTARTNOINTR = 513, ERESTARTNOHAND = 514, ERESTART_RESTARTBLOCK = 516 };

static wait_kind_t sleep_kind(const target_t *target, uint64_t duration_at)
{
    struct timespec duration;
    if (!target_read(target, duration_at, &duration, sizeof duration))
        return WAIT_BAD;
    return duration.tv_sec > 0 || duration.tv_nsec >= SLEEP_MIN_NS ? WAIT_LIMITED : WAIT_BAD;
}

wait_kind_t waits_kind(const target_t *target, const wait_t *wait)
{
    const uint64_t *arguments = wait->arguments;
    switch (wait->number) {
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
        return (int)arguments[3] < 0 ? WAIT_ENDLESS : WAIT_LIMITED;
    case SYS_epoll_pwait2:
        return arguments[3] == 0 ? WAIT_ENDLESS : WAIT_LIMITED;
    case SYS_poll:
        return (int)arguments[2] < 0 ? WAIT_ENDLESS : WAIT_LIMITED;
    case SYS_ppoll:
        return arguments[2] == 0 ? WAIT_ENDLESS : WAIT_LIMITED;
    case SYS_select:
    case SYS_pselect6:
        return arguments[4] == 0 ? WAIT_ENDLESS : WAIT_LIMITED;
    case SYS_nanosleep:
        return sleep_kind(target, arguments[0]);
    case SYS_clock_nanosleep: /* no allocator sleeps until a time */
        return (arguments[1] & TIMER_ABSTIME) != 0 ? WAIT_LIMITED
                                                   : sleep_kind(target, arguments[2]);
    case SYS_accept:
    case SYS_accept4:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_read:
        return WAIT_STREAM;
    default:
        return WAIT_BAD;
    }
}

bool waits_has_mask(const target_t *target, const wait_t *wait)
{
    uint64_t mask = 0;
    switch (wait->number) {
    case SYS_ppoll:
        return wait->arguments[3] != 0;
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
        return wait->arguments[4] != 0;
    case SYS_pselect6: /* its address is the first of two words */
        return wait->arguments[5] != 0 &&
               (!target_read(target, wait->arguments[5], &mask, sizeof mask) || mask != 0);
    default:
        return false;
    }
}

/* Whether repeating it changes nothing, of those that the kernel doesn't repeat itself. */
static bool is_endless(const wait_t *wait)
{
    switch (wait->number) {
    case SYS_poll:
        return (int)wait->arguments[2] < 0;
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
        return (int)wait->arguments[3] < 0;
    case SYS_epoll_pwait2:
        return wait->arguments[3] == 0;
    default:
        return false;
    }
}

int64_t waits_continuation(const wait_t *wait, int64_t returned)
{
    switch (returned) {
    case -ERESTARTSYS:
    case -ERESTARTNOINTR:
    case -ERESTARTNOHAND:
        return wait->number;
    case -ERESTART_RESTARTBLOCK:
        /* The kernel keeps the time that is left until another wait of this thread's with a limit
         * is interrupted, which the payload has none of. */
        return is_endless(wait) ? wait->number : SYS_restart_syscall;
    case -EINTR:
        return is_endless(wait) ? wait->number : -EINTR;
    default:
        return WAITS_NOT_INTERRUPTED;
    }
}

bool waits_has_signal_frame(const target_t *target, uint64_t stack)
{
    /* cs, gs, fs and ss of struct sigcontext. Source: linux/arch/x86/include/uapi/asm/sigcontext.h
     */
    static const uint64_t segments = 0x002b000000000033;
    /* Nothing is allocated: the thread may stand still meanwhile. */
    uint64_t words[PAGE_SIZE / sizeof(uint64_t)];
    const target_mapping_t *mapping = target_mapping(target, stack);
    const uint64_t begin = stack & ~(uint64_t)7;
    if (mapping == NULL)
        return true;
    /* From glibc 2.42 on the stacks of several threads are one mapping, with guards in between that
     * can't be read: one is the end of the stack. */
    const uint64_t end = mapping->end - begin > STACK_MAX ? begin + STACK_MAX : mapping->end;
    for (uint64_t at = begin, next = 0; at < end; at = next) {
        next = (at / PAGE_SIZE + 1) * PAGE_SIZE;
        const size_t count = (next - at) / sizeof *words;
        if (!target_read(target, at, words, count * sizeof *words))
            return at == begin;
        for (size_t i = 0; i < count; i++)
            if (words[i] == segments)
                return true;
    }
    return false;
}
