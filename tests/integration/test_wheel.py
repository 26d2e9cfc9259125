"""The wheel: after one command, the servers of an environment are watched, however they are started."""

import json
import re
import subprocess
import textwrap
import urllib.request
from pathlib import Path

import pytest
import tango
from agent_answers import BUILT_IN
from python_environments import VERSION, Environment, exchange, our_wheel, run
from starter import Starter
from tango_servers import ROOT, SERVERS, clean_environment, die_with_parent, free_port, wait_for

pytestmark = pytest.mark.xdist_group("wheel")

COMMANDS = {"QueryEventSystem", "QueryEventAgent", "StartEventSystemPerfMon", "StopEventSystemPerfMon"}


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """An environment with pip and nothing else."""
    return Environment(tmp_path_factory.mktemp("bare") / "env")


@pytest.fixture(scope="module")
def environment(bare, tmp_path_factory):
    """An environment with our wheel in it."""
    environment = Environment(tmp_path_factory.mktemp("wheel") / "env", pip=bare)
    environment.install(our_wheel())
    return environment


@pytest.fixture
def new_environment(bare, tmp_path):
    """An environment for one test, with our wheel in it."""
    environment = Environment(tmp_path / "env", pip=bare)
    environment.install(our_wheel())
    return environment


def test_its_programs_have_man_pages(environment):
    for program in (f"ska-tango-event-{name}" for name in ("monitor", "report", "exporter", "agent")):
        page = environment.folder / "share" / "man" / "man1" / f"{program}.1"
        assert f".Nm {program}\n" in page.read_text(encoding="utf-8")


def test_it_has_what_prometheus_and_grafana_need(environment):
    shared = environment.folder / "share" / "ska-tango-event-monitor"
    for name in ("prometheus/alerts.yml", "prometheus/prometheus.yml", "grafana/dashboard.json"):
        assert (shared / Path(name).name).read_bytes() == (ROOT / "packaging" / name).read_bytes()


def test_its_tables_of_a_recording(environment, tmp_path):
    """By the program that it brings along, with nothing else on the PATH."""
    lines = []
    for number in range(3):
        counters = {"tango://h:1/a/b/c/x.change": 10 * number + 1}
        data = {"version": 1, "server": {"event_counters": counters, "perf": None}, "client": None}
        replies = {"dserver/Pub/1": {"data": data}}
        lines.append(json.dumps({"time": f"2026-03-01T12:00:{number:02}+00:00", "replies": replies}) + "\n")
    recording = tmp_path / "recording.jsonl"
    recording.write_text("".join(lines))
    zstd = tmp_path / "recording.jsonl.zst"
    run(environment.program("ska-tango-event-monitor"), "--read", recording, "-q", "-o", zstd)
    script = (
        "import sys; from ska_tango_event_monitor import read, rows\n"
        "for path in sys.argv[1:]: print(len(list(read(path))), [row.value for row in rows(path) if row.what == 'pushed'])"
    )
    done = environment.run("-c", script, recording, zstd, PATH="/nowhere")
    assert (done.stdout, done.stderr) == (2 * "3 [10, 10]\n", "")


def test_its_exporter(servers, environment):
    """With the libraries that it brings along."""
    pub = publisher(servers, environment, "exporter")
    port = free_port()
    program = environment.program("ska-tango-event-exporter")
    argv = [program, f"--web.listen-address=127.0.0.1:{port}", "--poll-period=0.5", pub.name()]
    exporter = subprocess.Popen([str(word) for word in argv], env=clean_environment(), preexec_fn=die_with_parent)

    def shown():
        try:
            page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
        except OSError:
            return False
        return re.search(rf'^tango_event_agent_info{{.*version="{re.escape(VERSION)}".*}} 1$', page, re.MULTILINE)

    try:
        wait_for(shown, 60, "metrics", 0.1)
    finally:
        exporter.terminate()
    assert exporter.wait(30) == 0


def test_its_description_links_to_nothing_that_it_has_not(environment):
    script = "from importlib.metadata import distribution as d; print(d('ska-tango-event-monitor').read_text('METADATA'))"
    text = environment.run("-c", script).stdout
    assert "# Python: the wheel" in text
    assert [link for link in re.findall(r"\]\(([^)]*)\)", text) if not link.startswith("#")] == []


def start(servers, environment, script, devices, **options):
    return servers.add([environment.python, SERVERS / script], devices=devices, **options)


def publisher(servers, environment, instance, **options):
    devices = {"Publisher": [f"wheel/pub/{instance}"]}
    return start(servers, environment, "publisher.py", devices, instance=instance, **options)


def subscriber(servers, environment, instance, **options):
    devices = {"Subscriber": [f"wheel/sub/{instance}"]}
    return start(servers, environment, "subscriber.py", devices, instance=instance, **options)


def command_names(server):
    return {info.cmd_name for info in server.admin_proxy().command_list_query()}


def monitor(environment, *devices, **env):
    """Runs the environment's monitor once; returns what it printed."""
    args = [environment.program("ska-tango-event-monitor"), *devices, "-n", "1"]
    return run(*args, env=clean_environment(**env)).stdout


def shown_counts(output):
    """{stream or topic: its first number}: the events pushed or received."""
    rows = re.findall(r"^ +(?:[A-Za-z]+  )? *(\S+\.\w+) +(\d+)\b", output, re.MULTILINE)
    return {name: int(count) for name, count in rows}


# ---- servers, as they are started everywhere ----


def test_an_ordinary_server(servers, environment, database):
    """No variable set, nothing preloaded: N events pushed, and the monitor shows N and N."""
    pub = publisher(servers, environment, "plain", database=database)
    sub = subscriber(servers, environment, "plain", database=database)
    assert COMMANDS <= command_names(pub) and COMMANDS <= command_names(sub)
    pushed, received = exchange(pub, sub, 99)
    counts = shown_counts(monitor(environment, pub.name(), sub.name()))
    assert counts["wheel/pub/plain/burst.change"] == pushed
    topics = [n for topic, n in counts.items() if re.search(r"burst\.idl\d_change", topic)]
    assert topics == [received]
    # What is loaded is the environment's agent, and the system's libtango.
    maps = Path(f"/proc/{pub.pid}/maps").read_text()
    assert str(environment.folder / "lib/ska-tango-event-monitor/libska-tango-event-agent.so") in maps
    assert len(set(re.findall(r"/\S*libtango\S*", maps))) == 1


def test_switched_off(servers, environment, database):
    env = {"SKA_TANGO_EVENT_AGENT": "off"}
    pub = publisher(servers, environment, "off", database=database, env=env)
    assert not command_names(pub) & (COMMANDS - {"QueryEventSystem"})
    assert "ska-tango-event-agent" not in Path(f"/proc/{pub.pid}/maps").read_text()


@pytest.mark.parametrize("mode", ["Gevent", "Asyncio"])
def test_green_modes(servers, environment, database, mode):
    server = start(
        servers,
        environment,
        "green.py",
        {"GreenPublisher": [f"wheel/green/{mode}"]},
        instance=mode.lower(),
        database=database,
        env={"GREEN_MODE": mode},
    )
    proxy = server.proxy()
    subscription = proxy.subscribe_event("value", tango.EventType.CHANGE_EVENT, lambda _: None)
    proxy.PushBurst(50)
    counts = shown_counts(monitor(environment, server.name()))
    assert counts[f"wheel/green/{mode.lower()}/value.change"] == 50
    proxy.unsubscribe_event(subscription)


@pytest.mark.parametrize("process", [False, True])
def test_device_test_context(environment, tmp_path, process):
    """A test's own server, in a thread or in a process of its own. In a thread, the test itself, which
    only receives, is watched with it."""
    script = tmp_path / "context.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import json, sys
            sys.path.insert(0, {str(SERVERS)!r})
            import tango
            from tango.test_context import DeviceTestContext
            from publisher import Publisher

            if __name__ == "__main__":
                with DeviceTestContext(Publisher, process={process}) as device:
                    device.subscribe_event("burst", tango.EventType.CHANGE_EVENT, lambda _: None)
                    device.PushBurst(20)
                    admin = tango.DeviceProxy(device.adm_name())
                    answer = json.loads(admin.QueryEventAgent())
                    print(sum(s["pushed_event_count"] for s in answer["server"]["event_streams"].values()))
                    print(len((answer["client"] or {{}}).get("event_callbacks", {{}})))
            """
        )
    )
    done = environment.run(script)
    assert done.stdout.split()[-2:] == ["20", "0" if process else "1"], done.stdout + done.stderr


def test_a_server_that_starter_starts(environment, database, tmp_path):
    """Started by Starter, as from Astor: a program of its folder, by its name."""
    folder = tmp_path / "servers"
    folder.mkdir()
    program = folder / "WheelPublisher"
    program.write_text(f"#!{environment.python}\n" + (SERVERS / "publisher.py").read_text())
    program.chmod(0o755)
    with Starter(database, folder, tmp_path) as starter:
        admin = starter.start("WheelPublisher/1", "Publisher", "wheel/pub/starter")
        wait_for(lambda: "QueryEventAgent" in admin.get_command_list(), 30, "the commands")
        device = tango.DeviceProxy(f"{starter.base}/wheel/pub/starter")
        device.subscribe_event("burst", tango.EventType.CHANGE_EVENT, lambda _: None)
        device.PushBurst(7)
        counts = shown_counts(monitor(environment, "wheel/pub/starter", TANGO_HOST=database.tango_host))
        assert counts["wheel/pub/starter/burst.change"] == 7


# ---- a Python that is started ----


def test_a_python_without_tango_is_untouched(environment):
    script = (
        "import sys\n"
        "print('ctypes' in sys.modules, 'tango' in sys.modules)\n"
        "print('event-agent' in open('/proc/self/maps').read())\n"
        "import json, email, xml.dom\n"
        "print('event-agent' in open('/proc/self/maps').read())\n"
    )
    done = environment.run("-c", script)
    assert (done.stdout, done.stderr) == ("False False\nFalse\nFalse\n", "")


def test_the_agent_comes_with_tango_and_the_finders_stay(environment):
    script = (
        "import sys\n"
        "before = list(sys.meta_path)\n"
        "import tango\n"
        "print('event-agent' in open('/proc/self/maps').read())\n"
        "print(['Tango' in repr(f) for f in before].count(True))\n"
        "print([f for f in sys.meta_path if f in before] == before)\n"
    )
    assert environment.run("-c", script).stdout == "True\n1\nTrue\n"


def run_beside(environment, folder, script, error="", **env):
    """Runs the script in the environment, where ``tango`` is an empty package; gives its output.

    ``error`` is a regular expression for all of its standard error.
    """
    modules = folder / "modules"
    (modules / "tango").mkdir(parents=True, exist_ok=True)
    (modules / "tango" / "__init__.py").touch()
    (modules / "small.py").touch()
    begin = (
        "import os, sys, threading\n"
        f"sys.path.insert(0, {str(modules)!r})\n"
        "def loaded():\n"
        "    return 'event-agent' in open('/proc/self/maps').read()\n"
    )
    done = environment.run("-c", begin + textwrap.dedent(script), **env)
    assert re.fullmatch(error, done.stderr), done.stderr
    return done.stdout


def test_the_agent_is_all_that_is_loaded(environment, tmp_path):
    script = """
    before = set(sys.modules)
    import tango
    print(sorted(set(sys.modules) - before), loaded())
    """
    assert run_beside(environment, tmp_path, script) == "['tango'] True\n"


def test_the_finder_takes_the_names_of_importlib(environment, tmp_path):
    """Those of importlib.abc.MetaPathFinder, by which others may call it."""
    script = """
    (hook,) = [finder for finder in sys.meta_path if "BeforeTango" in repr(finder)]
    print(hook.find_spec(fullname="small", path=None, target=None), loaded())
    print(hook.find_spec(fullname="tango", path=None), loaded())
    """
    assert run_beside(environment, tmp_path, script) == "None False\nNone True\n"


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "RecursionError"])
def test_an_interrupted_import_is_not_the_last(environment, tmp_path, error):
    script = f"""
    import importlib.util

    def interrupt(frame, event, argument):
        if frame.f_code.co_name == "agent_path":
            sys.settrace(None)
            raise {error}

    sys.settrace(interrupt)
    try:
        importlib.util.find_spec("tango")
    except KeyboardInterrupt:
        print("interrupted")
    print(loaded())
    import tango
    print(loaded())
    """
    interrupted = "interrupted\n" if error == "KeyboardInterrupt" else ""
    assert run_beside(environment, tmp_path, script) == interrupted + "False\nTrue\n"


def test_a_standard_error_that_waits(environment, tmp_path):
    """A failure is said where another thread imports under a lock that the program's stream needs."""
    script = """
    class Stream:
        def write(self, text):
            writing.set()
            with lock:
                return len(text)

        def flush(self):
            pass

    def imports():
        with lock:
            locked.set()
            writing.wait(1)
            import small

    lock, writing, locked = threading.Lock(), threading.Event(), threading.Event()
    first = threading.Thread(target=imports, daemon=True)
    first.start()
    locked.wait()
    sys.stderr = Stream()
    second = threading.Thread(target=__import__, args=("tango",), daemon=True)
    second.start()
    second.join(10)
    if not second.is_alive():
        first.join(10)
    print(first.is_alive(), second.is_alive(), "tango" in sys.modules, flush=True)
    os._exit(0)
    """
    line = r"ska-tango-event-agent\[\d+\]: not loaded: /nowhere\.so: .*\n"
    lib = {"SKA_TANGO_EVENT_AGENT_LIB": "/nowhere.so"}
    assert run_beside(environment, tmp_path, script, line, **lib) == "False False True\n"


def test_no_standard_error(environment, tmp_path):
    """What the program opens has its number then, and is left alone."""
    script = tmp_path / "script.py"
    script.write_text(f"own = open({str(tmp_path / 'own')!r}, 'w')\nimport tango\nprint(own.fileno())\n")
    command = 'exec "$@" 2>&-'
    env = clean_environment(SKA_TANGO_EVENT_AGENT_LIB="/nowhere.so")
    done = run("sh", "-c", command, "sh", environment.python, script, env=env)
    assert done.stdout == "2\n"
    assert (tmp_path / "own").read_text() == ""


def test_sub_interpreters(environment, tmp_path):
    """If Python can identify them, they are left alone, and the main one is not affected."""
    script = """
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    one = "import sys; sys.path.insert(0, %r); import tango" % sys.path[0]

    def in_another():
        new = interpreters.create()
        interpreters.run_string(new, one)
        interpreters.destroy(new)
        return loaded()

    import _thread
    known = hasattr(_thread, "_is_main_interpreter")
    print(in_another() != known, in_another() != known)
    import tango
    print(loaded(), in_another())
    """
    assert run_beside(environment, tmp_path, script) == "True True\nTrue True\n"


def test_words_that_switch_off(environment, tmp_path):
    for word in ("off", "OFF", "0", "no", "False"):
        script = "import tango; print(loaded())"
        assert run_beside(environment, tmp_path, script, SKA_TANGO_EVENT_AGENT=word) == "False\n"
    for word in ("on", "1", ""):
        assert run_beside(environment, tmp_path, script, SKA_TANGO_EVENT_AGENT=word) == "True\n"


def test_another_thread_finds_its_module(environment, tmp_path):
    """Tango is imported while another thread has asked all finders but the last."""
    script = """
    from importlib.machinery import FrozenImporter

    class Finders(list):
        def __iter__(self):
            for finder in super().__iter__():
                yield finder
                if finder is FrozenImporter and threading.current_thread() is searching:
                    other = threading.Thread(target=__import__, args=("tango",))
                    other.start()
                    other.join()

    searching = threading.current_thread()
    sys.meta_path = Finders(sys.meta_path)
    import small
    print("tango" in sys.modules, loaded())
    """
    assert run_beside(environment, tmp_path, script) == "True True\n"


@pytest.mark.parametrize("place", ["hook + 1", "len(sys.meta_path)"])
def test_a_tango_that_another_finder_knows(environment, tmp_path, place):
    """As installed with pip install --editable."""
    script = f"""
    import importlib.util
    folder = sys.path[0]
    sys.path[:] = [path for path in sys.path[1:] if not path.endswith("-packages")]

    class Editable:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "tango":
                return importlib.util.spec_from_file_location(name, folder + "/tango/__init__.py")

    (hook,) = [i for i, f in enumerate(sys.meta_path) if "BeforeTango" in repr(f)]
    sys.meta_path.insert({place}, Editable)
    import tango
    print(loaded())
    """
    assert run_beside(environment, tmp_path, script) == "True\n"


def test_a_finder_that_counts_on_importlibs_lock(environment, tmp_path):
    """It keeps other threads from what it looks at, while it asks the others for Tango."""
    script = """
    class Guarded:
        inside = None
        disturbed = False

        @classmethod
        def find_spec(cls, name, path=None, target=None):
            if cls.inside == threading.get_ident():
                return None
            cls.disturbed = cls.disturbed or cls.inside is not None
            cls.inside = threading.get_ident()
            try:
                for finder in sys.meta_path:
                    if finder is not cls:
                        found = finder.find_spec(name, path, target)
                        if found:
                            return found
            finally:
                cls.inside = None

    def imports():
        number = 0
        while not ended:
            number += 1
            try:
                __import__("nothing%d" % number)
            except ImportError:
                pass

    ended = False
    sys.meta_path.insert(0, Guarded)
    sys.setswitchinterval(1e-6)
    other = threading.Thread(target=imports)
    other.start()
    import tango
    ended = True
    other.join()
    print(Guarded.disturbed, loaded())
    """
    assert run_beside(environment, tmp_path, script) == "False True\n"


@pytest.mark.parametrize("times", [1, 2])
def test_another_thread_imports_ctypes(environment, tmp_path, times):
    """It has begun before Tango is looked for, and has more to import, which takes importlib's lock;
    the thread that imports Tango has that once, or twice, through a finder that asks the others.
    """
    script = f"""
    import importlib.util, time
    from importlib.machinery import PathFinder

    class Asking:
        asks = {times} == 2

        @classmethod
        def find_spec(cls, name, path=None, target=None):
            if name != "tango" or not cls.asks:
                return None
            cls.asks = False
            return importlib.util.find_spec(name)

    def in_hook(frame):
        while frame and not frame.f_code.co_filename.endswith("_ska_tango_event_agent.py"):
            frame = frame.f_back
        return frame is not None

    class Slow:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name != "ctypes":
                return None
            spec = PathFinder.find_spec(name)
            execute = spec.loader.exec_module

            def exec_module(module):
                second.start()
                while not (in_hook(sys._current_frames().get(second.ident)) or loaded()):
                    time.sleep(0.001)
                execute(module)

            spec.loader.exec_module = exec_module
            return spec

    sys.meta_path[:0] = [Slow, Asking]
    first = threading.Thread(target=__import__, args=("ctypes",), daemon=True)
    second = threading.Thread(target=__import__, args=("tango",), daemon=True)
    first.start()
    first.join(20)
    if not first.is_alive():
        second.join(20)
    print(first.is_alive(), second.is_alive(), loaded(), flush=True)
    os._exit(0)
    """
    assert run_beside(environment, tmp_path, script) == "False False True\n"


# ---- a Python that isn't to trust its environment ----


@pytest.mark.parametrize("option", ["-E", "-I"])
def test_no_variable_decides_what_is_loaded(environment, new_environment, tmp_path, option):
    agent = environment.folder / "lib/ska-tango-event-monitor/libska-tango-event-agent.so"
    other = tmp_path / "other.so"
    other.write_bytes(agent.read_bytes())
    script = (
        "import tango, ska_tango_event_monitor as m\n"
        "maps = open('/proc/self/maps').read()\n"
        f"print({str(agent)!r} in maps, {str(other)!r} in maps, m.agent_path(), m.enable())\n"
    )
    lib = {"SKA_TANGO_EVENT_AGENT_LIB": other}
    for env in (lib, {**lib, "SKA_TANGO_EVENT_AGENT": "off", "SKA_TANGO_EVENT_AGENT_LOG": "debug"}):
        done = environment.run(option, "-c", script, **env)
        assert (done.stdout, done.stderr) == (f"True False {agent} True\n", "")
    (new_environment.folder / "lib/ska-tango-event-monitor" / agent.name).unlink()
    failing = new_environment.run(option, "-c", "import tango", SKA_TANGO_EVENT_AGENT_LOG="off")
    assert failing.stderr.count("\n") == 1 and "not loaded" in failing.stderr


HONOURED = {
    "SKA_TANGO_EVENT_AGENT_SCHEMA": "legacy",
    "SKA_TANGO_EVENT_AGENT_PERF": "1",
    "SKA_TANGO_EVENT_AGENT_LOG": "debug",
}


def honoured(server):
    """Which of these it honours."""
    proxy = server.proxy()
    subscription = proxy.subscribe_event("burst", tango.EventType.CHANGE_EVENT, lambda _: None)
    proxy.PushBurst(5)
    admin = server.admin_proxy()
    found = {
        "SKA_TANGO_EVENT_AGENT_SCHEMA": "version" not in json.loads(admin.QueryEventSystem()),
        "SKA_TANGO_EVENT_AGENT_PERF": bool(json.loads(admin.QueryEventAgent())["server"]["perf"]),
        "SKA_TANGO_EVENT_AGENT_LOG": "ska-tango-event-agent[" in server.output(),
    }
    proxy.unsubscribe_event(subscription)
    return {name for name, is_so in found.items() if is_so}


@pytest.mark.parametrize("option", ["-E", "-I"])
def test_no_variable_reaches_the_agent(servers, environment, option):
    devices = {"Publisher": ["wheel/pub/untrusting"]}
    command = [environment.python, option, "-u", SERVERS / "publisher.py"]
    off = {**HONOURED, "SKA_TANGO_EVENT_AGENT": "off"}
    for number, env in enumerate((HONOURED, off)):
        server = servers.add(command, f"untrusting{number}", devices, env=env)
        assert COMMANDS <= command_names(server)
        assert honoured(server) == set()


def test_what_the_launcher_says_reaches_it(servers, environment):
    """LD_PRELOAD is trusted by then, so the variables with it are."""
    server = servers.add(
        [environment.python, "-E", "-u", SERVERS / "publisher.py"],
        "preloaded",
        {"Publisher": ["wheel/pub/preloaded"]},
        launcher=environment.program("ska-tango-event-agent"),
        env=HONOURED,
    )
    # Where QueryEventSystem is built in, the schema isn't ours to choose.
    unseen = {"SKA_TANGO_EVENT_AGENT_SCHEMA"} if BUILT_IN else set()
    assert honoured(server) == set(HONOURED) - unseen


@pytest.mark.parametrize("what", ["missing", "garbage", "unreadable", "no module", "broken module"])
def test_a_hook_that_fails_stops_nobody(new_environment, what):
    """Neither for Python, silently, nor for tango, with one line."""
    agent = new_environment.folder / "lib/ska-tango-event-monitor/libska-tango-event-agent.so"
    module = new_environment.site_packages / "_ska_tango_event_agent.py"
    env = {}
    if what == "missing":
        agent.unlink()
    elif what == "garbage":
        agent.write_bytes(b"garbage")
    elif what == "unreadable":
        env["SKA_TANGO_EVENT_AGENT_LIB"] = "/nowhere/agent.so"
    elif what == "no module":
        module.unlink()
    else:
        module.write_text("raise SystemExit(1) if False else RuntimeError('broken')\n")
    plain = new_environment.run("-c", "print(1)", **env)
    assert (plain.stdout, plain.stderr) == ("1\n", "")
    importing = new_environment.run("-c", "import tango; print(tango.__name__)", **env)
    assert importing.stdout == "tango\n"
    lines = importing.stderr.splitlines()
    if "module" in what:
        assert lines == []
    else:
        assert len(lines) == 1 and "ska-tango-event-agent" in lines[0] and "not loaded" in lines[0]
    quiet = new_environment.run("-c", "import tango", SKA_TANGO_EVENT_AGENT="off", **env)
    assert quiet.stderr == ""


def test_enable(environment):
    """Where no start-up hook runs."""
    site = environment.site_packages
    begin = f"import sys; sys.path[:0] = [{str(site)!r}, '/usr/lib/python3/dist-packages']; "
    load = "import ska_tango_event_monitor as m; print(m.enable()); import tango; print(m.enable())"
    assert environment.run("-S", "-c", begin + load).stdout == "True\nTrue\n"
    late = environment.run("-S", "-c", f"{begin}import tango\n{load}", check=False)
    assert late.returncode == 1 and "already imported" in late.stderr
    off = environment.run("-S", "-c", begin + "import ska_tango_event_monitor as m; print(m.enable())",
                          SKA_TANGO_EVENT_AGENT="off")
    assert off.stdout == "False\n"


@pytest.mark.parametrize("what", ["missing", "garbage", "other"])
def test_enable_raises_oserror(environment, tmp_path, what):
    library = tmp_path / "library.so"
    if what == "garbage":
        library.write_bytes(b"garbage")
    elif what == "other":
        library = next(Path("/usr/lib").glob("*/libz.so.1"))
    script = """
    import ska_tango_event_monitor
    try:
        ska_tango_event_monitor.enable()
    except OSError as error:
        print(error)
    """
    said = run_beside(environment, tmp_path, script, SKA_TANGO_EVENT_AGENT_LIB=library)
    assert len(said.splitlines()) == 1 and ("PyInit" if what == "other" else str(library)) in said


# ---- what is installed ----


def test_programs(environment):
    for name in ("ska-tango-event-monitor", "ska-tango-event-agent"):
        done = run(environment.program(name), "--version")
        assert done.stdout == f"{name} {VERSION}\n"
    for module in ("ska_tango_event_monitor", "event_monitor", "event_monitor.py"):
        done = environment.run("-m", module, "--version")
        assert done.stdout == f"ska-tango-event-monitor {VERSION}\n"
    path = run(environment.program("ska-tango-event-agent"), "path").stdout.strip()
    script = "import ska_tango_event_monitor as m; print(m.agent_path(), m.__version__)"
    assert environment.run("-c", script).stdout.split() == [path, VERSION]


def test_python_m_is_the_monitor(environment):
    done = environment.run("-m", "ska_tango_event_monitor", "no/such/device", "-n", "1", check=False,
                           TANGO_HOST=f"127.0.0.1:{free_port()}")
    assert done.returncode != 0 and done.stderr.startswith("ska-tango-event-monitor: ")


def test_it_brings_along_what_it_links_to(environment):
    """Only libraries of every Linux with a C++ program come from outside."""
    system = r"(libc|libm|libstdc\+\+|libgcc_s|libpthread|libresolv|librt|libdl|ld-linux-x86-64)\.so"
    for name in ("ska-tango-event-monitor", "ska-tango-event-agent"):
        for line in run("ldd", environment.program(name)).stdout.splitlines():
            soname, _, where = line.strip().partition(" => ")
            if where and not re.match(system, soname):
                assert str(environment.folder) in where, line
                assert re.search(r"-[0-9a-f]{8}\.so", soname), line


def test_in_an_image_without_tango(servers, environment, tmp_path, mount_namespace):
    """The monitor, where there is nothing but the C and C++ libraries."""
    root = tmp_path / "root"
    libraries = run("ldd", environment.program("ska-tango-event-monitor")).stdout
    for path in re.findall(r"(/\S+)", libraries):
        if str(environment.folder) not in path:
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(Path(path).read_bytes())
            target.chmod(0o755)
    run("cp", "-a", environment.folder, root / "env")
    server = publisher(servers, environment, "slim")
    program = "/env/bin/ska-tango-event-monitor"
    (root / "proc").mkdir()  # where a program finds its own path
    inside = 'mount -t proc proc "$1/proc" && exec chroot "$@"'
    done = run(*mount_namespace, "sh", "-c", inside, "sh", root, program, server.name(), "-n", "1")
    assert "1 of 1 server answered" in done.stdout


def test_uninstalling_leaves_nothing(bare, tmp_path):
    environment = Environment(tmp_path / "env", pip=bare)
    environment.install(our_wheel())
    assert "ska" not in environment.pip("check", check=False).stdout
    environment.run("-c", "import tango, ska_tango_event_monitor")
    assert environment.files() != environment.empty
    environment.pip("uninstall", "--yes", "ska-tango-event-monitor")
    # pip leaves the folders that all packages with man pages share.
    assert environment.files() - environment.empty <= {Path("share"), Path("share/man")}
