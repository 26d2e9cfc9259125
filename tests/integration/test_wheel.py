"""The wheel: one command, and the servers of an environment are watched, however they are started."""

import re
import textwrap
from pathlib import Path

import pytest
import tango
from python_environments import VERSION, Environment, exchange, our_wheel, run
from starter import Starter
from tango_servers import SERVERS, clean_environment, free_port, wait_for

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
    """A test's own server, in a thread or in a process of its own."""
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
            """
        )
    )
    done = environment.run(script)
    assert done.stdout.split()[-1:] == ["20"], done.stdout + done.stderr


def test_a_server_that_starter_starts(environment, database, tmp_path):
    """Started by Starter, as Astor has it done: a program of its folder, by its name."""
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


def test_the_agent_comes_with_tango_and_the_finder_goes(environment):
    script = (
        "import sys, tango\n"
        "print('event-agent' in open('/proc/self/maps').read())\n"
        "print([f for f in sys.meta_path if 'Tango' in repr(f)])\n"
    )
    assert environment.run("-c", script).stdout == "True\n[]\n"


@pytest.mark.parametrize("what", ["missing", "garbage", "unreadable", "no module", "broken module"])
def test_a_hook_that_fails_stops_nobody(new_environment, what):
    """Neither a Python, which says nothing, nor tango, where it is one line."""
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
    assert late.returncode == 1 and "imported already" in late.stderr
    off = environment.run("-S", "-c", begin + "import ska_tango_event_monitor as m; print(m.enable())",
                          SKA_TANGO_EVENT_AGENT="off")
    assert off.stdout == "False\n"


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
    """Only what every Linux with a C++ program has comes from outside."""
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
    (root / "proc").mkdir()  # where a program finds out where it lies
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
    assert environment.files() <= environment.empty
