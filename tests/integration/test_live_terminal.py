"""The live view and its terminal: how it takes it, gives it back, and what happens to it meanwhile."""

import itertools
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tango_servers import MONITOR, PYTHON, clean_environment, run_monitor, wait_for
from watching import END_S, PROGRAM, lines, perf_is_on

SLOW_TERMINAL = Path(__file__).resolve().with_name("slow_terminal.py")


@pytest.fixture(autouse=True)
def _programs(monitor_bin, agent_lib):
    """All of these need the monitor and the agent."""


@pytest.fixture
def publisher(servers, database):
    """A publisher with a stream, burst.change, to which somebody subscribes who isn't watched."""
    return with_stream(servers, database, "terminal")


def with_stream(servers, database, name):
    pub = servers.cpp_publisher(f"live/{name}/1", instance=f"live-{name}", agent=True, database=database)
    sub = servers.cpp_subscriber(f"live/{name}-sub/1", instance=f"live-{name}-sub", database=database)
    sub.proxy().Subscribe(pub.attribute("burst"))
    pub.proxy().PushBurst(3)
    return pub


def live(*arguments, period=0.3):
    return [MONITOR, "--live", "--poll-period", period, *arguments]


def is_gone(pid):
    """Whether a process has ended; one that nobody has waited for has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def monitor_below(screen):
    """The pid of the monitor that a shell in the terminal has started."""

    def find():
        for task in Path(f"/proc/{screen.pid}/task").glob("*/children"):
            for child in task.read_text().split():
                if Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0] == str(MONITOR).encode():
                    return int(child)
        return None

    return wait_for(find, what="the monitor")


@pytest.fixture
def shell(tmux, tmp_path):
    """An interactive shell with job control in a terminal; "$" is its prompt."""

    def run(**options):
        screen = tmux(["bash", "--norc", "--noprofile", "-i"], env={"PS1": "$ "}, folder=tmp_path, **options)
        screen.wait_for("$")
        return screen

    return run


def command(*arguments, **options):
    return " ".join(f"'{each}'" for each in live(*arguments, **options))


# ---- the end ----


def test_the_terminal_is_as_before(publisher, shell, tmp_path):
    screen = shell()
    screen.type("stty -a > before; echo here we were\n")
    screen.wait_for("\nhere we were")
    screen.type(f"{command(publisher.name())}; echo ended: $?; stty -a > after; echo here we are\n")
    screen.wait_for("burst.change")
    assert screen.get("alternate_on") == "1"
    assert "here we were" not in screen.text()
    screen.press("q")
    screen.wait_for("\nhere we are")
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text()
    assert screen.get("alternate_on") == "0" and screen.get("cursor_flag") == "1"
    assert screen.get("mouse_any_flag") == "0" and screen.get("keypad_flag") == "0"
    shown = screen.text()
    assert "\nhere we were\n" in shown and "\nended: 0\n" in shown
    assert "burst.change" not in shown


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1])
def test_a_signal_ends_it_in_order(publisher, shell, tmp_path, number):
    screen = shell()
    screen.type("stty -a > before\n")
    screen.type(f"{command('-m', publisher.name())}; echo ended: $?; stty -a > after; echo here we are\n")
    screen.wait_for("burst.change")
    wait_for(lambda: perf_is_on(publisher), what="monitoring")
    os.kill(monitor_below(screen), number)
    screen.wait_for("\nhere we are")
    assert "\nended: 0\n" in screen.text()
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text()
    assert screen.get("alternate_on") == "0" and screen.get("cursor_flag") == "1"
    assert not perf_is_on(publisher)


def test_ctrl_c_ends_it_in_order(publisher, shell):
    screen = shell()
    screen.type(f"{command(publisher.name())}; echo ended: $?\n")
    screen.wait_for("burst.change")
    screen.press("C-c")
    # The shell may take it as meant for itself, too.
    wait_for(lambda: screen.get("alternate_on") == "0", what="its end")
    screen.wait_for("$")
    assert screen.get("cursor_flag") == "1"


@pytest.mark.parametrize("recorded", [False, True])
def test_a_terminal_that_is_closed(publisher, tmux, recording, recorded):
    """The monitor ends, and leaves nothing switched on."""
    options = ["-o", recording] if recorded else []
    screen = tmux(live("-m", *options, publisher.name()))
    screen.wait_for("burst.change")
    wait_for(lambda: perf_is_on(publisher), what="monitoring")
    screen.tmux.close()
    wait_for(lambda: is_gone(screen.pid), what="the monitor's end")
    assert not perf_is_on(publisher)
    assert not recorded or lines(recording)


# ---- Ctrl-Z ----


def test_ctrl_z_and_back(publisher, shell, tmp_path):
    screen = shell()
    screen.type("stty -a > before; echo here we were\n")
    screen.wait_for("\nhere we were")
    screen.type(f"{command('-m', publisher.name())}; echo ended: $?; stty -a > after; echo here we are\n")
    screen.wait_for("burst.change")
    for _ in range(3):
        screen.press("C-z")
        screen.wait_for("Stopped")
        screen.wait_for(lambda text: text.rstrip().endswith("$"), what="the prompt")
        assert screen.get("alternate_on") == "0" and screen.get("cursor_flag") == "1"
        screen.type("clear; stty -a > meanwhile; echo between' 'these\n")
        screen.wait_for("between these")
        assert (tmp_path / "before").read_text() == (tmp_path / "meanwhile").read_text()
        screen.type("fg\n")
        wait_for(lambda: screen.get("alternate_on") == "1", what="the view")
        screen.wait_for("burst.change")
        screen.type("?")
        screen.wait_until_gone("burst.change")
        screen.press("Escape")
        screen.wait_for("burst.change")
    screen.press("q")
    wait_for(lambda: screen.get("alternate_on") == "0", what="its end")
    screen.type("stty -a > after; echo 'here we' are\n")
    screen.wait_for("here we are")
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text()
    assert not perf_is_on(publisher)


def test_stopped_and_then_ended(publisher, shell):
    """kill, and then fg: it ends in order."""
    screen = shell()
    screen.type(f"{command('-m', publisher.name())}\n")
    screen.wait_for("burst.change")
    monitor = monitor_below(screen)
    screen.press("C-z")
    screen.wait_for("Stopped")
    os.kill(monitor, signal.SIGTERM)
    screen.type("fg; echo ended: $?\n")
    screen.wait_for("\nended: 0")
    assert not perf_is_on(publisher)
    assert screen.get("alternate_on") == "0" and screen.get("cursor_flag") == "1"


# ---- its size ----

SIZES = [(24, 80), (50, 200), (10, 40), (30, 400), (3, 10), (1, 1), (100, 60), (24, 80)]


def test_any_size_at_any_moment(publisher, tmux):
    screen = tmux(live(publisher.name(), period=0.1))
    screen.wait_for("live/terminal")
    for (rows, columns), key in zip(SIZES * 8, itertools.cycle(["Enter", "Down", "?", "Escape", "Up", "Escape"])):
        screen.resize(rows, columns)
        screen.press(key)
    for _ in range(3):
        screen.press("Escape")
    for rows, columns in SIZES:
        screen.resize(rows, columns)
        if rows >= 10 and columns >= 40:
            screen.wait_for("live/terminal")
            # The bar with keys is in the last row.
            screen.wait_for(lambda text: text.rstrip("\n").count("\n") == rows - 1, what=f"a screen of {rows} rows")
    assert screen.end() == 0


def test_started_in_a_terminal_that_is_too_small(publisher, tmux):
    screen = tmux(live(publisher.name()), rows=2, columns=5)
    wait_for(lambda: screen.get("alternate_on") == "1", what="the view")
    screen.resize(24, 80)
    screen.wait_for("burst.change")
    assert screen.end() == 0


# ---- what a terminal can't do ----


@pytest.mark.parametrize("term", ["dumb", "", "no-such-terminal"])
def test_a_terminal_that_cannot_do_it(publisher, tmux, term):
    screen = tmux(live(publisher.name()), env={"TERM": term}, columns=200)
    assert screen.status() in (1, 2)
    (line,) = screen.everything().strip().split("\n")
    assert line.startswith(PROGRAM) and "terminal" in line.lower(), line


def test_without_a_terminal(publisher):
    result = run_monitor("--live", publisher.name(), TERM="xterm")
    assert result.returncode in (1, 2) and result.stdout == ""
    assert result.stderr.startswith(PROGRAM) and result.stderr.count("\n") == 1
    assert "terminal" in result.stderr


@pytest.mark.parametrize("redirection", ["</dev/null", ">out", "|cat", "<&-", ">&-"])
def test_with_half_a_terminal(publisher, shell, redirection):
    screen = shell(columns=200)
    screen.type(f"{command(publisher.name())} {redirection}; echo ended: ${{PIPESTATUS[0]}}\n")
    screen.wait_for("\nended: ")
    assert "\nended: 0" not in screen.text()
    assert screen.row(f"{PROGRAM}"), screen.text()
    assert screen.get("alternate_on") == "0"


def test_messages_elsewhere(publisher, shell, tmp_path):
    """2>FILE: only input and output have to be the terminal."""
    screen = shell(columns=200)
    screen.type(f"{command(publisher.name())} 2>errors; echo ended: $?\n")
    screen.wait_for("burst.change")
    screen.press("q")
    screen.wait_for("\nended: 0")
    assert (tmp_path / "errors").read_text() == ""


@pytest.mark.parametrize("env, option", [({"NO_COLOR": "1"}, []), ({}, ["--no-color"])])
def test_without_colour(publisher, tmux, env, option):
    coloured = tmux(live(publisher.name()))
    coloured.wait_for("burst.change")
    plain = tmux(live(*option, publisher.name()), env=env)
    plain.wait_for("burst.change")

    def colours(screen):
        codes = set()
        for sequence in screen.colours().split("\x1b[")[1:]:
            codes |= {int(code or 0) for code in sequence.split("m")[0].split(";")}
        return {code for code in codes if 30 <= code <= 49 or 90 <= code <= 107} - {39, 49}

    assert colours(coloured)
    assert not colours(plain)
    assert plain.end() == coloured.end() == 0


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "", "LANG": "C"}, {"LC_ALL": "no_SUCH.locale"}])
def test_without_utf8(publisher, tmux, locale):
    screen = tmux(live(publisher.name()), env=locale)
    screen.wait_for("burst.change")
    assert screen.text().isascii()
    for key in ("Enter", "Escape", "?", "Escape"):
        screen.press(key)
    screen.wait_for("burst.change")
    assert screen.end() == 0


@pytest.mark.parametrize("term", ["vt100", "linux", "screen", "xterm", "xterm-256color", "tmux-256color"])
def test_other_terminals(publisher, tmux, term):
    if subprocess.run(["infocmp", term], capture_output=True, check=False).returncode:
        pytest.skip(f"nothing is known here about {term}")
    screen = tmux(live(publisher.name()), env={"TERM": term})
    screen.wait_for("burst.change")
    assert screen.end() == 0


# ---- the line to it ----


def test_a_terminal_that_is_stopped_stops_no_recording(publisher, tmux, recording):
    """Ctrl-S, and Ctrl-Q."""
    screen = tmux(live("-o", recording, publisher.name(), period=0.05))
    screen.wait_for("burst.change")
    screen.press("C-s")
    recorded = len(lines(recording))
    wait_for(lambda: len(recording.read_bytes().splitlines()) > recorded + 40, what="polls")
    screen.press("C-q")
    screen.press("?")
    screen.wait_until_gone("burst.change")
    screen.press("Escape")
    screen.wait_for("burst.change")
    assert screen.end() == 0
    assert len(lines(recording)) > recorded + 40


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_is_stopped_stops_no_end(publisher, tmux, number):
    screen = tmux(live("-m", publisher.name(), period=0.05))
    screen.wait_for("burst.change")
    screen.press("C-s")
    # Whatever is written now waits.
    time.sleep(0.5)
    os.kill(screen.pid, number)
    wait_for(lambda: is_gone(screen.pid), END_S, "its end")
    assert not perf_is_on(publisher)


def test_a_slow_line(publisher, tmux):
    """300 ms either way, keys in pieces, as through ssh over a bad network."""
    screen = tmux([PYTHON, SLOW_TERMINAL, *live(publisher.name())], env={"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"})
    screen.wait_for("burst.change")
    screen.press("?")
    screen.wait_until_gone("burst.change")
    screen.press("Escape")
    screen.wait_for("burst.change")
    # Escape sequences of which a part comes first are keys all the same, and no Escape: in the help, that
    # would go back.
    screen.press("?")
    screen.wait_until_gone("burst.change")
    for _ in range(4):
        screen.press("Down", "Up", "PageDown", "Home")
    screen.press("x", "Down")
    time.sleep(2)
    assert "burst.change" not in screen.text()
    screen.press("Escape")
    screen.wait_for("burst.change")
    assert screen.end() == 0


# ---- a server that hangs ----


def test_a_server_that_hangs_hangs_nothing(publisher, servers, database, tmux, freeze):
    """Keys are answered, though it never answers."""
    other = with_stream(servers, database, "other")
    screen = tmux(live("--timeout", 60, publisher.name(), other.name(), period=0.2))
    screen.wait_for("live/other/1")
    freeze(other)
    for _ in range(5):
        screen.press("?")
        screen.wait_until_gone("live/other/1", 5)
        screen.press("Escape")
        screen.wait_for("live/other/1", 5)
    screen.press("q")
    assert screen.status(END_S) == 0


def test_servers_that_hang_before_the_first_poll(publisher, tmux, freeze):
    freeze(publisher)
    screen = tmux(live(publisher.name()))
    wait_for(lambda: screen.get("alternate_on") == "1", what="the view")
    screen.press("?")
    screen.wait_for("Moving")
    screen.press("Escape")
    screen.wait_until_gone("Moving")
    screen.press("q")
    assert screen.status(END_S) == 0


# ---- what ends its output ----


def test_its_terminal_is_taken_away_by_its_other_side(publisher):
    """The terminal's window crashes: no signal, only errors."""
    side, other = os.openpty()
    process = subprocess.Popen(
        [str(each) for each in live("-m", publisher.name())],
        env=clean_environment(TERM="xterm", LC_ALL="C.UTF-8"), stdin=other, stdout=other, stderr=other,
        start_new_session=True,
    )
    os.close(other)
    try:
        read = b""
        while b"burst" not in read:
            read += os.read(side, 65536)
        os.close(side)
        process.wait(END_S)
        assert not perf_is_on(publisher)
    finally:
        process.kill()
        process.wait()
