"""The launcher: what it starts is itself, with the agent in front."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess

import pytest
from starter import Starter
from tango_servers import BUILD, ROOT, TANGO_TEST, clean_environment, values_of, wait_for

# Prints what it was started with, as the command that the launcher becomes.
SHOW = "printf '%s|' \"$LD_PRELOAD\" \"$@\""


@pytest.fixture
def launch(launcher_bin):
    def run(*args, **env):
        return subprocess.run(
            [str(launcher_bin), *map(str, args)],
            env=clean_environment(**env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run


def one_line(text):
    assert text.startswith("ska-tango-event-agent: "), text
    assert text.count("\n") == 1 and text.endswith("\n"), text
    return text


def test_path(launch, agent_lib):
    result = launch("path")
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{agent_lib}\n", "")


def test_agent_is_preloaded(launch, agent_lib):
    result = launch("run", "--", "/bin/sh", "-c", SHOW, "sh", "a b", "--perf", "")
    assert result.stdout == f"{agent_lib}|a b|--perf||"
    assert result.stderr == ""


def test_double_dash_is_optional(launch, agent_lib):
    assert launch("run", "/bin/sh", "-c", SHOW).stdout == f"{agent_lib}|"


def test_what_was_preloaded_is_kept(launch, agent_lib):
    libc = launch("run", "--", "/bin/sh", "-c", SHOW, LD_PRELOAD="libm.so.6 libc.so.6")
    assert libc.stdout == f"{agent_lib}:libm.so.6 libc.so.6|"
    empty = launch("run", "--", "/bin/sh", "-c", SHOW, LD_PRELOAD="")
    assert empty.stdout == f"{agent_lib}|"


def test_options_set_the_agents_variables(launch):
    show = 'echo "$SKA_TANGO_EVENT_AGENT_PERF,$SKA_TANGO_EVENT_AGENT_SCHEMA,'
    show += '$SKA_TANGO_EVENT_AGENT_LOG"'
    given = launch("run", "--perf", "--schema", "legacy", "--log=debug", "/bin/sh", "-c", show)
    assert given.stdout == "1,legacy,debug\n"
    inherited = launch("run", "/bin/sh", "-c", show, SKA_TANGO_EVENT_AGENT_LOG="info")
    assert inherited.stdout == ",,info\n"


@pytest.mark.parametrize("status", [0, 1, 77, 255])
def test_exit_status_is_the_commands(launch, status):
    assert launch("run", "--", "/bin/sh", "-c", f"exit {status}").returncode == status


def test_death_by_signal_is_the_commands(launch):
    assert launch("run", "--", "/bin/sh", "-c", "kill -SEGV $$").returncode == -signal.SIGSEGV


def test_pid_and_signals_are_the_commands(launcher_bin):
    script = "trap 'echo got TERM; exit 9' TERM; echo $$; while :; do sleep 0.05; done"
    process = subprocess.Popen(
        [str(launcher_bin), "run", "--", "/bin/sh", "-c", script],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == f"{process.pid}\n"
        process.terminate()
        assert process.stdout.readline() == "got TERM\n"
        assert process.wait(10) == 9
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_command_not_found(launch):
    result = launch("run", "--", "no-such-command-here")
    assert result.returncode == 127
    assert "no-such-command-here" in one_line(result.stderr)


def test_command_not_executable(launch, tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    for command in (script, tmp_path):
        result = launch("run", "--", command)
        assert result.returncode == 126
        assert str(command) in one_line(result.stderr)


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["walk"],
        ["path", "further"],
        ["--help", "further"],
        ["run"],
        ["run", "--"],
        ["run", "--nonsense", "true"],
        ["run", "--log"],
        ["run", "--log", "loud", "true"],
        ["run", "--schema", "2", "true"],
        ["list", "further"],
        ["list", "--format", "xml"],
        ["attach"],
        ["attach", "--dry-run"],
        ["attach", "--nonsense", "1"],
        ["attach", "x"],
        ["attach", "-1"],
        ["attach", "0"],
        ["attach", "1x"],
        ["attach", "99999999999999999999"],
        ["attach", "--server", "no-instance"],
        ["attach", "--log", "loud", "1"],
        ["attach", "--schema", "2", "1"],
        ["detach"],
        ["detach", "Pub/1"],
        ["query"],
        ["query", "1", "QueryEventAgent", "true", "further"],
        ["query", "1", "two\nlines"],
        ["query", "1", "long" * 100],
        ["patch-wheel"],
        ["patch-wheel", "-o", "", "a.whl"],
    ],
)
def test_wrong_usage(launch, args):
    result = launch(*args)
    assert result.returncode == 2
    assert result.stdout == ""
    line = one_line(result.stderr)
    assert line.endswith("; see ska-tango-event-agent --help\n")
    if args and args[0] not in ("walk", "path", "--help"):
        assert line.startswith(f"ska-tango-event-agent: {args[0]}: ")


@pytest.mark.parametrize(
    "args, said",
    [
        (["atach", "123"], "unknown command 'atach'"),
        (["--server", "x/y", "attach"], "--server can't come before the command"),
        (["path", "further"], "path: unknown argument 'further'"),
        (["attach", "--nonsense", "1"], "attach: unknown option --nonsense"),
        (["attach", "1", "--nonsense"], "attach: unknown option --nonsense"),
        (["attach", "-x", "1"], "attach: unknown option -x"),
        (["attach", "--perf=1", "1"], "attach: --perf=1: this option has no argument"),
        (["attach", "1", "--log"], "attach: --log needs an argument"),
        (["patch-wheel", "-o"], "patch-wheel: -o needs an argument"),
        (["detach", "--a\n\033[31m"], "detach: unknown option --a??[31m"),
    ],
)
def test_it_names_what_is_wrong(launch, args, said):
    result = launch(*args)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"ska-tango-event-agent: {said}; see ska-tango-event-agent --help\n"


def test_help_and_version(launch):
    assert launch("--help").stdout.startswith("usage: ska-tango-event-agent run ")
    assert max(len(line) for line in launch("--help").stdout.splitlines()) <= 80
    assert launch("--version").stdout.startswith("ska-tango-event-agent 0.")


@pytest.mark.parametrize("verb", ["run", "list", "attach", "query", "detach", "path", "patch-wheel"])
def test_help_of_each_command(launch, verb):
    whole = launch("--help").stdout
    for args in (["--help"], ["-h"], *([["1", "--help"]] if verb in ("attach", "query", "detach") else [])):
        result = launch(verb, *args)
        assert (result.returncode, result.stdout, result.stderr) == (0, whole, "")


def test_help_of_what_is_run(launch):
    """Behind the command, options are the command's."""
    assert launch("run", "/bin/sh", "-c", 'echo "$1"', "sh", "--help").stdout == "--help\n"


def test_help_and_man_page_have_the_same_options(launch):
    manual = (ROOT / "docs" / "man" / "ska-tango-event-agent.1").read_text()
    help_text = launch("--help").stdout
    options = set(re.findall(r"(?<![\w-])--([a-z][a-z.-]+)", help_text))
    assert options == set(re.findall(r"Fl -([a-z][a-z-]+)", manual))
    verbs = set(re.findall(r"^(?:usage:|      ) ska-tango-event-agent ([a-z][a-z-]+)", help_text, re.M))
    assert verbs == set(re.findall(r"^\.Nm\n\.Cm ([a-z-]+)", manual, re.M))


def test_full_disk(launcher_bin):
    with open("/dev/full", "w", encoding="ascii") as full:
        result = subprocess.run(
            [str(launcher_bin), "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert result.returncode == 1
    one_line(result.stderr)


def test_named_agent(launch, agent_lib, tmp_path):
    link = tmp_path / "link.so"
    link.symlink_to(agent_lib)
    assert launch("path", SKA_TANGO_EVENT_AGENT_LIB=link).stdout == f"{link}\n"
    relative = os.path.relpath(link)
    absolute = launch("path", SKA_TANGO_EVENT_AGENT_LIB=relative).stdout
    assert absolute == f"{os.getcwd()}/{relative}\n"


def test_named_agent_is_missing(launch, tmp_path):
    for wrong in (tmp_path / "nothing.so", tmp_path):
        result = launch("run", "true", SKA_TANGO_EVENT_AGENT_LIB=wrong)
        assert result.returncode == 125
        assert str(wrong) in one_line(result.stderr)


@pytest.mark.parametrize("folder", ["a b", "a:b", "$LIB"])
def test_path_that_ld_preload_cannot_hold(launch, agent_lib, tmp_path, folder):
    awkward = tmp_path / folder / "agent.so"
    awkward.parent.mkdir()
    shutil.copy(agent_lib, awkward)
    result = launch("run", "true", SKA_TANGO_EVENT_AGENT_LIB=awkward)
    assert result.returncode == 125
    assert "SKA_TANGO_EVENT_AGENT_LIB" in one_line(result.stderr)
    # What that line says to do helps.
    link = tmp_path / "link.so"
    link.symlink_to(awkward)
    result = launch("run", "--", "/bin/sh", "-c", SHOW, SKA_TANGO_EVENT_AGENT_LIB=link)
    assert (result.stdout, result.stderr) == (f"{link}|", "")


@pytest.mark.parametrize("prefix", ["/usr", "/usr/local", "/opt/tango tools"])
def test_installed_anywhere(tmp_path, prefix):
    """Installed for a prefix into a DESTDIR, and used from there: nothing absolute is built in."""
    build = tmp_path / "build"
    root = BUILD / "CMakeCache.txt"
    source = next(
        line.partition("=")[2]
        for line in root.read_text().splitlines()
        if line.startswith("CMAKE_HOME_DIRECTORY:")
    )
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    configure = ["cmake", "-S", source, "-B", build, "-G", "Ninja"]
    subprocess.run([*configure, f"-DCMAKE_INSTALL_PREFIX={prefix}"], **quiet)
    targets = ["ska-tango-event-agent", "ska-tango-event-agent-lib"]
    subprocess.run(["cmake", "--build", build, "--target", *targets], **quiet)
    for part in ("agent", "launcher"):
        install = ["cmake", "--install", build / "src" / part]
        subprocess.run(install, env=dict(os.environ, DESTDIR=str(tmp_path / "dest")), **quiet)
    dest = tmp_path / "dest" / prefix.lstrip("/")
    launcher = dest / "bin" / "ska-tango-event-agent"
    result = subprocess.run([launcher, "path"], capture_output=True, text=True, check=False)
    assert result.stderr == ""
    found = result.stdout.rstrip("\n")
    assert found.startswith(f"{dest}/lib") and os.path.exists(found)
    # Also through a link from somewhere else, as with /usr/local/bin on many machines.
    link = tmp_path / "launcher"
    link.symlink_to(launcher)
    assert subprocess.check_output([link, "path"], text=True).rstrip("\n") == found


def test_a_server_with_the_agent(servers, launcher_bin):
    """A server started by the launcher answers what the agent adds."""
    pub = servers.publisher(launcher=launcher_bin)
    assert "QueryEventAgent" in [command.cmd_name for command in pub.admin_proxy().command_list_query()]
    pid = wait_for(lambda: json.loads(pub.admin_proxy().QueryEventAgent())["agent"]["pid"])
    assert pid == pub.pid


def test_the_servers_of_a_starter(launcher_bin, database, tmp_path):
    """Starter hands down what it was started with: a C++ server that nobody touched has the agent."""
    folder = tmp_path / "servers"
    folder.mkdir()
    (folder / "TangoTest").symlink_to(TANGO_TEST)
    with Starter(database, folder, tmp_path, [launcher_bin, "run", "--"]) as starter:
        admin = starter.start("TangoTest/starter", "TangoTest", "starter/tangotest/1")
        wait_for(lambda: "QueryEventAgent" in admin.get_command_list(), 30, "the commands")
        assert json.loads(admin.QueryEventAgent())["agent"]["pid"] != starter.process.pid


@pytest.mark.parametrize(
    "program",
    ["ska-tango-event-agent", "ska-tango-event-exporter", "ska-tango-event-monitor", "ska-tango-event-report"],
)
def test_completion_knows_every_option(program):
    help_text = subprocess.run(
        [BUILD / "bin" / program, "--help"], capture_output=True, text=True, check=True
    ).stdout
    script = """
        . "$1"; shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        "_${1//-/_}"
        printf '%s\\n' "${COMPREPLY[@]}"
    """

    def complete(*words):
        file = ROOT / "packaging" / "completion" / program
        return set(
            subprocess.run(
                ["bash", "-c", script, "bash", file, program, *words], capture_output=True, text=True, check=True
            ).stdout.split()
        )

    options = set(re.findall(r"(?<![\w-])--[a-z][a-z.-]+", help_text))
    assert len(options) >= 4
    if program == "ska-tango-event-exporter":
        assert complete("--") == options
        assert complete("--shard", "") == set()
    elif program == "ska-tango-event-monitor":
        assert complete("--") == options
        for option in ("--format", "--by"):
            assert complete(option, "") == values_of(option)
    elif program == "ska-tango-event-report":
        assert complete("--") == options
        assert complete("--format", "") == {"text", "json"}
    else:
        verbs = set(re.findall(rf"{program} ([a-z][a-z-]+)", help_text))
        assert complete("") - {"--help", "--version"} == verbs
        assert verbs == {"run", "list", "attach", "query", "detach", "path", "patch-wheel"}
        of_verbs = {verb: complete(verb, "--") for verb in ("run", "list", "attach", "query", "detach")}
        assert set().union(*of_verbs.values()) | complete("--") == options
        assert of_verbs["run"] | {"--server", "--dry-run", "--yes-i-may-lose-it"} == of_verbs["attach"]
        assert complete("list", "--format", "") == {"text", "json"}
        assert complete("attach", "--schema", "") == {"1", "legacy"}
        assert "Identify" in complete("query", "1234", "")
        assert complete("run", "--schema", "") == {"1", "legacy"}
        assert complete("run", "--log", "e") == {"error"}
        assert "-o" in complete("patch-wheel", "-")


@pytest.mark.parametrize("program", ["ska-tango-event-exporter", "ska-tango-event-monitor"])
def test_completion_in_a_shell(tmux, tmp_path, program):
    """As somebody types it: bash takes "=" and "@" for words of their own, or not."""
    (tmp_path / "servers.txt").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "more.txt").touch()
    file = shlex.quote(str(ROOT / "packaging" / "completion" / program))
    shell = tmux(["bash", "--norc", "--noprofile"], columns=200, folder=tmp_path)
    shell.type(f". {file}; set -u\n")
    number = 0
    for breaks in (":", "COMP_WORDBREAKS=${COMP_WORDBREAKS//[@=]/}"):
        for typed, completed in (
            ("@serv", "@servers.txt"),
            ("@fol\t", "@folder/more.txt"),
            ("--thresholds serv", "--thresholds servers.txt"),
            *([("--thresholds=serv", "--thresholds=servers.txt")] if breaks == ":" else []),
        ):
            number += 1
            shell.type(f"{breaks}; clear; PS1='{number}> '\n")
            shell.wait_for(re.compile(rf"\A{number}> *\n"))
            shell.type(f"{program} {typed}\t")
            shell.wait_for(re.compile(rf"{re.escape(f'{program} {completed}')} *$", re.M), 10)
            shell.press("C-c")
