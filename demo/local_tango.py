"""A private Tango on this machine: MariaDB, the Tango database, and device servers.

Everything is in one folder and listens on 127.0.0.1 only. The running processes are listed there,
in state.json, with their start times: a process is only ended if it is provably the one that was
started. ``demo/local-tango`` is the command; the integration tests use
:class:`LocalTango` directly.
"""

import argparse
import contextlib
import fcntl
import importlib.util
import json
import os
import random
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"  # a python3 that is earlier on PATH may have no PyTango
# Debian 13 and later spell it in the second way.
DATABASEDS = next(
    filter(os.path.exists, ["/usr/lib/tango/DataBaseds", "/usr/lib/tango/Databaseds"]),
    "/usr/lib/tango/DataBaseds",
)
# Loads the tables, the stored procedures and the first rows: DataBaseds needs all three.
SCHEMA = "/usr/share/dbconfig-common/data/tango-db/install/mysql"

DEFAULT_PORT = 10000
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
LOG_TAIL_LINES = 8

# What can be started: (script, class, device, ...) of servers, in groups that start one after the other.
SYSTEMS = {
    "demo": [[("pub", "EventPublisher", "foo/bar/pub"), ("sub", "EventSubscriber", "foo/bar/sub")]],
    "missing": [
        [("missing/hw", "Motor", "demo/hw/1")],
        [("missing/top", "Controller", "demo/top/1")],
        [("missing/client", "Client", "demo/client/1")],
    ],
    "live": [
        [
            ("live/dish", "Dish", *(f"demo/dish/{number}" for number in (1, 2, 3, 4))),
            ("live/correlator", "Correlator", "demo/correlator/1"),
            ("live/weather", "Weather", "demo/weather/1"),
        ],
        [
            ("live/archiver", "Archiver", "demo/archiver/1"),
            ("live/display", "Display", "demo/display/1"),
            ("live/alarms", "Alarms", "demo/alarms/1"),
        ],
    ],
}
SYSTEMS["mended"] = SYSTEMS["missing"]
ENVIRONMENTS = {"mended": {"MENDED": "1"}}
DEMO_INSTANCE = "demo"


class LocalTangoError(Exception):
    """What went wrong, in words that the user understands."""


def default_folder():
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime, "local-tango") if runtime else Path("/tmp", f"local-tango-{os.getuid()}")


def listens_on(port):
    """Whether anybody listens on that TCP port of 127.0.0.1 (or of all addresses)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Without it, connections that have just ended would look like a listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return True
    return False


def connects(port, address="127.0.0.1"):
    """Whether a connection to that TCP port succeeds."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as knock:
        return knock.connect_ex((address, port)) == 0


def free_port():
    """A TCP port of 127.0.0.1 that nobody listens on.

    It is below the range that the kernel uses for outgoing connections, so that nobody gets it by
    chance before the server that it is meant for binds it.
    """
    for _ in range(200):
        port = random.randint(15000, 32000)
        if not listens_on(port):
            return port
    raise LocalTangoError("no free TCP port on 127.0.0.1 between 15000 and 32000")


def _start_time(pid):
    """When a process started, in the kernel's own ticks since boot; None when it has ended."""
    try:
        stat = Path("/proc", str(pid), "stat").read_text(errors="replace")
    except OSError:
        return None
    # After "pid (name) ", where the name may hold anything: state is the 1st field, and the
    # start time the 20th (proc(5) counts pid and name as well).
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])


def _boot_id():
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Process:
    """A process that was started here, or by an earlier run according to its state file."""

    def __init__(self, name, pid, start_time, log):
        self.name = name
        self.pid = pid
        self.start_time = start_time
        self.log = Path(log)

    @property
    def running(self):
        return _start_time(self.pid) == self.start_time

    def signal(self, number):
        """Send a signal to this very process; a process that got its pid later is left alone."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            # The handle belongs to the process that has the pid now; only after that the check is reliable.
            if self.running:
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(handle)

    def wait(self, timeout_s):
        """Wait for its end; returns whether it ended."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            if self.running:
                select.select([handle], [], [], timeout_s)
        finally:
            os.close(handle)
        if self.running:
            return False
        with contextlib.suppress(ChildProcessError):  # not our child: an earlier run's
            os.waitpid(self.pid, 0)
        return True

    def tail(self):
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        except OSError:
            return ""
        return "".join(f"\n  {line}" for line in lines)


class LocalTango:
    """MariaDB, DataBaseds and device servers in one folder. See the module's text."""

    def __init__(self, folder, preexec_fn=None):
        """``preexec_fn`` is handed to Popen for every process started."""
        self.folder = Path(folder)
        self.port = None
        self.agent = None
        self.system = None
        self.processes = []
        self._preexec_fn = preexec_fn
        self._databaseds_env = {}  # of start_database()
        self.address = "127.0.0.1"  # where the Tango database listens; MariaDB always there
        self._read_state()

    # The state file ----------------------------------------------------------------------

    @property
    def _state_file(self):
        return self.folder / "state.json"

    def _read_state(self):
        try:
            state = json.loads(self._state_file.read_text())
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            raise LocalTangoError(f"cannot read {self._state_file}: {error}") from error
        if state["boot_id"] != _boot_id():
            return  # all of it ended with the machine
        self.port = state["port"]
        self.agent = state["agent"]
        self.system = state.get("system", "demo")
        self.processes = [Process(**process) for process in state["processes"]]

    def _write_state(self):
        state = {
            "boot_id": _boot_id(),
            "port": self.port,
            "agent": self.agent,
            "system": self.system,
            "processes": [
                {"name": p.name, "pid": p.pid, "start_time": p.start_time, "log": str(p.log)}
                for p in self.processes
            ],
        }
        new = self._state_file.with_suffix(".new")
        new.write_text(json.dumps(state, indent=1) + "\n")
        new.replace(self._state_file)

    def make_folder(self):
        """Create the folder; one that others can write to is refused, since we act on its content."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            info = self.folder.stat()
        except OSError as error:
            raise LocalTangoError(f"cannot make {self.folder}: {error.strerror}") from error
        if info.st_uid != os.getuid() or info.st_mode & 0o022:
            raise LocalTangoError(
                f"{self.folder} belongs to, or can be written by, somebody else: choose"
                " another folder with --dir"
            )

    @contextlib.contextmanager
    def lock(self):
        """One start or stop at a time in one folder."""
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise LocalTangoError(
                    f"another start or stop is under way in {self.folder}: try again later"
                ) from error
            # The previous holder of the lock may have changed the state file.
            self.processes = []
            self._read_state()
            yield

    # Processes -----------------------------------------------------------------------------

    @property
    def tango_host(self):
        return f"{self.address}:{self.port}"

    def _spawn(self, name, argv, env=None):
        log = self.folder / f"{name}.log"
        environment = dict(os.environ, PYTHONUNBUFFERED="1")
        environment.update(env or {})
        with log.open("wb") as output:
            try:
                child = subprocess.Popen(
                    [str(part) for part in argv],
                    env=environment,
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C is for us: we shut them down
                    preexec_fn=self._preexec_fn,
                )
            except OSError as error:
                raise LocalTangoError(f"cannot start {argv[0]}: {error.strerror}") from error
        # Not reaped yet, so the pid is still this child's even if it has ended already.
        process = Process(name, child.pid, _start_time(child.pid) or 0, log)
        child.returncode = 0  # it is Process that waits for it, or nobody
        self.processes.append(process)
        self._write_state()
        return process

    @staticmethod
    def _wait_until(condition, process, what):
        deadline = time.monotonic() + START_TIMEOUT_S
        while not condition():
            if not process.running:
                raise LocalTangoError(
                    f"{process.name} ended before {what}; the end of {process.log}:"
                    + process.tail()
                )
            if time.monotonic() > deadline:
                raise LocalTangoError(
                    f"{process.name} is running, but {START_TIMEOUT_S:g} s passed before {what};"
                    f" the end of {process.log}:" + process.tail()
                )
            time.sleep(0.05)

    def _run(self, name, argv, env=None, stdin=subprocess.DEVNULL):
        """Run something to its end; its output goes to a log, and into the error if it fails."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            try:
                status = subprocess.run(
                    [str(part) for part in argv],
                    env=dict(os.environ, **(env or {})),
                    cwd=self.folder,
                    stdin=stdin,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    check=False,
                ).returncode
            except OSError as error:
                raise LocalTangoError(
                    f"cannot run {argv[0]}: {error.strerror}; scripts/setup installs it"
                ) from error
        if status:
            tail = Process(name, 0, 0, log).tail()
            raise LocalTangoError(f"{argv[0]} failed; the end of {log}:{tail}")

    # The database --------------------------------------------------------------------------

    def start_database(self, port, mariadb_port=None):
        """Start MariaDB and DataBaseds, and return when the Tango database answers."""
        for number, option in ((port, "--port"), (mariadb_port, "--mariadb-port")):
            if number and listens_on(number):
                raise LocalTangoError(
                    f"port {number} of 127.0.0.1 is in use: choose another one with {option}"
                )
        self.port = port or free_port()
        mariadb_port = mariadb_port or free_port()
        password = secrets.token_hex(16)
        self._start_mariadb(mariadb_port, password)
        self._databaseds_env = {
            "MYSQL_USER": "tango",
            "MYSQL_PASSWORD": password,
            "MYSQL_HOST": f"127.0.0.1:{mariadb_port}",
            "MYSQL_DATABASE": "tango",
            "TANGO_HOST": self.tango_host,
        }
        self.start_databaseds()

    def start_databaseds(self):
        """Start DataBaseds, also again after end_databaseds(), and return when it answers."""
        databaseds = self._spawn(
            "DataBaseds",
            [DATABASEDS, "2", "-ORBendPoint", f"giop:tcp:{self.tango_host}"],
            self._databaseds_env,
        )
        self._wait_until(lambda: self._answers("sys/database/2"), databaseds, "it answered")

    def end_databaseds(self, number=signal.SIGKILL):
        """End DataBaseds alone; its data stays in MariaDB."""
        for process in [process for process in self.processes if process.name == "DataBaseds"]:
            process.signal(number)
            process.wait(STOP_TIMEOUT_S)
            self.processes.remove(process)

    def _start_mariadb(self, port, password):
        data = self.folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        # A folder of its own: when it starts, MariaDB removes the temporary tables of any other in the
        # folder, even of one that is running.
        temporary = self.folder / "temporary"
        temporary.mkdir(exist_ok=True)
        # root has to ask for this explicitly; for others it is the default.
        user = [f"--user={_user_name()}"]
        # Anybody could be root there only through a socket file, and there is none.
        self._run(
            "mariadb-install-db",
            ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db"]
            + ["--auth-root-authentication-method=socket", "--innodb-log-file-size=16M"]
            + [f"--tmpdir={temporary}"]
            + ["--force"]  # also on a machine that can't look up its own name: we need no names
            + user,
        )
        init = self.folder / "init.sql"
        init.touch(mode=0o600)
        init.write_text(
            "CREATE DATABASE IF NOT EXISTS tango;\n"
            f"CREATE OR REPLACE USER 'tango'@'127.0.0.1' IDENTIFIED BY '{password}';\n"
            "GRANT ALL ON tango.* TO 'tango'@'127.0.0.1';\n"
        )
        process = self._spawn(
            "mariadbd",
            [_program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--port={port}"]
            + ["--bind-address=127.0.0.1", "--socket=", "--skip-name-resolve"]
            + [f"--pid-file={self.folder / 'mariadbd.pid'}", f"--init-file={init}"]
            + [f"--tmpdir={temporary}"]
            # There are only a few hundred rows: small buffers, and no need to survive a power cut.
            + ["--innodb-buffer-pool-size=16M", "--innodb-log-file-size=16M"]
            + ["--innodb-flush-log-at-trx-commit=0", "--performance-schema=OFF"]
            + user,
        )
        self._wait_until(lambda: connects(port), process, "it listened")
        # It serves nobody before it has executed the init file: early clients wait.
        client = ["mariadb", "--no-defaults", "--protocol=TCP", "--host=127.0.0.1"]
        client += [f"--port={port}", "--user=tango", "tango"]
        with open(SCHEMA, "rb") as schema:
            self._run("mariadb-schema", client, {"MYSQL_PWD": password}, schema)
        init.unlink()

    def _answers(self, device, command=None):
        """Whether a device answers a ping, or a command without argument."""
        import tango

        if not connects(self.port, self.address):
            return False
        try:
            proxy = tango.DeviceProxy(f"tango://{self.tango_host}/{device}")
            if command:
                proxy.command_inout(command)
            else:
                proxy.ping()
        except tango.DevFailed:
            return False
        return True

    def register(self, server_name, devices):
        """Tell the database about a server: ``devices`` is {class: [device, ...]}."""
        import tango

        database = tango.Database(self.address, self.port)
        wanted = [(cls, dev) for cls, devs in devices.items() for dev in devs]
        for cls, device in wanted + [("DServer", f"dserver/{server_name}")]:
            info = tango.DbDevInfo()
            info.server = server_name
            info._class = cls
            info.name = device
            database.add_device(info)

    # The demo's devices --------------------------------------------------------------------

    def start_system(self, system, launcher):
        """Start the servers of one of SYSTEMS; ``launcher``: the agent's, or None without it."""
        self.agent = launcher is not None
        self.system = system
        for group in SYSTEMS[system]:
            for script, cls, *devices in group:
                self._start_server(script, cls, devices, launcher)
            for process, (script, _, device, *_others) in zip(self.processes[-len(group) :], group):
                self._wait_for_server(process, script, device, launcher)

    def _start_server(self, script, cls, devices, launcher):
        name = Path(script).name
        self.register(f"{name}/{DEMO_INSTANCE}", {cls: devices})
        argv = [PYTHON, HERE / f"{script}.py", DEMO_INSTANCE]
        # Without a port number, each server takes a free one.
        argv += ["-ORBendPoint", "giop:tcp:127.0.0.1:"]
        if launcher:
            argv = [launcher, "run", "--", *argv]
        env = {"TANGO_HOST": self.tango_host, **ENVIRONMENTS.get(self.system, {})}
        self._spawn(name, argv, env)

    def _wait_for_server(self, process, script, device, launcher):
        self._wait_until(lambda: self._answers(device), process, f"{device} answered")
        # The agent's commands are the last thing to appear when a server starts.
        admin = f"dserver/{Path(script).name}/{DEMO_INSTANCE}"
        if launcher:
            self._wait_until(
                lambda: self._answers(admin, "QueryEventAgent"),
                process,
                f"{admin} had the agent's commands",
            )

    # The end -------------------------------------------------------------------------------

    def stop(self):
        """End every running process, newest first; returns how many there were.

        The logs stay in the folder; the database does not.
        """
        running = [process for process in reversed(self.processes) if process.running]
        for process in running:
            process.signal(signal.SIGTERM)
            if not process.wait(STOP_TIMEOUT_S):
                process.signal(signal.SIGKILL)
                if not process.wait(STOP_TIMEOUT_S):
                    raise LocalTangoError(f"{process.name}, pid {process.pid}, cannot be stopped")
        self.processes = []
        for leftover in ("state.json", "init.sql", "mariadbd.pid"):
            (self.folder / leftover).unlink(missing_ok=True)
        for leftover in ("data", "temporary"):
            shutil.rmtree(self.folder / leftover, ignore_errors=True)
        return len(running)


def _user_name():
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        raise LocalTangoError(
            f"user {os.getuid()} has no name on this system, and MariaDB needs one"
        ) from None


def _program(name):
    """The path of a program that may be in a folder of root's PATH only."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise LocalTangoError(f"{name} is missing: scripts/setup installs it")
    return path


# The command -------------------------------------------------------------------------------


def _find_launcher():
    build = Path(os.environ.get("BUILD_DIR", HERE.parent / "build")).resolve()
    launcher = build / "bin" / "ska-tango-event-agent"
    if not launcher.exists():
        raise LocalTangoError(f"{launcher} is missing: run 'make build', or start with --no-agent")
    return launcher


def _describe(local):
    for process in local.processes:
        state = "running" if process.running else "ended"
        print(f"  {process.name:<12} pid {process.pid:<8} {state:<8} log {process.log}")


def _start(local, options):
    if importlib.util.find_spec("tango") is None:
        raise LocalTangoError(f"{sys.executable} has no PyTango: scripts/setup installs it")
    launcher = None if options.no_agent else _find_launcher()
    local.make_folder()
    with local.lock():
        alive = [process.running for process in local.processes]
        if alive and all(alive):
            same = options.port in (None, 0, local.port) and local.agent == bool(launcher)
            same = same and local.system == options.system
            if not same:
                raise LocalTangoError(
                    f"a local Tango with other options is running in {local.folder}, on port"
                    f" {local.port}: stop it first, or choose another folder with --dir"
                )
            print("The local Tango is already running.")
            print(f"Use it with\n  export TANGO_HOST={local.tango_host}")
            return 0
        if any(alive):
            raise LocalTangoError(
                f"only a part of the local Tango in {local.folder} is still running: stop it first"
            )
        local.processes = []
        port = DEFAULT_PORT if options.port is None else options.port
        try:
            local.start_database(port, options.mariadb_port)
            local.start_system(options.system, launcher)
        except BaseException:
            local.stop()
            raise
    print(f"The local Tango is running, {'with' if launcher else 'without'} the agent:")
    _describe(local)
    print(f"Use it with\n  export TANGO_HOST={local.tango_host}")
    return 0


def _stop(local, _options):
    if not local.folder.is_dir():
        print(f"No local Tango in {local.folder}.")
        return 0
    local.make_folder()
    with local.lock():
        count = local.stop()
    print(f"Stopped {count} processes." if count else f"No local Tango was running in {local.folder}.")
    return 0


def _status(local, _options):
    if not local.processes:
        print(f"No local Tango in {local.folder}.")
        return 3
    print(f"TANGO_HOST={local.tango_host}")
    _describe(local)
    return 0 if all(process.running for process in local.processes) else 1


def _port(text):
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError(text)
    return number


def _parse(argv):
    parser = argparse.ArgumentParser(
        prog="local-tango",
        description="A private Tango on 127.0.0.1: a database, and the devices foo/bar/pub and"
        " foo/bar/sub with the event agent loaded.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="start|stop|status")
    start = verbs.add_parser("start", help="start it, and return when everything answers")
    stop = verbs.add_parser("stop", help="stop what start started")
    status = verbs.add_parser(
        "status", help="show what is running; exit status 0: everything, 1: a part, 3: nothing"
    )
    for verb in (start, stop, status):
        verb.add_argument(
            "--dir",
            type=Path,
            default=default_folder(),
            help="the folder that holds the database and the logs (%(default)s)",
        )
    start.add_argument(
        "--port", type=_port, help=f"of the Tango database ({DEFAULT_PORT}); 0: any free one"
    )
    start.add_argument("--mariadb-port", type=_port, help="of MariaDB (any free one)")
    start.add_argument(
        "--no-agent", action="store_true", help="start the devices without the agent"
    )
    start.add_argument(
        "--system",
        choices=SYSTEMS,
        default="demo",
        help="which servers: those of the tutorial docs/missing-events.md, with their mistake"
        " (missing) or without (mended), or those of make demo-live (live), instead of foo/bar/pub and"
        " foo/bar/sub",
    )
    start.set_defaults(run=_start)
    stop.set_defaults(run=_stop)
    status.set_defaults(run=_status)
    return parser.parse_args(argv)


def _on_sigterm(_number, _frame):
    sys.exit(128 + signal.SIGTERM)  # an exception: what was started so far is stopped on the way


def main(argv=None):
    options = _parse(argv)
    signal.signal(signal.SIGTERM, _on_sigterm)
    try:
        return options.run(LocalTango(options.dir.absolute()), options)
    except LocalTangoError as error:
        print(f"local-tango: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("local-tango: interrupted; everything started was stopped", file=sys.stderr)
        return 128 + signal.SIGINT
