"""The live view of a recording: time, and that each poll shows what --read says of it."""

import itertools
import json
import re
import subprocess

import live_recordings
import pytest
from live_recordings import lost_of, name_of, pushed_of, time_of
from tango_servers import MONITOR, run_monitor, wait_for
from watching import PROGRAM

PUBLISHERS, STREAMS, POLLS = 2, 3, 40


@pytest.fixture(autouse=True)
def _programs(monitor_bin):
    """All of these need the monitor."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return live_recordings.write(tmp_path_factory.mktemp("live") / "r.jsonl", POLLS, PUBLISHERS, STREAMS)


@pytest.fixture
def view(tmux):
    def run(path, *arguments, rows=40, columns=140, **options):
        return tmux([MONITOR, "--live", "--read", path, *arguments], rows=rows, columns=columns, **options)

    return run


def poll_shown(screen):
    """(number of the poll that is shown, how many there are), from 1."""
    found = re.search(r"poll (\d+)/(\d+)", screen.text())
    return found and (int(found[1]), int(found[2]))


def wait_for_poll(screen, number, polls=POLLS):
    wait_for(lambda: poll_shown(screen) == (number, polls), 30, f"poll {number}/{polls} on\n{screen.text()}")


def open_stream(screen, publisher, stream):
    screen.press("/")
    screen.wait_for("Filter:")
    screen.type(name_of(publisher, stream))
    screen.press("Enter", "Enter")
    screen.wait_for(lambda text: "> stream" in text.split("\n")[0], what="the stream's screen")


def first_number(screen, label):
    found = re.search(rf"^\s*{label}\s+(\d+)\b", screen.text(), re.M)
    return found and int(found[1])


def shows(screen, publisher, stream, poll):
    """Whether the stream's screen has the numbers of a poll, from 0."""
    pushed, lost = pushed_of(publisher, stream, poll), lost_of(publisher, poll)
    return first_number(screen, "pushed") == pushed and first_number(screen, "received") == pushed - lost


def wait_until_it_shows(screen, publisher, stream, poll):
    wait_for(lambda: shows(screen, publisher, stream, poll), 20, f"poll {poll} of it; the screen:\n{screen.text()}")


def test_steps_through_time(recorded, view):
    screen = view(recorded)
    wait_for_poll(screen, POLLS)
    open_stream(screen, 0, 1)
    wait_until_it_shows(screen, 0, 1, POLLS - 1)
    for number in range(POLLS - 1, POLLS - 6, -1):
        screen.press("Left")
        wait_for_poll(screen, number)
        wait_until_it_shows(screen, 0, 1, number - 1)
    screen.press("Right")
    wait_for_poll(screen, POLLS - 4)
    screen.press("[")
    wait_for_poll(screen, 1)
    wait_until_it_shows(screen, 0, 1, 0)
    screen.press("Left")
    wait_for_poll(screen, 1)
    screen.press("]")
    wait_for_poll(screen, POLLS)
    screen.press("Right")
    wait_for_poll(screen, POLLS)
    assert screen.end() == 0


def test_each_poll_shows_what_read_says_of_it(recorded, view):
    """As JSON, for all streams of a poll."""
    said = [json.loads(line) for line in run_monitor("--read", recorded, "--format", "jsonl").stdout.splitlines()]
    screen = view(recorded)
    wait_for_poll(screen, POLLS)
    screen.press("[")
    wait_for_poll(screen, 1)
    for poll in range(4):
        assert len(said[poll]["servers"]) == PUBLISHERS + 1
        for publisher, stream in itertools.product(range(PUBLISHERS), range(STREAMS)):
            name = name_of(publisher, stream)
            counts = next(each for server in said[poll]["servers"] for each in server["published"] or []
                          if each["stream"].endswith(name))
            topics = next(each for server in said[poll]["servers"] for each in server["subscriptions"] or []
                          if name_of(publisher, stream).split(".")[0] in each["topic"])
            assert counts["pushed"] == pushed_of(publisher, stream, poll)
            open_stream(screen, publisher, stream)
            wait_for(lambda c=counts: first_number(screen, "pushed") == c["pushed"], what=f"{name}\n{screen.text()}")
            assert first_number(screen, "received") == topics["received"]
            screen.press("Escape", "Escape")
            screen.wait_until_gone("> stream")
        screen.press("Right")
        wait_for_poll(screen, poll + 2)


def test_plays_and_stops(recorded, view):
    screen = view(recorded)
    wait_for_poll(screen, POLLS)
    screen.press("[")
    wait_for_poll(screen, 1)
    screen.press("Space")
    screen.wait_for("plays 1 poll/s")
    screen.press("+", "+", "+", "+", "+")
    screen.wait_for("plays 32 polls/s")
    wait_for_poll(screen, POLLS)
    screen.wait_until_gone("plays")
    # From the end it begins anew.
    screen.press("-", "-", "-", "-")
    screen.press("Space")
    screen.wait_for("plays 2 polls/s")
    wait_for(lambda: 1 < poll_shown(screen)[0] < POLLS, what="some poll in between")
    screen.press("Space")
    screen.wait_until_gone("plays")
    number, _ = poll_shown(screen)
    open_stream(screen, 1, 1)
    wait_until_it_shows(screen, 1, 1, number - 1)


def test_the_slider_by_mouse(recorded, view):
    """A click in its middle goes to the middle."""
    screen = view(recorded)
    wait_for_poll(screen, POLLS)
    line = next(number for number, text in enumerate(screen.lines()) if "poll " in text and "/" in text)
    screen.click(line, 70)
    wait_for(lambda: 10 < poll_shown(screen)[0] < 30, what="a poll in the middle")


def test_from_trouble_to_trouble(tmp_path, view):
    """} and { go to the polls with losses."""
    quiet = [live_recordings.line_of(poll, 1, 1) for poll in range(12)]
    lines = []
    for number, line in enumerate(quiet):
        answer = json.loads(line)
        topics = answer["replies"]["dserver/Sub/1"]["data"]["client"]["event_callbacks"]
        for each in topics.values():
            lost = 0 if number < 5 else 7
            each.update(lost_event_count=lost, missed_event_count=min(lost, 1),
                        event_count=each["server_counter"] - lost)
        lines.append(json.dumps(answer) + "\n")
    path = tmp_path / "r.jsonl"
    path.write_text("".join(lines))
    screen = view(path)
    wait_for_poll(screen, 12, 12)
    screen.press("[")
    wait_for_poll(screen, 1, 12)
    screen.press("}")
    wait_for_poll(screen, 6, 12)


@pytest.mark.parametrize("ending, pack", [(".gz", "gzip"), (".zst", "zstd -q"), (".xz", "xz")])
def test_compressed(recorded, view, tmp_path, ending, pack):
    path = tmp_path / f"r.jsonl{ending}"
    path.write_bytes(subprocess.run(pack.split(), input=recorded.read_bytes(), stdout=subprocess.PIPE, check=True).stdout)
    screen = view(path)
    wait_for_poll(screen, POLLS)
    screen.press("[")
    wait_for_poll(screen, 1)
    open_stream(screen, 0, 0)
    wait_until_it_shows(screen, 0, 0, 0)


def test_from_a_pipe(recorded, tmux):
    """Keys come from the terminal all the same, which is /dev/tty then; or it says what it needs."""
    screen = tmux(["bash", "-c", f"'{MONITOR}' --live --read <(cat '{recorded}')"], rows=40, columns=140)
    wait_for_poll(screen, POLLS)
    screen.press("Left")
    wait_for_poll(screen, POLLS - 1)
    assert screen.end() == 0


def test_a_pipe_in_which_nothing_comes(tmux, tmp_path):
    """Keys are answered meanwhile."""
    script = f"mkfifo '{tmp_path}/fifo'; sleep 600 >'{tmp_path}/fifo' & '{MONITOR}' --live --read '{tmp_path}/fifo';"
    screen = tmux(["bash", "-c", script + " status=$?; kill %1; exit $status"], rows=24, columns=100)
    wait_for(lambda: screen.get("alternate_on") == "1", what="the view")
    screen.press("?")
    screen.wait_for("quit")
    screen.press("Escape")
    assert screen.end() == 0


def test_what_is_no_recording(tmux, tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text("this is none\n" * 5)
    screen = tmux([MONITOR, "--live", "--read", path], columns=200)
    screen.wait_for(lambda text: "r.jsonl" in text or screen.is_dead, what="word of it")
    if not screen.is_dead:
        screen.press("q")
    screen.status()
    assert f"{PROGRAM}{path}" in screen.everything(), screen.everything()


def test_a_file_that_is_not_there(tmux, tmp_path):
    screen = tmux([MONITOR, "--live", "--read", tmp_path / "none.jsonl"], columns=200)
    assert screen.status() == 1
    (line,) = screen.everything().strip().split("\n")
    assert "No such file" in line


def test_time_is_shown(recorded, view):
    screen = view(recorded, env={"TZ": "UTC"})
    wait_for_poll(screen, POLLS)
    screen.wait_for(time_of(POLLS - 1)[11:19])
    screen.press("[")
    screen.wait_for(time_of(0)[11:19])


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """10,000 streams of 100 servers."""
    return live_recordings.write(tmp_path_factory.mktemp("live") / "large.jsonl", 6, 100, 100)


def test_ten_thousand_streams(large, view):
    """Each key shows at once: far below what a person calls a lag, on however busy a machine."""
    screen = view(large)
    wait_for_poll(screen, 6, 6)
    for key in ("End", "PageUp", "Home", "PageDown", "Down", "Up"):
        before = screen.colours()
        screen.press(key)
        screen.wait_for(lambda _, before=before: screen.colours() != before, 5, f"an answer to {key}")
    screen.press("/")
    screen.type("live/99/99/")
    screen.wait_for("live/99/99/x.change", 5)
    screen.press("Enter", "Enter")
    screen.wait_for(f"{pushed_of(99, 99, 5)}", 5)
    for poll in (4, 3, 2):
        screen.press("Left")
        wait_for_poll(screen, poll + 1, 6)
        wait_until_it_shows(screen, 99, 99, poll)
    assert screen.end() == 0
