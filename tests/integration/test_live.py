"""The live view of real servers: what the screens show is what was pushed, received and lost."""

import json
import os
import re
import signal

import pytest
from agent_answers import ask, join, overflow, settle, stream, topic
from tango_servers import MONITOR, ROOT, run_monitor, wait_for
from watching import END_S, PROGRAM, lines, perf_is_on


@pytest.fixture(autouse=True)
def _programs(monitor_bin, agent_lib):
    """All of these need the monitor and the agent."""


@pytest.fixture
def view(tmux, tmp_path):
    """The live view of servers, in a terminal."""

    def run(*arguments, period=0.5, rows=40, columns=140, **options):
        command = [MONITOR, "--live", "--poll-period", period, *arguments]
        return tmux(command, rows=rows, columns=columns, folder=tmp_path, **options)

    return run


@pytest.fixture
def pair(servers, database):
    """A publisher, and a subscriber that has received an event or more of burst."""
    pub = servers.publisher("live/pair/1", "live-pair", agent=True, database=database)
    sub = servers.subscriber("live/pair-sub/1", "live-pair", agent=True, database=database)
    join(pub, sub)
    return pub, sub


def names(*some):
    return [server.name() for server in some]


def choose(screen, text):
    """Puts the cursor on the one stream whose name has that text."""
    screen.press("/")
    screen.wait_for("Filter:")
    screen.type(text)
    screen.press("Enter")


def fact(screen, label, columns=1):
    """The first numbers on the line that begins with that label; None: there is no such line."""
    for line in screen.lines():
        found = re.match(rf"\s*{re.escape(label)}\s+(.*)", line)
        if found:
            numbers = [int(number) for number in re.findall(r"(?<![(+\w.])\d+(?![\w.:/-])", found[1])]
            return numbers[:columns]
    return None


def truth(pub, sub):
    """Pushed, received and lost of burst."""
    received = topic(sub)
    return stream(pub)["pushed_event_count"], received["event_count"], received["lost_event_count"]


# ---- numbers ----


def test_the_screen_shows_what_was_pushed_received_and_lost(pair, view):
    pub, sub = pair
    screen = view(*names(pub, sub))
    screen.wait_for("burst.change")
    overflow(pub, sub, 20_000)
    pushed, received, lost = truth(pub, sub)
    assert lost > 0 and pushed == received + lost
    # The list.
    row = screen.wait_for(lambda text: next(
        (line for line in text.split("\n") if "burst.change" in line and re.search(rf"\b{lost}\b", line)), None),
        what=f"a row of burst with {lost} lost")
    assert row
    screen.wait_for(f"LOST {lost}")
    # The stream.
    choose(screen, "burst")
    screen.press("Enter")
    screen.wait_for(f"LOST: {lost} event")
    wait_for(lambda: fact(screen, "pushed") == [pushed], what=f"{pushed} pushed on\n{screen.text()}")
    wait_for(lambda: fact(screen, "received") == [received], what=f"{received} received on\n{screen.text()}")
    assert screen.row(f"dserver/{sub.server_name}")
    screen.press("Escape")
    screen.wait_for("burst.change")
    assert screen.end() == 0


def test_subscribers_side_by_side(servers, database, view):
    """Each with its own counts."""
    pub = servers.publisher("live/side/1", "live-side", agent=True, database=database)
    subs = [
        servers.subscriber(f"live/side-sub/{number}", f"live-side-{number}", agent=True, database=database)
        for number in (1, 2, 3)
    ]
    for sub in subs:
        join(pub, sub)
    screen = view(*names(pub, *subs))
    screen.wait_for("burst.change")
    choose(screen, "burst")
    screen.press("Enter")
    pub.proxy().PushBurst(100)
    for sub in subs:
        settle(pub, sub)
    counts = [topic(sub)["event_count"] for sub in subs]
    assert min(counts) > 100
    assert len(set(counts)) == 3, "they joined one after the other"
    wait_for(lambda: sorted(fact(screen, "received", 3) or []) == sorted(counts),
             what=f"{counts} received on\n{screen.text()}")
    for sub in subs:  # names are shortened in the middle
        assert screen.row(sub.server_name[-6:])


def test_a_finding_and_what_it_means(pair, view):
    pub, sub = pair
    screen = view(*names(pub, sub))
    screen.wait_for("burst.change")
    overflow(pub, sub, 20_000)
    lost = topic(sub)["lost_event_count"]
    screen.wait_for(re.compile(rf"FAULT.*lost {lost} of "))
    # The findings are above the streams: Tab goes there.
    screen.press("Tab")
    screen.press("Enter")
    screen.wait_for("What to do")
    assert screen.row("overflow")
    explanation = run_monitor("--explain", "overflow").stdout
    words = re.findall(r"\w+", explanation)[10:40]
    shown = re.findall(r"\w+", screen.text())
    assert any(shown[place : place + 6] == words[:6] for place in range(len(shown))) or screen.row("queue")
    screen.press("Escape")
    screen.wait_for("burst.change")


def open_server(screen, server):
    """From the streams into a server, by the list of servers and a click."""
    screen.press("S")
    screen.wait_for("> servers")
    line = screen.wait_for(lambda text: next((line for line in text.split("\n") if server.instance in line), None))
    screen.click(screen.lines().index(line), line.index(server.instance))
    screen.press("Enter")
    screen.wait_for(lambda text: "> server " in text.split("\n")[0] and server.instance in text)


def test_a_callback_that_blocks_and_what_is_not_connected(servers, database, view):
    pub = servers.publisher("live/pub/1", "live-stuck-pub", agent=True, database=database)
    sub = servers.python("clumsy.py", {"Clumsy": ["live/sub/1"]}, "live-stuck-sub", agent=True, database=database)
    sub.proxy().Subscribe([pub.attribute("attr"), "change"])
    database.register("gone/1", {"Clumsy": ["live/gone/1"]})
    sub.proxy().Subscribe([pub.full_name("live/gone/1/nothing"), "change:stateless"])
    sub.proxy().SubscribeAndBlock(pub.attribute("burst"))
    wait_for(
        lambda: (pub.proxy().PushBurst(1), ask(sub)["client"]["consumer_thread"]["state"] == "callbacks")[1],
        what="a callback that blocks",
        period=0.2,
    )
    screen = view(*names(pub, sub))
    screen.wait_for("burst.change")
    open_server(screen, sub)
    screen.wait_for("it has been running a callback for")
    assert screen.row("live/pub/1/burst")
    screen.wait_for("live/gone/1/nothing")
    screen.wait_for("live-stuck-pub")  # its channel
    sub.proxy().Release()
    screen.wait_for("it waits for the next event")
    assert screen.end() == 0


def test_servers_that_fail_and_come_back(pair, view):
    pub, sub = pair
    screen = view(*names(pub, sub), "--timeout", 2)
    screen.wait_for("2 servers")
    assert "FAILED" not in screen.text()
    sub.kill()
    screen.wait_for("1 FAILED")
    sub.start()
    screen.wait_until_gone("FAILED")


# ---- the list ----


@pytest.fixture
def many(servers, database):
    """Publishers of a stream each, and who subscribes to all of them isn't watched."""
    pubs = [
        servers.publisher(f"test/pub/{number}", f"live-many-{number}", agent=True, database=database)
        for number in (1, 2, 3)
    ]
    sub = servers.subscriber("test/live-many/1", "live-many", agent=True, database=database)
    for pub in pubs:
        sub.proxy().Subscribe([pub.attribute("burst"), "change"])
        pub.proxy().PushBurst(1)
    return pubs


def rows_of(screen):
    """The devices in the order of the list."""
    return re.findall(r"test/pub/(\d)/burst", screen.text())


def test_the_filter(many, view):
    screen = view(*names(*many))
    screen.wait_for(lambda _: set(rows_of(screen)) == {"1", "2", "3"}, what="three streams")
    screen.press("/")
    screen.wait_for("Filter:")
    screen.type("pub/2")
    screen.wait_for(lambda _: rows_of(screen) == ["2"], what="one stream, while it is typed")
    screen.press("Enter")
    screen.wait_until_gone("Filter:")
    screen.wait_for(lambda _: rows_of(screen) == ["2"], what="one stream")
    screen.press("Escape")
    screen.wait_for(lambda _: set(rows_of(screen)) == {"1", "2", "3"}, what="all again")
    # Given up while it is typed.
    screen.press("/")
    screen.type("pub/3")
    screen.wait_for(lambda _: rows_of(screen) == ["3"], what="one stream")
    screen.press("Escape")
    screen.wait_for(lambda _: set(rows_of(screen)) == {"1", "2", "3"}, what="all again")
    # That of the command line stays.
    only = view("--only", "*pub/1*", *names(*many))
    only.wait_for(lambda _: rows_of(only) == ["1"], what="one stream")


def test_hostile_text_as_a_filter(many, view):
    screen = view(*names(*many))
    screen.wait_for(lambda _: set(rows_of(screen)) == {"1", "2", "3"}, what="three streams")
    for text in ("[", "[[:", "*" * 60, "%s%n", "\\", "é日本", "?" * 300, "'\";$(x)"):
        screen.press("/")
        screen.wait_for("Filter:")
        screen.type(text)
        screen.press("Enter")
        screen.wait_until_gone("Filter:")
        screen.press("Escape")
        screen.wait_for(lambda _: set(rows_of(screen)) == {"1", "2", "3"}, what=f"all again after {text}")
    assert screen.end() == 0


def test_pause(many, view):
    """What is shown stays; p again, and it is up to date."""
    pub = many[0]
    screen = view(*names(*many))
    screen.wait_for(lambda _: set(rows_of(screen)) == {"1", "2", "3"}, what="three streams")
    choose(screen, "pub/1")
    screen.press("Enter")
    pushed = stream(pub)["pushed_event_count"]
    wait_for(lambda: fact(screen, "pushed") == [pushed], what=f"{pushed} pushed on\n{screen.text()}")
    screen.press("p")
    screen.wait_for("PAUSED")
    pub.proxy().PushBurst(7)
    screen.wait_for(re.compile(r"PAUSED, [3-9] polls since"))
    assert fact(screen, "pushed") == [pushed]
    screen.press("p")
    screen.wait_until_gone("PAUSED")
    wait_for(lambda: fact(screen, "pushed") == [pushed + 7], what="7 more")


# ---- what it does ----


def test_monitoring_on_and_off(pair, view):
    pub, sub = pair
    screen = view(*names(pub, sub))
    screen.wait_for("burst.change")
    assert "monitoring" not in screen.lines()[0]
    assert not perf_is_on(pub)
    screen.press("m")
    screen.wait_for("(y/n)")
    screen.press("n")
    screen.wait_until_gone("(y/n)")
    assert not perf_is_on(pub)
    screen.press("m", "y")
    wait_for(lambda: perf_is_on(pub) and perf_is_on(sub), what="monitoring on")
    screen.wait_for(lambda text: "monitoring" in text.split("\n")[0], what="word of it")
    screen.press("m")
    wait_for(lambda: not perf_is_on(pub) and not perf_is_on(sub), what="monitoring off")
    screen.wait_for(lambda text: "monitoring" not in text.split("\n")[0], what="word of it")
    # On again, and off at the end by itself.
    screen.press("m", "y")
    wait_for(lambda: perf_is_on(pub) and perf_is_on(sub), what="monitoring on")
    assert screen.end() == 0
    assert not perf_is_on(pub) and not perf_is_on(sub)


def test_durations_are_shown_once_they_are_measured(pair, view):
    pub, sub = pair
    screen = view("-m", *names(pub, sub))
    screen.wait_for("burst.change")
    choose(screen, "burst")
    screen.press("Enter")
    screen.wait_for("burst.change")
    pub.proxy().PushBurst(200)
    screen.wait_for(re.compile(r"median [\d.]+ [mu]s"))


def test_recording_from_now_on(pair, view, tmp_path):
    pub, sub = pair
    screen = view(*names(pub, sub), period=0.2)
    screen.wait_for("burst.change")
    screen.press("r")
    screen.wait_for("Record into:")
    for _ in range(60):
        screen.press("BSpace")
    screen.type("from now.jsonl")
    screen.press("Enter")
    screen.wait_for("recording into")
    path = tmp_path / "from now.jsonl"
    wait_for(lambda: path.exists() and path.read_text().count("\n") > 5, what="polls in the recording")
    assert screen.end() == 0
    result = run_monitor("--read", path, "--format", "jsonl")
    assert (result.returncode, result.stderr) == (0, "")
    polls = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(polls) == len(lines(path)) + 1  # and the totals
    assert polls[0]["servers_asked"] == 2


def test_recording_where_it_cannot_be(pair, view):
    pub, sub = pair
    screen = view(*names(pub, sub))
    screen.wait_for("burst.change")
    screen.press("r")
    screen.wait_for("Record into:")
    for _ in range(60):
        screen.press("BSpace")
    screen.type("/no/such/folder/x.jsonl")
    screen.press("Enter")
    screen.wait_for("No such file or directory")
    assert "recording into" not in screen.text()
    assert screen.end() == 0


def test_messages_are_shown_and_said_again_at_the_end(pair, view):
    """They aren't written across the screen."""
    pub, sub = pair
    screen = view(*names(pub, sub), "--timeout", 1)
    screen.wait_for("2 servers")
    os.kill(sub.pid, signal.SIGSTOP)
    try:
        screen.wait_for("1 FAILED")
        assert not any(line.startswith(PROGRAM) for line in screen.lines())
        screen.press("q")
        assert screen.status(END_S) == 0
    finally:
        os.kill(sub.pid, signal.SIGCONT)


# ---- what it is called in the documents ----

KEYS_WIDTH = 18


def keys_shown(screen):
    """(keys, marks) of the help: what stands in its first column."""
    keys, marks, heading = set(), set(), ""
    for line in screen.lines()[2:-1]:
        if line and not line.startswith("  "):
            heading = line.strip()
        elif line[2:KEYS_WIDTH].strip():
            some = line[2:KEYS_WIDTH].replace(", 2 clicks", "").replace("Shift + mouse", "").split()
            (marks if heading == "Marks" else keys).update(some)
    return keys, marks


def keys_documented():
    text = (ROOT / "docs" / "live.md").read_text(encoding="utf-8")
    keys, marks = text.split("\n## Keys\n")[1].split("\n## ")[0].split("\n### Marks\n")
    return tuple(
        {key for row in re.findall(r"^\| (`.*?) \|", part, re.M) for key in re.findall(r"`([^`]+)`", row)}
        for part in (keys, marks)
    )


def test_every_key_is_documented(pair, view):
    """Those of the help on the screen are those in docs/live.md; the man page has them, too."""
    screen = view(*names(*pair), rows=80, columns=80)
    screen.wait_for("burst.change")
    screen.press("?")
    screen.wait_for("this help")
    shown, documented = keys_shown(screen), keys_documented()
    assert shown == documented
    assert len(shown[0]) > 30
    manual = (ROOT / "docs" / "man" / "ska-tango-event-monitor.1").read_text(encoding="utf-8")
    listed = set()
    for line in re.findall(r"^\.It Ic (.*)$", manual.split(".Sh THE LIVE VIEW")[1].split(".Sh ")[0], re.M):
        listed |= {key.replace("\\&", "") for key in line.split(" , ")}
    assert listed == shown[0]


# ---- sorting ----


def test_sorting(many, view):
    """By name, and the other way round; by rate, by its key and by a click on the heading."""
    screen = view(*names(*many))
    screen.wait_for(lambda _: set(rows_of(screen)) == {"1", "2", "3"}, what="three streams")
    screen.press("N")
    screen.wait_for(lambda _: rows_of(screen) == ["1", "2", "3"], what="sorted by name")
    for key in ("I", "R"):
        screen.press(key)
        wanted = ["3", "2", "1"] if key == "I" else ["1", "2", "3"]
        screen.wait_for(lambda _, wanted=wanted: rows_of(screen) == wanted, what=f"inverted by {key}")
    paced(many[1], 400)
    screen.press("P")
    screen.wait_for(lambda _: rows_of(screen)[0] == "2", what="the one with the highest rate on top")
    screen.press("N")
    screen.wait_for(lambda _: rows_of(screen) == ["1", "2", "3"], what="sorted by name")
    heading = next(number for number, line in enumerate(screen.lines()) if "pushed/s" in line and "stream" in line)
    screen.click(heading, screen.lines()[heading].index("pushed/s") + 2)
    screen.wait_for(lambda _: rows_of(screen)[0] == "2", what="the one with the highest rate on top")


def paced(pub, per_second, seconds=60):
    pub.proxy().PushPaced([per_second * seconds, per_second])
