"""The commands about running processes: list, attach, query and detach, on real servers, C++ and Python, and
on processes that have to be refused, each of which lives on untouched."""

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess

import tempfile
from pathlib import Path

import late_agents
import pytest
from agent_answers import BUILT_IN_COMMANDS, ask
from tango_servers import PYTHON, ROOT, SERVERS, clean_environment, die_with_parent, wait_for

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user, too")


@pytest.fixture
def launch(launcher_bin):
    def run(*args, prefix=(), **env):
        return subprocess.run(
            [*map(str, prefix), str(launcher_bin), *map(str, args)],
            env=clean_environment(**env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def spawn(tmp_path):
    """Start a process that does something else than Tango; it is ended."""
    processes = []

    def start(*argv, **options):
        processes.append(
            subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=tmp_path,
                preexec_fn=die_with_parent,
                env=clean_environment(),
                **options,
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def instance():
    """An instance's name that no other test on this machine has."""
    return f"attach_{os.getpid()}_{next(_numbers)}"


_numbers = itertools.count(1)


@pytest.fixture
def refuse(launch):
    """Attach is refused, with one line about the process that has all these words; also as a dry run."""

    def check(pid, *words, prefix=()):
        for more in ([], ["--dry-run"]):
            result = launch("attach", *more, pid, prefix=prefix)
            assert (result.returncode, result.stdout) == (1, ""), result
            line = result.stderr
            assert line.startswith(f"ska-tango-event-agent: {pid}") and line.count("\n") == 1, line
            for word in words:
                assert word in line

    return check


def listed(launch, **options):
    result = launch("list", "--format", "json", **options)
    assert result.returncode == 0, result.stderr
    return {process["pid"]: process for process in json.loads(result.stdout)["processes"]}


def status_of(pid, key):
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return re.search(rf"^{key}:\s*(\S+)", text, re.M)[1]


def agents_in(pid):
    """How many agents are loaded there."""
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    return len({line.split()[4] for line in maps.splitlines() if "ska-tango-event-agent" in line})


def event_count(server):
    """Of its only subscription; 0 as long as the agent doesn't know it."""
    callbacks = (ask(server)["client"] or {}).get("event_callbacks") or {}
    return sum(each["event_count"] for each in callbacks.values())


def last_value(server):
    """The number of the newest event that its callback has seen."""
    if "Subscriber" in server.devices:
        seen = next(iter(json.loads(server.proxy().details).values()))
        return seen["last_value"]
    truth = json.loads(server.proxy().Truth())
    return max(thread["last"] for each in truth.values() for thread in each["threads"].values())


def subscribe(server, publisher):
    """Returns when there is nothing on its way any more: an event may be sent twice to a new subscriber, one
    after the other. Both in a database: without, cppTango 9.3.4 crashes 20 s later, which is soon on a busy
    machine."""
    name = publisher.attribute("burst")
    server.proxy().Subscribe([name, "change"] if "Subscriber" in server.devices else name)

    def arrives():
        publisher.proxy().PushBurst(1)
        return last_value(server) > 0

    wait_for(arrives, what="the first events")
    publisher.proxy().PushBurst(2)
    wait_for(lambda: last_value(server) == publisher.proxy().pushed, what="the events from before")


# ---- what it is for ----


@pytest.mark.parametrize("kind", ["python", "cpp"])
def test_a_server_that_is_running(launch, servers, database, instance, kind):
    """List, attach, ask: what happens from then on is counted."""
    pub = servers.publisher("test/attach_pub/1", instance, database=database)
    start = servers.cpp_subscriber if kind == "cpp" else servers.subscriber
    sub = start("test/attach_sub/1", instance, database=database)
    subscribe(sub, pub)
    pid = sub.pid
    entry = listed(launch)[pid]
    assert entry["server"] == sub.server_name
    assert (entry["is_server"], entry["agent"], entry["can_attach"]) == (True, "none", True)
    assert re.fullmatch(r"\d+\.\d+\.\d+", entry["tango_version"]) and "libtango" in entry["libtango"]

    for verb in ("query", "detach"):
        result = launch(verb, pid)
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr.endswith(f": it has no agent; load it: ska-tango-event-agent attach {pid}\n")

    dry = launch("attach", "--dry-run", pid)
    assert (dry.returncode, dry.stderr) == (0, "")
    assert dry.stdout == f"{pid} (dserver/{sub.server_name}): would be attached\n"
    assert listed(launch)[pid]["agent"] == "none"

    result = launch("attach", "--perf", "--server", sub.server_name.upper())
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(
        rf"{pid} \(dserver/{sub.server_name}\): attached, \d+\.\d ms; its commands are on the admin device\n",
        result.stdout,
    )
    # As it says: at once.
    assert ask(sub)["agent"]["pid"] == pid
    entry = listed(launch)[pid]
    assert (entry["agent"], entry["state"], entry["can_attach"]) == ("late", "watching", False)
    assert entry["reason"] == "agent is there"
    pub.proxy().PushBurst(10)
    wait_for(lambda: event_count(sub) == 10, what="the events to be counted")
    assert ask(sub)["client"]["perf"] is not None, "--perf"

    answer = launch("query", pid)
    assert answer.returncode == 0
    assert json.loads(answer.stdout)["agent"]["pid"] == pid
    pretty = launch("query", "--pretty", "--server", f"dserver/{sub.server_name}", "QueryEventSystem").stdout
    assert pretty.startswith('{\n  "version": 1,\n') and json.loads(pretty)["client"]
    identity = json.loads(launch("query", pid, "Identify").stdout)
    assert (identity["pid"], identity["commands"], identity["loaded"]) == (pid, "added", "late")
    for options, said in (([], ""), (["--perf", "--log", "info"], " (--perf, --schema and --log are as they were)")):
        again = launch("attach", *options, pid)
        assert (again.returncode, again.stderr) == (0, "")
        assert again.stdout == (
            f"{pid} (dserver/{sub.server_name}): attached already{said}; its commands are on the admin device\n"
        )
    assert agents_in(pid) == 1


def test_detach_and_attach_again(launch, servers, database, instance):
    pub = servers.publisher("test/attach_again_pub/1", instance, database=database)
    sub = servers.subscriber("test/attach_again_sub/1", instance, database=database)
    subscribe(sub, pub)
    assert launch("attach", sub.pid).returncode == 0
    pub.proxy().PushBurst(10)
    wait_for(lambda: event_count(sub) == 10, what="the events to be counted")
    result = launch("detach", "--server", sub.server_name)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{sub.pid} (dserver/{sub.server_name}): detached: nothing is counted any more\n"
    entry = listed(launch)[sub.pid]
    assert (entry["agent"], entry["state"], entry["can_attach"]) == ("late", "detached", True)
    result = launch("detach", sub.pid)
    assert result.returncode == 0 and "was detached already" in result.stdout
    result = launch("query", sub.pid)
    assert (result.returncode, result.stdout) == (1, "")
    again = f"the agent is detached: ska-tango-event-agent attach {sub.pid} makes it count again\n"
    assert result.stderr.endswith(again)
    assert "would be attached again" in launch("attach", "--dry-run", sub.pid).stdout
    result = launch("attach", "--log", "info", sub.pid)
    assert (result.returncode, result.stderr) == (0, "")
    assert "attached again (--schema and --log are as they were)" in result.stdout
    assert listed(launch)[sub.pid]["state"] == "watching"
    pub.proxy().PushBurst(5)
    wait_for(lambda: event_count(sub) == 5, what="counts from zero")


def test_variables_that_forbid_it(launch, servers):
    """They are for agents that come by themselves: whoever attaches means it."""
    forbidden = {"SKA_TANGO_EVENT_AGENT": "off", "SKA_TANGO_EVENT_AGENT_SOCKET": "off"}
    pub = servers.publisher(env=forbidden)
    result = launch("attach", pub.pid)
    assert (result.returncode, result.stderr) == (0, "")
    assert listed(launch)[pub.pid]["state"] == "watching"
    assert json.loads(launch("query", pub.pid).stdout)["agent"]["pid"] == pub.pid
    assert launch("detach", pub.pid).returncode == 0


def test_several_at_once(launch, servers, spawn):
    """Each has its line; one that is refused, or named twice, doesn't matter to the others."""
    pub, other = servers.publisher(), servers.cpp_publisher()
    sleeper = spawn("sleep", "1000")
    result = launch("attach", pub.pid, sleeper.pid, other.pid, pub.pid, "--schema", "legacy")
    assert result.returncode == 1
    assert [line.split()[0] for line in result.stdout.splitlines()] == [str(pub.pid), str(other.pid)]
    assert result.stderr.count("\n") == 1 and f": {sleeper.pid} (sleep): it doesn't use Tango" in result.stderr
    if "QueryEventSystem" not in BUILT_IN_COMMANDS:
        assert "version" not in json.loads(other.admin_proxy().QueryEventSystem()), "--schema legacy"


def test_an_agent_from_the_start(launch, servers, launcher_bin):
    pub = servers.publisher(launcher=launcher_bin)
    entry = listed(launch)[pub.pid]
    assert (entry["agent"], entry["server"]) == ("at start", pub.server_name)
    for option, said in (("--dry-run", ""), ("--perf", " (--perf, --schema and --log are as they were); its comm")):
        result = launch("attach", option, pub.pid)
        assert (result.returncode, result.stderr) == (0, "")
        assert f"): attached already, since it was started{said}" in result.stdout
    assert agents_in(pub.pid) == 1 and not samples_are_taken(launch, pub)
    result = launch("detach", pub.pid)
    assert (result.returncode, result.stderr) == (0, "")
    assert listed(launch)[pub.pid]["state"] == "detached"


# ---- names ----


def test_servers_are_found_by_name(launch, servers, instance):
    first = servers.publisher("test/pub/1", instance)
    second = servers.publisher("test/pub/2", instance)
    assert first.server_name == second.server_name
    result = launch("attach", "--server", first.server_name)
    assert (result.returncode, result.stdout) == (1, "")
    pids = ", ".join(str(pid) for pid in sorted([first.pid, second.pid]))
    assert f"several processes are server {first.server_name}: {pids};" in result.stderr
    result = launch("query", "--server", "no-such-server/here")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.endswith("no server no-such-server/here is running here; see ska-tango-event-agent list\n")
    assert result.stderr.count("\n") == 1
    assert launch("detach", "--server", "nothing").returncode == 2


@pytest.mark.parametrize("name", ["new\nline", "esc\033[31mred", "quote\"and\\", "böse\u202eetxt.py", "\udcff\udcfe"])
def test_names_that_are_meant_to_deceive(launch, spawn, name):
    """A process may be called anything: what is shown is one line each, without escape sequences."""
    program = "import sys, tango; print('on', flush=True); sys.stdin.read()"
    process = spawn(name, "-c", program, "a\nb", executable=PYTHON)
    process.stdout.readline()
    for locale in ("C", "C.UTF-8"):
        result = launch("list", LC_ALL=locale)
        assert result.returncode == 0
        lines = [line for line in result.stdout.splitlines() if line.split()[0] == str(process.pid)]
        assert len(lines) == 1 and not re.search("[\0-\x1f\x7f\u202e]", lines[0])
        assert len({line.index(" TANGO") for line in result.stdout.splitlines()[:1]}) == 1
    assert "\033" not in launch("list", "--format", "json").stdout
    assert listed(launch)[process.pid]["program"]
    result = launch("query", process.pid)
    assert result.returncode == 1 and result.stderr.count("\n") == 1 and "\033" not in result.stderr


def test_the_manual_has_the_keys_of_the_json(launch, servers):
    pub = servers.publisher()
    manual = (ROOT / "docs" / "man" / "ska-tango-event-agent.1").read_text(encoding="utf-8")
    section = manual.split("\n.Sh JSON\n")[1].split("\n.Sh ")[0]
    assert list(listed(launch)[pub.pid]) == re.findall(r"^\.It Ql (\w+)$", section, re.M)


def test_columns_line_up(launch, servers):
    servers.publisher()
    servers.publisher("test/pub/2", instance="an_instance_with_quite_a_long_name_that_makes_columns_wide")
    lines = launch("list", LC_ALL="C").stdout.splitlines()
    assert lines[0].split() == ["PID", "USER", "SERVER", "OR", "PROGRAM", "TANGO", "AGENT", "ATTACH"]
    for heading in ("USER", "SERVER", "TANGO", "AGENT", "ATTACH"):
        column = lines[0].index(heading)
        for line in lines:
            assert line[column - 2 : column] == "  " and line[column] != " ", line


# ---- what is refused ----


def test_no_such_process(launch, refuse, spawn):
    ended = spawn("true")
    ended.wait()
    refuse(ended.pid, "there is no such process")
    for verb in ("query", "detach"):
        result = launch(verb, ended.pid)
        assert result.returncode == 1 and "there is no such process" in result.stderr


def test_a_zombie(refuse):
    child = os.fork()
    if child == 0:
        os._exit(0)
    wait_for(lambda: status_of(child, "State") == "Z")
    refuse(child, "has ended already (a zombie", str(os.getpid()))
    os.waitpid(child, 0)


def test_a_thread(servers, refuse):
    pub = servers.publisher()
    thread = next(int(task) for task in os.listdir(f"/proc/{pub.pid}/task") if int(task) != pub.pid)
    refuse(thread, f"a thread of process {pub.pid}: ska-tango-event-agent attach {pub.pid}")


def test_a_kernel_thread(refuse):
    kernel = next(
        (int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _is_kernel_thread(pid)), None
    )
    if kernel is None:
        pytest.skip("no thread of the kernel can be seen from here")
    refuse(kernel, "a thread of the kernel")


def _is_kernel_thread(pid):
    with contextlib.suppress(OSError):
        return status_of(pid, "PPid") == "2" or pid == "2" and status_of(pid, "Name") == "kthreadd"
    return False


def test_the_command_itself(launcher_bin):
    """The shell becomes the command, with its own id."""
    script = 'exec "$1" attach $$'
    result = subprocess.run(
        ["sh", "-c", script, "sh", launcher_bin], capture_output=True, text=True, check=False, timeout=30
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert "that is this command itself" in result.stderr


def test_no_libtango(launch, refuse, spawn):
    sleeper = spawn("sleep", "1000")
    maps = Path(f"/proc/{sleeper.pid}/maps")
    wait_for(lambda: "/libc." in maps.read_text(encoding="utf-8"), what="its libraries to be loaded")
    refuse(sleeper.pid, "(sleep)", "no libtango is loaded")
    assert sleeper.pid not in listed(launch)
    result = launch("query", sleeper.pid)
    assert result.returncode == 1 and "it has no agent, and doesn't use Tango" in result.stderr
    result = launch("detach", sleeper.pid)
    assert result.returncode == 1 and "it has no agent, and doesn't use Tango" in result.stderr


def test_two_libtangos(refuse, spawn, tmp_path):
    """Copies under other names are other libraries to the loader."""
    program = """
import ctypes, sys, tango
path = next(line.split()[-1] for line in open("/proc/self/maps") if "/libtango.so" in line)
import shutil; shutil.copy(path, "libtango.so.9.9.9")
ctypes.CDLL("./libtango.so.9.9.9", ctypes.RTLD_LOCAL)
print("on", flush=True)
sys.stdin.read()
"""
    process = spawn(PYTHON, "-c", program)
    assert process.stdout.readline() == b"on\n"
    refuse(process.pid, "two libtangos", f"{tmp_path}/libtango.so.9.9.9"[:60])


def test_a_stopped_one(launch, servers, refuse):
    pub = servers.publisher()
    os.kill(pub.pid, signal.SIGSTOP)
    try:
        wait_for(lambda: status_of(pub.pid, "State") == "T")
        refuse(pub.pid, f"(dserver/{pub.server_name})", "stopped", f"kill -CONT {pub.pid}")
        assert listed(launch)[pub.pid]["reason"] == "stopped"
    finally:
        os.kill(pub.pid, signal.SIGCONT)
    # What that line says to do helps.
    assert launch("attach", pub.pid).returncode == 0


@pytest.mark.parametrize("tracer", ["strace", "gdb"])
def test_one_that_is_traced(launch, servers, refuse, spawn, tracer):
    pub = servers.publisher()
    if tracer == "strace":
        debugger = spawn("strace", "-f", "-o", "trace", "-p", pub.pid)
    else:
        debugger = spawn("gdb", "-nx", "-q", "-p", pub.pid, "-ex", "continue")
    wait_for(lambda: status_of(pub.pid, "TracerPid") == str(debugger.pid) and status_of(pub.pid, "State") in "SR")
    refuse(pub.pid, f"process {debugger.pid} ({tracer}) traces it", "end that first")
    assert listed(launch)[pub.pid]["reason"] == f"traced by {debugger.pid} ({tracer})"
    # Not killed: gdb would leave its breakpoints in the process.
    debugger.terminate()
    debugger.wait(30)
    os.kill(pub.pid, signal.SIGCONT)
    wait_for(lambda: status_of(pub.pid, "TracerPid") == "0")
    assert launch("attach", pub.pid).returncode == 0


# Waits for ever, without any library.
WAIT = {
    "32": ".globl _start\n_start: mov $29, %eax\nint $0x80\njmp _start\n",
    "64": ".globl _start\n_start: mov $34, %eax\nsyscall\njmp _start\n",
}


def _build(folder, name, bits, *options):
    source = folder / f"{name}.s"
    source.write_text(WAIT[bits])
    machine = "elf_i386" if bits == "32" else "elf_x86_64"
    subprocess.run(["as", f"--{bits}", "-o", f"{source}.o", source], check=True)
    subprocess.run(["ld", "-m", machine, *options, "-o", folder / name, f"{source}.o"], check=True)
    return folder / name


def test_32_bits(refuse, spawn, tmp_path):
    try:
        process = spawn(_build(tmp_path, "old", "32"))
    except OSError:
        pytest.skip("this kernel runs no 32-bit programs")
    refuse(process.pid, "(old)", "32-bit")


def test_a_static_one(refuse, spawn, tmp_path):
    refuse(spawn(_build(tmp_path, "alone", "64")).pid, "(alone)", "linked statically")


@pytest.mark.parametrize("file", ["ld-musl-x86_64.so.1", "libc.so"])
def test_musl(refuse, spawn, tmp_path, file):
    """A stand-in for musl's loader, which is its C library, too: of the same name, and started by the kernel. On
    Alpine it is a file, elsewhere a link."""
    loader = tmp_path / "ld-musl-x86_64.so.1"
    built = _build(tmp_path, file, "64", "-shared")
    if built != loader:
        loader.symlink_to(built)
    library = _build(tmp_path, "libused.so", "64", "-shared")
    program = _build(tmp_path, "alpine", "64", "-pie", "--dynamic-linker", loader, library)
    process = spawn(program)
    wait_for(lambda: file in Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8"))
    refuse(process.pid, "(alpine)", "musl", "glibc")


# ---- users ----


@pytest.fixture
def public(launcher_bin, agent_lib):
    """The launcher and the agent where every user can read them."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        os.mkdir(f"{folder}/bin", 0o755)
        shutil.copy(launcher_bin, f"{folder}/bin/")
        # Of the wheel, with the libraries that it brings along.
        shutil.copytree(agent_lib.parent, f"{folder}/lib")
        yield Path(folder)


AS_NOBODY = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]


@as_root
def test_another_users(servers, public):
    """Seen as far as can be, and refused, with who could."""
    pub = servers.publisher()
    run = {"capture_output": True, "text": True, "check": False, "env": clean_environment(), "cwd": public}
    launcher = public / "bin" / "ska-tango-event-agent"
    result = subprocess.run([*AS_NOBODY, launcher, "attach", str(pub.pid)], **run)
    assert (result.returncode, result.stdout) == (1, "")
    assert "it belongs to user root: run this as that user, or as root" in result.stderr
    result = subprocess.run([*AS_NOBODY, launcher, "attach", "--server", pub.server_name], **run)
    assert (result.returncode, result.stdout) == (1, "")
    assert "as far as can be seen: if it belongs to another user, run this as root; see" in result.stderr
    # Root of a container can do no more than it does.
    as_its_root = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*as_its_root, "true"], check=False).returncode == 0:
        result = subprocess.run([*as_its_root, launcher, "attach", "--server", pub.server_name], **run)
        assert result.returncode == 1 and "user" not in result.stderr
    result = subprocess.run([*AS_NOBODY, launcher, "list"], **run)
    assert result.returncode == 0
    assert str(pub.pid) not in result.stdout.split()
    assert re.search(r"\d+ more processes can't be looked into: other users'; as root", result.stderr)
    result = subprocess.run([*AS_NOBODY, launcher, "list", "--format", "json"], **run)
    assert json.loads(result.stdout)["unseen"] > 0 and result.stderr == ""
    result = subprocess.run([*AS_NOBODY, launcher, "query", str(pub.pid)], **run)
    assert (result.returncode, result.stdout) == (1, "")
    assert "no agent, as far as can be seen: it belongs to user root: run this as root" in result.stderr
    # Of an agent that is there, too, only the same user and root may ask.
    watched = servers.publisher("test/pub/2", instance="watched", agent=True)
    for verb in ("query", "detach"):
        result = subprocess.run([*AS_NOBODY, launcher, verb, str(watched.pid)], **run)
        assert (result.returncode, result.stdout) == (1, ""), verb
        assert result.stderr.endswith(": it belongs to user root: run this as that user, or as root\n")
        assert result.stderr.count("\n") == 1


@as_root
def test_without_root(servers, public):
    """One's own processes need no rights, where the system has no Yama, or lets it be."""
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    if scope.exists() and scope.read_text().strip() != "0":
        pytest.skip("the system doesn't allow it")
    argv = [*AS_NOBODY, "env", PYTHON, "-B", SERVERS / "publisher.py"]
    pub = servers.add(argv, "nobodys", {"Publisher": ["test/pub/1"]})
    assert status_of(pub.pid, "Uid") == str(NOBODY)
    launcher = public / "bin" / "ska-tango-event-agent"
    run = {"capture_output": True, "text": True, "check": False, "env": clean_environment(), "cwd": public}
    result = subprocess.run([*AS_NOBODY, launcher, "list", "--format", "json"], **run)
    mine = {each["pid"]: each for each in json.loads(result.stdout)["processes"]}
    assert mine[pub.pid]["can_attach"] and mine[pub.pid]["user"] == "nobody"
    result = subprocess.run([*AS_NOBODY, launcher, "attach", str(pub.pid)], **run)
    assert (result.returncode, result.stderr) == (0, "")
    assert ask(pub)["agent"]["pid"] == pub.pid


# ---- seccomp ----

# Becomes a command under a filter that allows everything.
FILTERED = """
import ctypes, os, struct, sys
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]
allow = struct.pack("<HBBI", 6, 0, 0, 0x7fff0000)
prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(38, 1, 0, 0, 0) == 0 and prctl(22, 2, ctypes.byref(Program(1, allow))) == 0
os.execvp(sys.argv[1], sys.argv[1:])
"""
WITHOUT_SYS_ADMIN = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]


@as_root
def test_filters_that_cannot_be_read(launch, servers, refuse):
    """That needs rights that no container has: list and attach say the same."""
    argv = [PYTHON, "-c", FILTERED, PYTHON, "-B", SERVERS / "publisher.py"]
    pub = servers.add(argv, "filtered", {"Publisher": ["test/pub/1"]})
    assert status_of(pub.pid, "Seccomp") == "2"
    refuse(
        pub.pid, "run this as root of the machine, or use --yes-i-may-lose-it", "memfd_create",
        prefix=WITHOUT_SYS_ADMIN,
    )  # fmt: skip
    entry = listed(launch, prefix=WITHOUT_SYS_ADMIN)[pub.pid]
    assert (entry["can_attach"], entry["reason"]) == (False, "seccomp filters can't be read")
    assert "--yes-i-may-lose-it" in entry["advice"]
    assert listed(launch)[pub.pid]["can_attach"]
    result = launch("attach", "--yes-i-may-lose-it", pub.pid, prefix=WITHOUT_SYS_ADMIN)
    assert (result.returncode, result.stderr) == (0, "")
    assert ask(pub)["agent"]["pid"] == pub.pid


# ---- the launcher ----


def test_no_agent_to_attach(launch, servers, tmp_path):
    pub = servers.publisher()
    wrong = tmp_path / "wrong.so"
    wrong.write_bytes(b"\177ELF" * 100)
    for library in (wrong, tmp_path / "none.so"):
        result = launch("attach", pub.pid, SKA_TANGO_EVENT_AGENT_LIB=library)
        assert (result.returncode, result.stdout) == (125, "")
        assert str(library) in result.stderr and result.stderr.count("\n") == 1
    assert listed(launch)[pub.pid]["agent"] == "none"


def test_full_disk(launcher_bin):
    with open("/dev/full", "w", encoding="ascii") as full:
        command = [launcher_bin, "list", "--format", "json"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 1 and "cannot write to standard output" in result.stderr


def test_queries_that_are_wrong(launch, servers, launcher_bin):
    pub = servers.publisher(launcher=launcher_bin)
    result = launch("query", pub.pid, "NoSuchCommand")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1 and "unknown command" in result.stderr
    for argument in ("true", "False", "TRUE"):
        result = launch("query", pub.pid, "EnableEventSystemPerfMon", argument)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        assert samples_are_taken(launch, pub) == (argument != "False")
    for arguments in (["on"], ["1"], [""], []):
        result = launch("query", pub.pid, "EnableEventSystemPerfMon", *arguments)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.count("\n") == 1 and "true or false" in result.stderr
    # Nor does the agent itself guess.
    for text in ("EnableEventSystemPerfMon off", "EnableEventSystemPerfMon"):
        with pytest.raises(RuntimeError, match="must be true or false"):
            late_agents.request(pub.pid, text)
    assert samples_are_taken(launch, pub)


def samples_are_taken(launch, server):
    return json.loads(launch("query", server.pid).stdout)["server"]["perf"] is not None
