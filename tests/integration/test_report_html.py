"""The page of a report, in a real browser: what is shown is true, and whatever one does with it works."""

import datetime
import json
import re
import subprocess

import live_recordings
import pytest
from tango_servers import BUILD, clean_environment, need

REPORT = BUILD / "bin" / "ska-tango-event-report"
POLLS, PUBLISHERS, STREAMS = 40, 3, 4
LARGEST = 1_000_000  # bytes

pytestmark = pytest.mark.not_under_sanitizers("they are slow, and the page is the same; test_report_html.c is there")


def write_page(recording, page, *options):
    """Where the page of a recording is."""
    done = subprocess.run([str(need(REPORT)), str(recording), "--quiet", "--html", str(page), *map(str, options)],
                          env=clean_environment(TZ="UTC"), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return page


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """The page of a recording whose every number is known; see live_recordings.py."""
    folder = tmp_path_factory.mktemp("known")
    recording = live_recordings.write(folder / "night.jsonl", POLLS, PUBLISHERS, STREAMS)
    return write_page(recording, folder / "night.html")


@pytest.fixture
def page(browser, known):
    opened = browser.open(known.as_uri())
    yield opened
    assert opened.complaints == []


def number(text):
    return int(re.sub(r"[,≥*]", "", text))


def table(page, name):
    """[{heading: text, ...}, ...] of the rows that are shown."""
    return page.run(f"""(() => {{
        const table = document.querySelector("#t-{name}");
        const heads = Array.from(table.tHead.rows[0].cells, (cell) => cell.textContent);
        return Array.from(table.tBodies[0].rows).filter((row) => !row.hidden).map((row) => Object.fromEntries(
            Array.from(row.cells, (cell, i) => [heads[i], cell.textContent.trim()])));
    }})()""")


def view_boxes(page):
    return page.run("Array.from(document.querySelectorAll('svg.plot'), p => p.getAttribute('viewBox'))")


# ---- what is shown ----


def expected_totals():
    last, first = POLLS - 1, 0
    both = [(p, s) for p in range(PUBLISHERS) for s in range(STREAMS)]
    pushed = sum(live_recordings.pushed_of(p, s, last) - live_recordings.pushed_of(p, s, first) for p, s in both)
    lost = sum(live_recordings.lost_of(p, last) - live_recordings.lost_of(p, first) for p, s in both)
    return pushed, lost


def test_totals(page):
    pushed, lost = expected_totals()
    tiles = {name: number(count) for count, name in (
        text.split(" ", 1) for text in page.texts(".tiles li"))}
    assert (tiles["pushed"], tiles["lost"], tiles["received"]) == (pushed, lost, pushed - lost)
    assert (tiles["servers"], tiles["streams"]) == (PUBLISHERS + 1, PUBLISHERS * STREAMS)
    assert "2026-03-01 00:00:00 to 2026-03-01 00:06:30" in page.run("document.querySelector('.period').textContent")
    assert page.run("document.querySelector('.period').textContent").count("UTC+00:00") == 1


def test_tables(page):
    pushed, lost = expected_totals()
    streams = table(page, "streams")
    assert sum(number(row["Pushed"]) for row in streams) == pushed
    assert sum(number(row["Lost"]) for row in streams) == lost
    assert {row["Stream"] for row in streams} == {
        live_recordings.name_of(p, s) for p in range(PUBLISHERS) for s in range(STREAMS)}
    subscriptions = table(page, "subscriptions")
    assert sum(number(row["Lost"]) for row in subscriptions) == lost
    assert {row["Subscriber"] for row in subscriptions} == {"Sub/1"}
    assert {row["Server"] for row in table(page, "servers")} == {"Sub/1", *(f"Pub/{p}" for p in range(PUBLISHERS))}


def test_charts_have_all_that_was_lost(page):
    """However columns are joined."""
    lost = page.run("""(() => {
        const data = JSON.parse(document.getElementById("data").textContent);
        const sum = (chart) => data.charts[chart].series.find(([name]) => name === "lost")[2].reduce((a, b) => a + b);
        return [sum("timeline"), sum("stream-0")];
    })()""")
    assert lost == [expected_totals()[1], POLLS - 1]


def test_findings_come_first_and_unfold(page):
    assert page.texts("h2")[0] == "Findings"
    first = page.run("document.querySelector('.finding').id")
    assert not page.run(f"document.getElementById('{first}').open")
    page.click(".finding summary .what")
    assert page.run(f"document.getElementById('{first}').open")
    text = page.run(f"document.getElementById('{first}').textContent")
    assert "What to do" in text and "From" in text


def test_two_databases(browser, tmp_path):
    """With the same names in both: they can be told apart everywhere."""
    recorded = live_recordings.write(tmp_path / "one.jsonl", 4, 1, 1).read_text().splitlines()
    with (tmp_path / "two.jsonl").open("w") as out:
        for text in recorded:
            line = json.loads(text)
            line["replies"] = {
                f"tango://{host}:1/{server}": json.loads(json.dumps(reply).replace("tango://h:1/", f"tango://{host}:1/"))
                for host in ("east", "west") for server, reply in line["replies"].items()}
            out.write(json.dumps(line) + "\n")
    page = browser.open(write_page(tmp_path / "two.jsonl", tmp_path / "two.html").as_uri())
    both = {f"tango://{host}:1/{live_recordings.name_of(0, 0)}" for host in ("east", "west")}
    assert {row["Stream"] for row in table(page, "streams")} == both == set(page.texts(".card h3"))
    assert len({row["Server"] for row in table(page, "servers")}) == 4
    assert len({row["Subscriber"] for row in table(page, "subscriptions")}) == 2
    assert "All names are of" not in page.texts(".period")[0]


def write_at(path, moments, publishers=1, streams=1):
    """A recording with polls at these times, in seconds since 2026-03-01T00:00:00Z."""
    begin = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)
    with path.open("w") as out:
        for poll, moment in enumerate(moments):
            line = json.loads(live_recordings.line_of(poll, publishers, streams))
            line["time"] = (begin + datetime.timedelta(seconds=moment)).isoformat(timespec="microseconds")
            out.write(json.dumps(line) + "\n")
    return path


def series(page, chart, name):
    return page.run(f"""JSON.parse(document.getElementById("data").textContent).charts[{json.dumps(chart)}]
        .series.find(([name]) => name === {json.dumps(name)})[2]""")


def test_a_short_recording(browser, tmp_path):
    """Columns are not much wider than polls are apart; where there was none in a column, the rate is still known."""
    recording = write_at(tmp_path / "short.jsonl", [0.2 * poll + 0.03 * (poll % 3) for poll in range(12)])
    page = browser.open(write_page(recording, tmp_path / "short.html").as_uri())
    for chart in ("timeline", "stream-0"):
        rates = series(page, chart, "pushed")
        assert len(rates) >= 8 and all(rate and rate > 50 for rate in rates), (chart, rates)
    assert sum(series(page, "timeline", "lost")) == 11
    times = page.texts("#timeline .times text")
    assert len(times) >= 5 and times[0] == "00:00:00.2"
    page.hover("#c-timeline svg.plot", x=0.5)
    assert re.match(r"00:00:0[01]\.\d\d", page.run("document.querySelector('#tip b').textContent"))
    page.drag("#c-timeline svg.plot", 0.2, 0.8)
    assert re.search(r"00:00:00\.\d+ to 00:00:01\.\d+", page.run("document.querySelector('#bar').innerText"))
    assert page.complaints == []


def count_pixels(page, selector, fits):
    """Of the upper half: what is always there is below."""
    rows = page.pixels(selector)
    return sum(fits(*pixel) for row in rows[:len(rows) // 2] for pixel in row), len(rows) // 2


@pytest.mark.parametrize("width", [400, 1280])
def test_a_single_peak_and_a_single_lost_event_are_seen(browser, tmp_path, width):
    """Of one of 2880 polls each, however few pixels a chart has."""
    peak, loss = 1000, 2000
    path = write_at(tmp_path / "night.jsonl", [10 * poll for poll in range(2880)])
    with path.open() as lines:
        recorded = [json.loads(line) for line in lines]
    with path.open("w") as out:
        for poll, line in enumerate(recorded):
            pushed, lost = 100 + 10 * poll + 500 * (poll > peak), int(poll > loss)
            server = line["replies"]["dserver/Pub/0"]["data"]["server"]
            server["event_streams"]["tango://h:1/live/0/0/x.change"]["pushed_event_count"] = pushed
            topic = line["replies"]["dserver/Sub/1"]["data"]["client"]["event_callbacks"]
            topic["tango://h:1/live/0/0/x.idl5_change"].update(
                server_counter=pushed, event_count=pushed - lost, missed_event_count=lost, lost_event_count=lost)
            out.write(json.dumps(line) + "\n")
    page = browser.open(write_page(path, tmp_path / "night.html").as_uri(), width=width)
    page.run("document.querySelector('#timeline .recv').remove()")  # it is drawn over what was pushed
    blue, high = count_pixels(page, "#timeline .tall", lambda red, green, blue: blue - red > 40)
    orange, low = count_pixels(page, "#timeline .low", lambda red, green, blue: red - blue > 100)
    assert blue >= high and orange >= low
    for chart in ("#c-timeline", "#c-stream-0"):
        page.hover(f"{chart} svg.plot", x=(loss + 1) / 2880)
        assert "\nlost\t1\n" in page.run("document.querySelector('#tip').innerText") + "\n"
    assert [row["Lost"] for row in table(page, "streams")] == ["1"]
    assert [(row["From"], row["Lost"]) for row in table(page, "minutes")] == [("05:33:00", "1")]


def test_times_of_years_have_the_year(browser, tmp_path):
    recording = write_at(tmp_path / "years.jsonl", [30 * 86400 * poll for poll in range(100)])
    page = browser.open(write_page(recording, tmp_path / "years.html").as_uri())
    drawn = page.texts("#timeline .times text")
    assert len(drawn) > 4 and all(re.fullmatch(r"20[23]\d-\d\d-\d\d", time) for time in drawn)
    page.drag("#c-timeline svg.plot", 0.1, 0.9)
    zoomed = page.texts("#timeline .times text")
    assert len(zoomed) > 4 and all(re.fullmatch(r"20[23]\d-\d\d-\d\d", time) for time in zoomed)


# ---- the script ----


def test_sorting(page):
    assert page.texts("#t-streams th[aria-sort]") == []
    page.click("#t-streams th:nth-child(5) button")
    pushed = [number(row["Pushed"]) for row in table(page, "streams")]
    assert pushed == sorted(pushed, reverse=True) and len(set(pushed)) > 1
    page.click("#t-streams th:nth-child(5) button")
    assert [number(row["Pushed"]) for row in table(page, "streams")] == sorted(pushed)
    assert page.run("document.querySelector('#t-streams th[aria-sort]').getAttribute('aria-sort')") == "ascending"
    page.click("#t-streams th:first-child button")
    names = [row["Stream"] for row in table(page, "streams")]
    assert names == sorted(names)


def test_sorting_times_of_which_some_are_not_known(page):
    """Those are less than anything."""
    click = "document.querySelector('#t-subscriptions th:nth-child({}) button').click()".format
    place = page.texts("#t-subscriptions th").index("Most lost at") + 1
    known = STREAMS
    page.run(click(1))
    page.run(click(1))  # those that lost something, of publisher 0, are last
    for direction in (-1, 1):
        page.run(click(place))
        times = [row["Most lost at"] for row in table(page, "subscriptions")][::-direction]
        assert "–" not in times[:known] and set(times[known:]) == {"–"}


def test_a_strange_address_of_a_part(browser, known):
    page = browser.open(known.as_uri() + "#%")
    assert page.run("document.documentElement.dataset.ready") == "yes"
    assert page.complaints == []


def test_filtering(page):
    page.click("#t-streams-filter")
    page.type("live/1/ x.change")
    assert [row["Stream"].rsplit("/", 2)[0] for row in table(page, "streams")] == ["live/1"] * STREAMS
    assert page.run("document.querySelector('#streams .count').textContent") == f"{STREAMS} of {PUBLISHERS * STREAMS}"
    page.run("document.querySelector('#t-streams-filter').select()")
    page.type("nothing has this")
    assert table(page, "streams") == []
    assert len(table(page, "subscriptions")) == PUBLISHERS * STREAMS


def test_zooming_by_dragging(page):
    before = view_boxes(page)
    page.drag("#c-timeline svg.plot", 0.25, 0.5)
    after = view_boxes(page)
    assert len(after) == len(before) and all(a != b for a, b in zip(after, before))
    for old, new in zip(before, after):
        _, _, width, height = map(float, old.split())
        x, y, zoomed, same = map(float, new.split())
        assert (y, same) == (0, height)
        assert zoomed == pytest.approx(width / 4, rel=0.02) and x == pytest.approx(width / 4, rel=0.02)
    assert re.search(r"00:01:\d\d to 00:03:\d\d", page.run("document.querySelector('#bar').innerText"))
    assert page.texts("#c-timeline .times text")[0].startswith("00:0")
    page.key("Escape")
    assert [list(map(float, box.split())) for box in view_boxes(page)] == \
        [list(map(float, box.split())) for box in before]
    assert page.run("document.querySelector('#bar').hidden")


def test_zooming_otherwise(page):
    before = view_boxes(page)
    page.mouse("Wheel", *page.place("#c-timeline svg.plot"), deltaX=0, deltaY=-100, modifiers=2)
    page.wait_for(f"document.querySelector('svg.plot').getAttribute('viewBox') !== {json.dumps(before[0])}")
    page.click("#c-timeline svg.plot", count=2)
    page.wait_for("document.querySelector('#bar').hidden")
    page.run("document.querySelector('#c-timeline').focus()")
    page.key("+")
    assert not page.run("document.querySelector('#bar').hidden")
    page.click("#bar button")
    assert page.run("document.querySelector('#bar').hidden")


def test_what_is_under_the_pointer(page):
    page.hover("#c-stream-0 svg.plot", x=0.5)
    shown = page.run("document.querySelector('#tip').innerText")
    assert page.run("document.querySelector('#tip').checkVisibility()")
    values = dict(line.split("\t") for line in shown.splitlines()[1:])
    seconds = page.run("JSON.parse(document.getElementById('data').textContent).charts['stream-0'].seconds")
    polls = max(1, round(seconds / live_recordings.PERIOD_S))
    assert int(values["lost"]) == polls
    assert int(values["events pushed"]) == int(values["events received"]) + polls
    assert page.run("document.querySelectorAll('.cursor').length") > 1  # in all charts
    page.hover("h1")
    assert page.run("document.querySelector('#tip').hidden")


def test_the_same_by_keys(page):
    page.run("document.querySelector('#c-timeline').focus()")
    page.key("ArrowRight")
    first = page.run("document.querySelector('#tip').innerText")
    page.key("ArrowRight")
    second = page.run("document.querySelector('#tip').innerText")
    assert first and second and first != second
    assert page.run("document.querySelector('[aria-live]').textContent") == second
    page.key("Escape")
    assert page.run("document.querySelector('#tip').hidden")


# ---- without it, small, and on paper ----


def test_without_scripts(browser, known):
    page = browser.open(known.as_uri(), scripts=False)
    assert page.complaints == []
    assert page.run("document.documentElement.dataset.ready") is None
    assert page.run("""Array.from(document.querySelectorAll("#timeline svg.plot path")).filter(
        (path) => path.getBoundingClientRect().width > 0).length""") > 3
    assert page.run("document.querySelectorAll('.finding').length") > 0
    assert page.run("document.querySelectorAll('input, button').length") == 0
    assert len(page.texts("#t-streams tbody tr")) == PUBLISHERS * STREAMS


@pytest.mark.parametrize("width", [400, 1280, 2560])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits(browser, known, width, dark):
    """No part is wider than the window, no text is cut off by it, and colours are the reader's."""
    page = browser.open(known.as_uri(), width=width, dark=dark)
    assert page.run("document.documentElement.scrollWidth") == width
    outside = page.run("""Array.from(document.querySelectorAll("h1, h2, h3, p, figure, .tiles, .wrap, .graph"))
        .filter((e) => e.offsetWidth && e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML)""")
    assert outside == []
    back = page.run("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", back))) < 200) == dark
    assert page.complaints == []


def test_printing(browser, known, tmp_path):
    page = browser.open(known.as_uri())
    assert page.print_to(tmp_path / "page.pdf").read_bytes().startswith(b"%PDF-")
    page.show_as(media="print")
    assert page.run("getComputedStyle(document.querySelector('.wrap')).maxHeight") == "none"
    assert page.run("getComputedStyle(document.querySelector('.tools')).display") == "none"


def test_its_policy_lets_nothing_else_run(browser, known, tmp_path):
    """A script, a style or a picture that got into the page would not do anything."""
    evil = tmp_path / "evil.html"
    evil.write_text(known.read_text().replace("<main>", """<main><script>document.title = "evil"</script>
        <p id="styled" style="color: rgb(1, 2, 3)">x</p><img src="http://127.0.0.1:1/x.png" onerror="document.title='evil'">
        <button id="b" onclick="document.title = 'evil'">x</button>"""))
    page = browser.open(evil.as_uri())
    page.click("#b")
    assert "evil" not in page.run("document.title")
    assert page.run("getComputedStyle(document.querySelector('#styled')).color") != "rgb(1, 2, 3)"
    assert len(page.complaints) >= 4


# ---- hostile and large ----

HOSTILE = [
    "</script><script>document.title='evil'</script>", "<img src=x onerror=\"document.title='evil'\">", "\"'`&amp;<!--",
    "\u202eevil\u202c", "\u2028\u2029", "x" * 10_000, "]]>&lt;b&gt;", "javascript:alert(1)", "a\tb", "\u05d0\u05d1",
]


def test_hostile_names(browser, tmp_path):
    """They are text, wherever they stand, the file's name included."""
    recording = tmp_path / "<img src=x onerror=document.title='evil'>.jsonl"
    lines = []
    for poll in range(4):
        line = json.loads(live_recordings.line_of(poll, 1, len(HOSTILE)))
        text = json.dumps(line)
        for i, name in enumerate(HOSTILE):
            text = text.replace(f"live/0/{i}/", json.dumps(f"live/0/{name}/")[1:-1])
        line = json.loads(text.replace("Sub/1", json.dumps(HOSTILE[1])[1:-1]))
        line["replies"]["dserver/x/1"] = {"error": HOSTILE[poll]}
        lines.append(json.dumps(line) + "\n")
    recording.write_text("".join(lines))
    page = browser.open(write_page(recording, tmp_path / "page.html").as_uri())
    assert page.complaints == []
    assert page.run("document.title") == recording.name
    assert page.run("document.querySelectorAll('img, a[href^=javascript], main script, b > b').length") == 0
    names = [row["Stream"] for row in table(page, "streams")]
    for name in HOSTILE[:3]:
        assert any(name in shown for shown in names), name
    assert not any("\u202e" in shown for shown in names)
    assert max(map(len, names)) < 1000
    page.click("#t-streams th:first-child button")
    page.hover("#c-stream-0 svg.plot")
    assert page.complaints == []


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Of 50 servers, 1,000 streams."""
    folder = tmp_path_factory.mktemp("large")
    return live_recordings.write(folder / "large.jsonl", 12, 50, 20)


def test_a_night_of_50_servers(browser, night, tmp_path):
    path = write_page(night, tmp_path / "large.html")
    assert path.stat().st_size < LARGEST
    page = browser.open(path.as_uri())
    assert page.complaints == []
    lost = sum(number(row["Lost"]) for row in table(page, "streams"))
    assert lost == 20 * 11  # of publisher 0; what is left out, if anything, lost nothing
    shown = len(table(page, "streams"))
    left_out = page.run("document.querySelector('#streams .left-out')?.textContent")
    assert shown == 1000 or f"{1000 - shown} more streams are not shown" in left_out
    assert len(page.texts("#graph .left li:not(.empty)")) <= 50


# ---- what really happened ----


def test_real_trouble(browser, troubled, tmp_path):
    """Totals and losses are the truth, and each of the faults is a finding."""
    page = browser.open(write_page(troubled.path, tmp_path / "page.html", *troubled.options).as_uri())
    assert page.complaints == []
    streams = {row["Stream"]: row for row in table(page, "streams")}
    for stream in troubled.streams:
        row = streams[stream.name]
        assert (number(row["Pushed"]), number(row["Lost"])) == (stream.pushed, stream.lost), stream
    tiles = page.texts(".tiles li")
    assert f"{troubled.lost:,} lost" in [tile.lstrip("≥").replace("*", "") for tile in tiles]
    rules = page.texts(".finding dl dt:first-child + dd")
    for fault in troubled.faults.values():
        assert fault.rule is None or fault.rule in rules, (fault, rules)


# ---- served ----


def test_it_gets_itself_anew(browser, export):
    """Whatever the reader has done stays as it is; and it says when the exporter is away."""
    exporter = export("--poll-period=0.3").wait_until_ready()
    host, port = exporter.addresses[0]
    page = browser.open(f"http://{host}:{port}/", height=500)
    polls = "Number(document.querySelector('#t-servers tbody td:nth-child(3)').textContent)"
    page.wait_for("document.querySelector('#t-servers tbody tr') !== null")
    page.run("document.querySelector('#t-servers-filter').focus()")
    page.type("dev")
    page.run("document.querySelector('#t-servers th:first-child button').click()")  # it moves while parts appear
    page.run("document.querySelector('#t-servers-filter').focus()")
    page.run("window.same = true")
    place = "document.querySelector('#t-servers-filter').getBoundingClientRect().top"
    top = page.run(place)
    before = page.run(polls)
    page.wait_for(f"{polls} > {before + 3}")
    assert page.run("window.same")  # it wasn't loaded again
    assert page.run("document.activeElement.id") == "t-servers-filter"
    assert page.run("document.activeElement.value") == "dev"
    assert page.run("document.querySelector('#t-servers th').getAttribute('aria-sort')") == "ascending"
    assert page.run(place) == pytest.approx(top, abs=3)
    assert page.complaints == []

    exporter.stop()
    page.wait_for("document.querySelector('#live').textContent.startsWith('Not reached since')")
    assert page.run(polls) > before
    for path in ("/-/healthy", "/-/ready", "/metrics"):
        assert page.run(f"document.querySelector('footer a[href=\"{path}\"]') !== null")
