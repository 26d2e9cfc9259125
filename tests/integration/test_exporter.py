"""The exporter's web server: what it answers, to whom, and how it is ended."""

import base64
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from exporting import read_all, run_exporter, statuses, trusting
from prometheus import BCRYPT, EXPORTER, PASSWORD, USER, make_certificate
from tango_servers import LocalTango, die_with_parent, free_port, wait_for

GOOD = f"{USER}:{PASSWORD}"


def message(line):
    return f"ska-tango-event-exporter: {line}\n"


# ---- what it answers ----


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("href", "src")]


@pytest.mark.parametrize("waits", [False, True], ids=["no page", "no poll yet"])
def test_the_landing_page(export, waits):
    """What is at / where there is no page of the last hour: test_exporter_page.py."""
    exporter = export("--all", TANGO_HOST=f"127.0.0.1:{free_port()}") if waits else export("--no-page")
    answer = exporter.get("/")
    assert answer.status == 200
    assert ('http-equiv="refresh"' in answer.text) == waits
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert re.search(r"ska-tango-event-exporter.*Version \d", answer.text, re.DOTALL)
    links = Links()
    links.feed(answer.text)
    assert {"/metrics", "/-/healthy", "/-/ready"} == set(links.found)
    for link in links.found:
        assert exporter.get(link).status in (200, 503)


def test_paths_and_methods(export):
    exporter = export("--no-page", "--web.telemetry-path=/tango/events&more").wait_until_ready()
    assert 'href="/tango/events&amp;more"' in exporter.get("/").text
    for path in ("/tango/events&more", "/tango/events&more?match=x", "http://any.host:1/tango/events&more"):
        answer = exporter.get(path)
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert re.search(r"^tango_event_\w+ ", answer.text, re.MULTILINE)
    opened = exporter.get("/tango/events&more", Accept="application/openmetrics-text; version=1.0.0")
    assert opened.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert opened.text.endswith("# EOF\n")
    for path in ("/metrics", "/tango", "/tango/events&more/", "/-/", "/%2d/healthy", "/../metrics", "//"):
        assert exporter.get(path).status == 404, path
    for path in ("/", "/-/healthy", "/tango/events&more", "/nothing"):
        whole, head = exporter.get(path), exporter.get(path, "HEAD")
        assert (head.status, head.text) == (whole.status, "")
        assert head.headers["content-type"] == whole.headers["content-type"]
        assert int(head.headers["content-length"]) > 0
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "NONSENSE"):
        answer = exporter.get("/tango/events&more", method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD"), method


def test_it_is_healthy_at_once_and_ready_when_servers_were_asked(export, tmp_path):
    """Before its database is there, too."""
    port = free_port()
    exporter = export("--all", TANGO_HOST=f"127.0.0.1:{port}")
    assert exporter.get("/-/healthy").status == 200
    assert exporter.get("/-/ready").status == 503
    assert exporter.get("/metrics").status == 200
    wait_for(lambda: exporter.output().count("\n") >= 3, what="messages")
    polls = exporter.output()
    database = LocalTango(tmp_path / "database", preexec_fn=die_with_parent)
    database.make_folder()
    try:
        database.start_database(port, free_port())
        exporter.wait_until_ready()
    finally:
        database.stop()
    assert polls == (
        message(f"listening on http://127.0.0.1:{exporter.addresses[0][1]}")
        + message(
            f"--all: can't connect to the Tango database 127.0.0.1:{port}: start it, or name the right one:"
            " TANGO_HOST=HOST:PORT, or tango://HOST:PORT/DEVICE"
        )
        + message("nothing can be watched yet; that is tried again every 0.5 s")
    )
    # Each line once, however often it was tried.
    assert exporter.output().count("can't connect to the Tango database") == 1


def test_several_addresses(export):
    exporter = export(
        "--web.listen-address=127.0.0.1:0", "--web.listen-address=[::1]:0", "--web.listen-address", ":0", addresses=3
    )
    assert [host for host, _ in exporter.addresses] == ["127.0.0.1", "::1", "::"]
    for address in list(exporter.addresses):
        exporter.addresses = [address]
        assert exporter.get("/-/healthy").status == 200
    # All interfaces are those of IPv4, too.
    exporter.addresses = [("127.0.0.2", exporter.addresses[0][1])]
    assert exporter.get("/-/healthy").status == 200


# ---- how it doesn't start ----


def test_addresses_that_cannot_be_listened_on():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run_exporter(f"--web.listen-address=127.0.0.1:{port}", "a/b/c")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == message(
        f"can't listen on 127.0.0.1:{port}: Address already in use: end the program that does, or choose another"
        " port with --web.listen-address"
    )
    result = run_exporter("--web.listen-address=192.0.2.1:9751", "a/b/c")
    assert result.returncode == 1
    assert result.stderr == message(
        "can't listen on 192.0.2.1:9751: Cannot assign requested address: no interface of this host has that address"
    )
    result = run_exporter("--web.listen-address=no.such.host.invalid:9751", "a/b/c")
    assert result.returncode == 1
    assert result.stderr.startswith(message("can't listen on no.such.host.invalid:9751: ")[:-1])
    assert result.stderr.count("\n") == 1
    result = run_exporter("--web.listen-address=9751", "a/b/c")
    assert result.returncode == 2
    assert result.stderr.startswith(message("--web.listen-address 9751: needs a port: ")[:-1])
    # None of them is kept if one can't be had.
    result = run_exporter("--web.listen-address=127.0.0.1:0", "--web.listen-address=192.0.2.1:0", "a/b/c")
    assert result.returncode == 1 and result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "text, error",
    [
        (None, "can't read it: No such file or directory"),
        ("tls_server_config:\n  certfile: a\n", "line 2: certfile: no such key, or not one that this program knows"),
        ("tls_server_config: {cert_file: none.crt, key_file: none.key}", "none.crt: can't read it: "),
        ("tls_server_config: {cert_file: web.yml, key_file: web.yml}", "web.yml: not a certificate and its key"),
    ],
)
def test_configurations_that_cannot_be_used(tmp_path, text, error):
    config = tmp_path / "web.yml"
    if text:
        config.write_text(text)
    result = run_exporter("--web.listen-address=127.0.0.1:0", f"--web.config.file={config}", "a/b/c")
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert error in result.stderr


def test_help_version_and_list(publisher, tmp_path):
    result = run_exporter("--help")
    assert result.returncode == 0 and result.stdout.startswith("Usage: ska-tango-event-exporter ")
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert re.fullmatch(r"ska-tango-event-exporter \d+\.\d+\.\d+\n", run_exporter("--version").stdout)
    assert run_exporter().returncode == 2
    result = run_exporter("--list", "--web.listen-address=192.0.2.1:1", publisher.name())
    assert result.returncode == 0 and result.stdout.endswith("  QueryEventAgent\n"), result
    with open("/dev/full", "w") as full:
        for arguments in (["--help"], ["--version"], ["--list", publisher.name()]):
            result = run_exporter(*arguments, stdout=full)
            assert result.returncode == 1
            assert result.stderr == message("standard output: No space left on device")


# ---- TLS and passwords ----


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("certificate"))


def write_config(folder, config):
    path = folder / "web.yml"
    path.write_text(yaml.safe_dump(config))
    return path


def tls_config(certificates, **more):
    return {"tls_server_config": {"cert_file": str(certificates.certificate), "key_file": str(certificates.key), **more}}


def test_tls(export, certificates, tmp_path):
    config = tls_config(certificates)
    config["http_server_config"] = {"headers": {"Strict-Transport-Security": "max-age=60", "X-Content-Type-Options": "x"}}
    exporter = export(f"--web.config.file={write_config(tmp_path, config)}")
    assert f"listening on https://127.0.0.1:{exporter.addresses[0][1]}\n" in exporter.output()
    exporter.tls = trusting(certificates.certificate)
    answer = exporter.get("/-/healthy")
    assert (answer.status, answer.headers["strict-transport-security"]) == (200, "max-age=60")
    assert answer.headers["x-content-type-options"] == "x"
    exporter.tls = trusting(certificates.certificate, maximum_version=ssl.TLSVersion.TLSv1_2)
    assert exporter.get("/-/healthy").status == 200
    exporter.tls = ssl.create_default_context()
    with pytest.raises(ssl.SSLCertVerificationError):
        exporter.get("/-/healthy")
    assert b"HTTP/1.1 200" not in exporter.raw(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n")


def test_the_least_version(export, certificates, tmp_path):
    exporter = export(f"--web.config.file={write_config(tmp_path, tls_config(certificates, min_version='TLS13'))}")
    exporter.tls = trusting(certificates.certificate, maximum_version=ssl.TLSVersion.TLSv1_2)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        exporter.get("/-/healthy")
    exporter.tls = trusting(certificates.certificate)
    assert exporter.get("/-/healthy").status == 200


def answers(exporter):
    try:
        return exporter.get("/-/healthy").status == 200
    except (ssl.SSLError, ConnectionError):
        return False


@pytest.mark.parametrize(
    "kind, without, strange, good",
    [
        ("RequestClientCert", True, True, True),
        ("RequireAnyClientCert", False, True, True),
        ("VerifyClientCertIfGiven", True, False, True),
        ("RequireAndVerifyClientCert", False, False, True),
    ],
)
def test_certificates_of_clients(export, certificates, tmp_path, kind, without, strange, good):
    (tmp_path / "good").mkdir()
    (tmp_path / "strange").mkdir()
    authority = make_certificate(tmp_path / "good")
    other = make_certificate(tmp_path / "strange")
    more = {"client_ca_file": str(authority.certificate)} if "Verify" in kind else {}
    config = tls_config(certificates, client_auth_type=kind, **more)
    exporter = export(f"--web.config.file={write_config(tmp_path, config)}")
    for given, expected in ((None, without), (other, strange), (authority, good)):
        exporter.tls = trusting(certificates.certificate)
        if given:
            exporter.tls.load_cert_chain(given.certificate, given.key)
        assert answers(exporter) == expected, given


def test_files_are_read_again(export, tmp_path):
    """The certificate, while a connection stays open, and the users; a broken one isn't taken."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first, second = (make_certificate(tmp_path / name) for name in ("first", "second"))
    used = [tmp_path / "exporter.crt", tmp_path / "exporter.key"]

    def replace(files):
        """As programs that renew certificates do it."""
        for path, source in zip(used, files):
            shutil.copy(source, f"{path}.new")
            os.rename(f"{path}.new", path)

    replace(first)
    config = write_config(tmp_path, {"tls_server_config": {"cert_file": "exporter.crt", "key_file": "exporter.key"}})
    exporter = export(f"--web.config.file={config}")
    exporter.tls = trusting(first.certificate)
    kept = exporter.connection()
    kept.request("GET", "/-/healthy")
    assert kept.getresponse().read() == b"healthy\n"
    replace(second)
    exporter.tls = trusting(second.certificate)
    wait_for(lambda: answers(exporter), what="the new certificate")
    kept.request("GET", "/-/healthy")
    assert kept.getresponse().read() == b"healthy\n"
    kept.close()
    said = exporter.output()
    used[0].write_text("nonsense")
    wait_for(lambda: exporter.output() != said, what="a message")
    assert answers(exporter)
    line = exporter.output()[len(said):]
    assert line.startswith(message(f"{used[0]}, {used[1]}: not a certificate and its key")[:-1])
    assert line.endswith("; what was there before stays in use\n") and line.count("\n") == 1
    replace(second)
    config.write_text(config.read_text() + yaml.safe_dump({"basic_auth_users": {USER: BCRYPT}}))
    wait_for(lambda: exporter.get("/-/healthy").status == 401, what="users")
    assert exporter.get("/-/healthy", user=GOOD).status == 200
    # TLS stays.
    config.write_text("{}")
    wait_for(lambda: "TLS can be switched on and off only by a restart" in exporter.output(), what="a message")
    assert exporter.get("/-/healthy", user=GOOD).status == 200


def test_a_file_that_is_cut_off_lets_nobody_in(export, tmp_path):
    """As on a full disk: what is left of it may be a good configuration, without users."""
    config = write_config(tmp_path, {"basic_auth_users": {USER: BCRYPT}})
    exporter = export(f"--web.config.file={config}").wait_until_ready(user=GOOD)
    config.write_text("")
    line = message(f"{config}: all users can be removed only by a restart; what was there before stays in use")
    wait_for(lambda: line in exporter.output(), what="a message")
    assert exporter.get("/-/healthy").status == 401
    # What can't be read must not be waited for, neither now nor at the end.
    config.unlink()
    os.mkfifo(config)
    wait_for(lambda: "not a regular file" in exporter.output(), what="a message")
    assert exporter.get("/-/healthy", user=GOOD).status == 200
    assert exporter.stop(timeout=10) == 0


def test_sighup_reads_them_again_at_once(export, tmp_path):
    config = write_config(tmp_path, {"basic_auth_users": {USER: BCRYPT}})
    exporter = export(f"--web.config.file={config}").wait_until_ready(user=GOOD)
    line = message(f"{config}: read again, with its certificates and users")
    assert line not in exporter.output()
    exporter.process.send_signal(signal.SIGHUP)
    wait_for(lambda: line in exporter.output(), what="a message")
    exporter.check_alive()


def test_passwords(export, tmp_path):
    exporter = export(f"--web.config.file={write_config(tmp_path, {'basic_auth_users': {USER: BCRYPT}})}")
    for path in ("/", "/metrics", "/-/healthy", "/-/ready", "/nothing"):
        answer = exporter.get(path)
        assert answer.status == 401, path
        assert answer.headers["www-authenticate"].startswith('Basic realm="')
    assert exporter.get("/-/healthy", user=GOOD).status == 200
    for wrong in (f"{USER}:wrong", f"nobody:{PASSWORD}", f"{USER}:", f":{PASSWORD}", f"{USER}:{PASSWORD} ", "a", "::",
                  f"{USER}:" + 1000 * "x"):
        for _ in range(2):
            assert exporter.get("/-/healthy", user=wrong).status == 401, wrong
    for header in ("Basic", "Basic ", "Basic ====", "Basic !", "Bearer abc", "Digest x", "basic " + 1000 * "A"):
        assert exporter.get("/-/healthy", Authorization=header).status == 401, header
    assert exporter.get("/metrics", "POST", user=GOOD).status == 405
    assert exporter.get("/metrics", "POST").status == 401


def test_guessing_passwords_delays_nobody(export, tmp_path):
    """Nor does it take the processor. By one who has many connections."""
    config = write_config(tmp_path, {"basic_auth_users": {USER: BCRYPT.replace("$05$", "$10$"), "anna": BCRYPT}})
    exporter = export(f"--web.config.file={config}")
    user = f"anna:{PASSWORD}"
    assert exporter.get("/-/healthy", user=user).status == 200
    begun, used = time.monotonic(), exporter.cpu()
    seen, seconds = [], []
    for i in range(150):
        guess = exporter.connect()
        token = f"{USER}:guess {i}".encode()
        guess.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic " + base64.b64encode(token) + b"\r\n\r\n")
        seen.append(guess)
        before = time.monotonic()
        assert exporter.get("/-/healthy", user=user).status == 200
        seconds.append(time.monotonic() - before)
    found = [statuses(guess.recv(4096)) for guess in seen]
    for guess in seen:
        guess.close()
    assert set(map(tuple, found)) == {(401,), (429,)}
    assert sorted(seconds)[len(seconds) // 2] < 0.1
    wait_for(lambda: time.monotonic() - begun > 2, what="a while")
    assert (exporter.cpu() - used) / (time.monotonic() - begun) < 0.6


# ---- how it is ended ----


def test_it_ends_at_once_whatever_goes_on(export, tmp_path):
    config = write_config(tmp_path, {"basic_auth_users": {USER: BCRYPT.replace("$05$", "$12$")}})
    exporter = export(f"--web.config.file={config}")
    clients = [exporter.connect() for _ in range(20)]
    for i, client in enumerate(clients):
        token = base64.b64encode(f"{USER}:{i}".encode())
        client.sendall((b"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Basic " + token + b"\r\n\r\n")[: 40 * (i + 1)])
    begun = time.monotonic()
    assert exporter.stop(timeout=10) == 0
    assert time.monotonic() - begun < 3
    for client in clients:
        read_all(client)
        client.close()


def test_its_threads_leave_signals_to_the_main_thread(export):
    exporter = export().wait_until_ready()
    for task in Path(f"/proc/{exporter.process.pid}/task").iterdir():
        blocked = int(re.search(r"^SigBlk:\s+(\w+)$", (task / "status").read_text(), re.MULTILINE)[1], 16)
        for number in (signal.SIGTERM, signal.SIGINT):
            assert blocked >> (number - 1) & 1, task
    exporter.process.send_signal(signal.SIGINT)
    assert exporter.process.wait(10) == 0


def test_closed_descriptors_are_filled(tmp_path):
    """Otherwise a client's connection would be standard output, say."""
    log = tmp_path / "log"
    command = f'exec "$@" <&- >&- 2>>{log}'
    process = subprocess.Popen(
        ["bash", "-c", command, "bash", EXPORTER, "--web.listen-address=127.0.0.1:0", "tango://127.0.0.1:1/a/b/c#dbase=no"],
        preexec_fn=die_with_parent,
    )
    try:
        wait_for(lambda: log.exists() and "listening" in log.read_text(), what="the exporter to listen")
        for number in (0, 1):
            assert os.readlink(f"/proc/{process.pid}/fd/{number}") == "/dev/null"
    finally:
        process.terminate()
        assert process.wait(10) == 0
