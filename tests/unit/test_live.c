/*
 * The live view in a terminal: what becomes of the terminal, of messages and of wishes, whatever
 * happens. Each test has a pseudoterminal, and a child process whose terminal it is.
 */
#include "monitor/view/live/live.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "cmocka_all.h"
#include "observing.h"

#define PUB    "dserver/pub/1"
#define STREAM "tango://h:1/a/b/c/thestream.change"

/* Longer than anything takes on a busy machine. */
#define PATIENCE_SECONDS 30.0

/* ---- the test's side of the terminal ---- */

typedef struct {
    int master;
    int slave; /* kept open, so that the child's end isn't the terminal's */
    pid_t child;
    struct termios before;
    char *seen; /* all that came, without NULs */
    size_t size;
    int result[2]; /* what the child says besides, and is told */
} terminal_t;

/* What the child does; its value is its exit status. */
typedef int (*child_t)(int result);

static terminal_t start(child_t child)
{
    terminal_t self = {.seen = memory_string("")};
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    assert_int_equal(openpty(&self.master, &self.slave, NULL, NULL, &size), 0);
    assert_int_equal(tcgetattr(self.slave, &self.before), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, self.result), 0);
    (void)fflush(NULL);
    self.child = fork();
    assert_true(self.child >= 0);
    if (self.child == 0) {
        setsid();
        (void)ioctl(self.slave, TIOCSCTTY, 0);
        for (int fd = 0; fd <= 2; fd++)
            dup2(self.slave, fd);
        close(self.master);
        close(self.slave);
        close(self.result[0]);
        for (int number = SIGILL; number <= SIGSEGV; number++)
            signal(number, SIG_DFL); /* cmocka catches crashes */
        setenv("TERM", "xterm", 1);
        unsetenv("NO_COLOR");
        _exit(child(self.result[1]));
    }
    close(self.result[1]);
    return self;
}

/* Takes what comes for at most a moment; false: the child has closed it. */
static bool take(terminal_t *self)
{
    char text[4096];
    struct pollfd fd = {.fd = self->master, .events = POLLIN};
    if (poll(&fd, 1, 50) <= 0)
        return true;
    const ssize_t size = read(self->master, text, sizeof text);
    if (size <= 0)
        return false;
    self->seen = memory_resize(self->seen, self->size + (size_t)size + 1, 1);
    for (ssize_t i = 0; i < size; i++)
        if (text[i] != '\0')
            self->seen[self->size++] = text[i];
    self->seen[self->size] = '\0';
    return true;
}

static void forget(terminal_t *self)
{
    self->size = 0;
    self->seen[0] = '\0';
}

static void wait_for_text(terminal_t *self, const char *text)
{
    const double until = monotonic_seconds() + PATIENCE_SECONDS;
    while (!strstr(self->seen, text)) {
        if (monotonic_seconds() > until)
            fail_msg("\"%s\" didn't come: %s", text, self->seen);
        (void)take(self);
    }
}

static void type(const terminal_t *self, const char *keys)
{
    assert_int_equal(write(self->master, keys, strlen(keys)), strlen(keys));
}

/* Waits until the child has ended, and returns what waitpid() says. reads: the screen meanwhile. */
static int wait_for_end(terminal_t *self, bool reads)
{
    const double until = monotonic_seconds() + PATIENCE_SECONDS;
    int status = 0;
    while (waitpid(self->child, &status, WNOHANG) == 0) {
        if (monotonic_seconds() > until) {
            kill(self->child, SIGKILL);
            fail_msg("it doesn't end: %s", self->seen);
        }
        if (reads)
            (void)take(self);
        else
            poll(NULL, 0, 10);
    }
    struct pollfd fd = {.fd = self->master, .events = POLLIN};
    while (reads && poll(&fd, 1, 0) > 0 && take(self)) {
    }
    return status;
}

static void assert_ends_with(terminal_t *self, int code)
{
    const int status = wait_for_end(self, true);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
        fail_msg("status %x: %s", (unsigned)status, self->seen);
}

/* Its modes are as before. */
static void assert_given_back(const terminal_t *self)
{
    struct termios now;
    assert_int_equal(tcgetattr(self->slave, &now), 0);
    assert_int_equal(now.c_lflag, self->before.c_lflag);
    assert_int_equal(now.c_iflag, self->before.c_iflag);
    assert_int_equal(now.c_oflag, self->before.c_oflag);
}

/* And the other screen was left. */
static void assert_screen_left(const terminal_t *self)
{
    const char *entered = strstr(self->seen, "\033[?1049h");
    assert_non_null(entered);
    assert_non_null(strstr(entered, "\033[?1049l"));
}

static char *result_of(const terminal_t *self)
{
    char text[4096];
    const ssize_t size = read(self->result[0], text, sizeof text - 1);
    return memory_copy(text, size > 0 ? (size_t)size : 0);
}

static void go_on(const terminal_t *self)
{
    assert_int_equal(write(self->result[0], "g", 1), 1);
}

static void stop(terminal_t *self)
{
    close(self->result[0]);
    close(self->master);
    close(self->slave);
    free(self->seen);
}

/* ---- the child's side ---- */

static atomic_bool quits;
static int result_fd;

static void say(const char *text)
{
    (void)!write(result_fd, text, strlen(text));
}

static void wait_for_go(void)
{
    char go = 0;
    while (read(result_fd, &go, 1) < 0 && errno == EINTR) {
    }
}

static bool set_perf(void *context, bool perf, char **error)
{
    (void)context;
    *error = NULL;
    say(perf ? "perf on\n" : "perf off\n");
    return true;
}

static bool record(void *context, const char *path, char **error)
{
    (void)context;
    say(path);
    *error = memory_string("no such folder");
    return false;
}

static void quit(void *context)
{
    (void)context;
    atomic_store(&quits, true);
}

static void print(void *context, const char *line)
{
    (void)context;
    fprintf(stderr, "afterwards: %s\n", line);
}

typedef struct {
    filter_t filter;
    live_options_t options;
    live_controls_t controls;
    live_t *live;
    sink_t *sink;
    observing_t *observing;
    int pushed;
} view_t;

static bool open_view(view_t *self, int result)
{
    char *error = NULL;
    result_fd = result;
    *self = (view_t){.options.poll_period = 2};
    self->options.filter = &self->filter;
    self->controls = (live_controls_t){.set_perf = set_perf, .record = record, .quit = quit};
    live_block_signals();
    self->live = live_new(&self->options, &self->controls, &error);
    if (!self->live) {
        fprintf(stderr, "%s\n", error);
        free(error);
        return false;
    }
    self->sink = live_sink_new(self->live, NULL, NULL);
    self->observing = observing_new(NULL);
    return true;
}

static void show_poll(view_t *self)
{
    self->pushed += 10;
    char *error = NULL;
    char *answer = memory_format("{'version': 1, 'agent': {'pid': 5}, 'server': {'event_streams': "
                                 "{'" STREAM "': {'pushed_event_count': %d}}}}",
                                 self->pushed);
    observing_poll(self->observing, (const char *[]){PUB, answer, NULL});
    self->sink->methods->show(self->sink, self->observing->observation, &error);
    free(error);
    free(answer);
}

/* As the loop does between polls. */
static void serve(view_t *self, int ms)
{
    struct pollfd fd = {.fd = self->sink->methods->fd(self->sink), .events = POLLIN};
    char *error = NULL;
    if (poll(&fd, 1, ms) > 0)
        (void)self->sink->methods->ready(self->sink, &error);
    free(error);
}

static void close_view(view_t *self)
{
    self->sink->methods->destroy(&self->sink);
    live_destroy(&self->live, print, NULL);
    observing_destroy(&self->observing);
}

static int view_until_quit(int result)
{
    view_t view;
    if (!open_view(&view, result))
        return 9;
    while (!atomic_load(&quits)) {
        show_poll(&view);
        serve(&view, 50);
    }
    close_view(&view);
    return 0;
}

/* ---- */

static void test_shows_polls_and_ends_with_q(void **state)
{
    (void)state;
    terminal_t terminal = start(view_until_quit);
    wait_for_text(&terminal, "thestream");
    type(&terminal, "q");
    assert_ends_with(&terminal, 0);
    assert_given_back(&terminal);
    assert_screen_left(&terminal);
    stop(&terminal);
}

static void test_wishes_reach_the_loop(void **state)
{
    (void)state;
    terminal_t terminal = start(view_until_quit);
    wait_for_text(&terminal, "thestream");
    type(&terminal, "my");
    wait_for_text(&terminal, "was switched on");
    type(&terminal, "r");
    wait_for_text(&terminal, "jsonl");
    type(&terminal, "\r");
    wait_for_text(&terminal, "no such folder");
    type(&terminal, "q");
    assert_ends_with(&terminal, 0);
    char *result = result_of(&terminal);
    assert_non_null(strstr(result, "perf on\n"));
    assert_non_null(strstr(result, ".jsonl"));
    free(result);
    /* That it failed is worth reading afterwards, too. */
    assert_non_null(strstr(terminal.seen, "afterwards: no such folder"));
    assert_null(strstr(terminal.seen, "afterwards: performance"));
    stop(&terminal);
}

/* Somebody pastes a whole file, or sits on the keyboard: what the keys do is seen meanwhile. */
static void test_keys_without_end_are_drawn(void **state)
{
    (void)state;
    terminal_t terminal = start(view_until_quit);
    wait_for_text(&terminal, "thestream");
    forget(&terminal);
    const pid_t typist = fork();
    if (typist == 0) {
        char keys[512];
        (void)alarm((unsigned)PATIENCE_SECONDS); /* whatever becomes of the test */
        memset(keys, 's', sizeof keys);
        while (write(terminal.master, keys, sizeof keys) > 0) {
        }
        _exit(0);
    }
    wait_for_text(&terminal, "latency");
    kill(typist, SIGKILL);
    waitpid(typist, NULL, 0);
    kill(terminal.child, SIGKILL);
    (void)wait_for_end(&terminal, true);
    stop(&terminal);
}

static void test_resizes(void **state)
{
    (void)state;
    terminal_t terminal = start(view_until_quit);
    wait_for_text(&terminal, "thestream");
    forget(&terminal);
    const struct winsize size = {.ws_row = 12, .ws_col = 60};
    assert_int_equal(ioctl(terminal.master, TIOCSWINSZ, &size), 0);
    wait_for_text(&terminal, "thestream"); /* all of it is drawn anew */
    type(&terminal, "q");
    assert_ends_with(&terminal, 0);
    stop(&terminal);
}

/* ---- others' output ---- */

static int view_with_stray_output(int result)
{
    view_t view;
    if (!open_view(&view, result))
        return 9;
    show_poll(&view);
    printf("from a library\n");
    (void)fflush(stdout);
    wait_for_go();
    fprintf(stderr, "and from another");
    if (!live_say(view.live, "a message"))
        return 8;
    while (!atomic_load(&quits))
        serve(&view, 50);
    close_view(&view);
    printf("back again\n");
    (void)fflush(stdout);
    return 0;
}

static void test_output_of_others_waits(void **state)
{
    (void)state;
    terminal_t terminal = start(view_with_stray_output);
    wait_for_text(&terminal, "from a library");
    go_on(&terminal);
    wait_for_text(&terminal, "a message");
    type(&terminal, "q");
    assert_ends_with(&terminal, 0);
    const char *left = strstr(terminal.seen, "\033[?1049l");
    assert_non_null(left);
    assert_non_null(strstr(left, "afterwards: from a library"));
    assert_non_null(strstr(left, "afterwards: and from another"));
    assert_non_null(strstr(left, "afterwards: a message"));
    assert_non_null(strstr(left, "back again"));
    stop(&terminal);
}

/* ---- a terminal that takes nothing ---- */

/* Polls often, each time with something new to draw, and then ends. */
static int view_of_many_polls(int result)
{
    view_t view;
    if (!open_view(&view, result))
        return 9;
    show_poll(&view);
    wait_for_go();
    for (int i = 0; i < 100; i++) {
        show_poll(&view);
        serve(&view, 5);
    }
    say("polled ");
    wait_for_go();
    const double begun = monotonic_seconds();
    close_view(&view);
    /* The grace is half a second. */
    say(monotonic_seconds() - begun < 5 ? "in time" : "late");
    return 0;
}

/* Ctrl-S: neither the loop nor the end waits for it. */
static void test_stopped_terminal_stops_nothing(void **state)
{
    (void)state;
    terminal_t terminal = start(view_of_many_polls);
    wait_for_text(&terminal, "thestream");
    assert_int_equal(tcflow(terminal.slave, TCOOFF), 0);
    go_on(&terminal);
    char *result = result_of(&terminal);
    assert_string_equal(result, "polled ");
    free(result);
    go_on(&terminal);
    result = result_of(&terminal);
    assert_string_equal(result, "in time");
    free(result);
    (void)wait_for_end(&terminal, true);
    assert_given_back(&terminal);
    stop(&terminal);
}

/* A network that hangs: nobody takes what is drawn. */
static void test_terminal_that_nobody_reads_stops_nothing(void **state)
{
    (void)state;
    terminal_t terminal = start(view_of_many_polls);
    wait_for_text(&terminal, "thestream");
    go_on(&terminal);
    go_on(&terminal);
    char *result = result_of(&terminal);
    while (!strstr(result, "time") && !strstr(result, "late")) {
        char *more = result_of(&terminal);
        assert_true(*more);
        char *both = memory_format("%s%s", result, more);
        free(more);
        free(result);
        result = both;
    }
    assert_string_equal(result, "polled in time");
    free(result);
    (void)wait_for_end(&terminal, false);
    assert_given_back(&terminal);
    stop(&terminal);
}

/* Not every terminal that goes away sends it: only the controlling one does. */
static int view_until_quit_without_hangup(int result)
{
    signal(SIGHUP, SIG_IGN);
    return view_until_quit(result);
}

static void test_terminal_that_goes_away_ends_it(void **state)
{
    (void)state;
    terminal_t terminal = start(view_until_quit_without_hangup);
    wait_for_text(&terminal, "thestream");
    close(terminal.slave);
    close(terminal.master);
    const int status = wait_for_end(&terminal, false);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    terminal.master = terminal.slave = -1;
    stop(&terminal);
}

/* ---- Ctrl-Z ---- */

static void test_is_suspended_and_resumed(void **state)
{
    (void)state;
    terminal_t terminal = start(view_until_quit);
    wait_for_text(&terminal, "thestream");
    /* Without a shell, its process group is an orphan: then the kernel doesn't stop it, and nobody
     * would ever let it go on. So all happens but the stop. */
    forget(&terminal);
    type(&terminal, "\032");
    wait_for_text(&terminal, "\033[?1049l");
    wait_for_text(&terminal, "\033[?1049h");
    wait_for_text(&terminal, "thestream"); /* all is drawn anew */
    /* Somebody else stopped it, and used the terminal. */
    forget(&terminal);
    kill(terminal.child, SIGSTOP);
    kill(terminal.child, SIGCONT);
    wait_for_text(&terminal, "thestream");
    type(&terminal, "q");
    assert_ends_with(&terminal, 0);
    assert_given_back(&terminal);
    stop(&terminal);
}

/* ---- bad ends ---- */

static int view_that_crashes(int result)
{
    view_t view;
    if (!open_view(&view, result))
        return 9;
    show_poll(&view);
    fprintf(stderr, "last words\n");
    while (!atomic_load(&quits))
        serve(&view, 50);
    raise(SIGSEGV);
    return 0;
}

/* SIGSTOP gives no time to give the terminal back; the shell sets its modes as before all the same.
 */
static void test_takes_the_terminal_again_after_sigstop(void **state)
{
    (void)state;
    terminal_t terminal = start(view_until_quit);
    wait_for_text(&terminal, "thestream");
    kill(terminal.child, SIGSTOP);
    int status = 0;
    assert_int_equal(waitpid(terminal.child, &status, WUNTRACED), terminal.child);
    assert_int_equal(tcsetattr(terminal.slave, TCSANOW, &terminal.before), 0);
    kill(terminal.child, SIGCONT);
    type(&terminal, "q");
    assert_ends_with(&terminal, 0);
    assert_given_back(&terminal);
    stop(&terminal);
}

static void test_crash_gives_the_terminal_back(void **state)
{
    (void)state;
    terminal_t terminal = start(view_that_crashes);
    wait_for_text(&terminal, "thestream");
    type(&terminal, "q");
    const int status = wait_for_end(&terminal, true);
    assert_true(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
    assert_given_back(&terminal);
    assert_screen_left(&terminal);
    stop(&terminal);
}

static int view_that_is_left(int result)
{
    view_t view;
    if (!open_view(&view, result))
        return 9;
    show_poll(&view);
    while (!atomic_load(&quits))
        serve(&view, 50);
    view.sink->methods->abandon(view.sink);
    fprintf(stderr, "stopped at once\n");
    return 3;
}

/* A second signal: the program ends at this moment. */
static void test_is_abandoned(void **state)
{
    (void)state;
    terminal_t terminal = start(view_that_is_left);
    wait_for_text(&terminal, "thestream");
    type(&terminal, "q");
    assert_ends_with(&terminal, 3);
    assert_given_back(&terminal);
    const char *left = strstr(terminal.seen, "\033[?1049l");
    assert_non_null(left);
    assert_non_null(strstr(left, "stopped at once"));
    stop(&terminal);
}

static int view_without_terminal(int result)
{
    view_t view;
    const int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    return open_view(&view, result) ? 9 : 4;
}

static int view_on_a_dumb_terminal(int result)
{
    view_t view;
    setenv("TERM", "dumb", 1);
    return open_view(&view, result) ? 9 : 4;
}

static void test_is_refused(void **state)
{
    (void)state;
    terminal_t terminal = start(view_without_terminal);
    assert_ends_with(&terminal, 4);
    assert_non_null(strstr(terminal.seen, "standard input is no terminal"));
    stop(&terminal);
    terminal = start(view_on_a_dumb_terminal);
    assert_ends_with(&terminal, 4);
    assert_non_null(strstr(terminal.seen, "TERM=dumb"));
    assert_null(strstr(terminal.seen, "\033"));
    stop(&terminal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shows_polls_and_ends_with_q),
        cmocka_unit_test(test_wishes_reach_the_loop),
        cmocka_unit_test(test_keys_without_end_are_drawn),
        cmocka_unit_test(test_resizes),
        cmocka_unit_test(test_output_of_others_waits),
        cmocka_unit_test(test_stopped_terminal_stops_nothing),
        cmocka_unit_test(test_terminal_that_nobody_reads_stops_nothing),
        cmocka_unit_test(test_terminal_that_goes_away_ends_it),
        cmocka_unit_test(test_is_suspended_and_resumed),
        cmocka_unit_test(test_takes_the_terminal_again_after_sigstop),
        cmocka_unit_test(test_crash_gives_the_terminal_back),
        cmocka_unit_test(test_is_abandoned),
        cmocka_unit_test(test_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
