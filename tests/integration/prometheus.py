"""For tests of the exporter as its users have it: a real Prometheus that scrapes real exporters.

A test asks for the fixtures ``exporters`` and ``prometheus``:

    def test_something(exporters, prometheus, ...):
        exporter = exporters(pub.name(), sub.name())            # over TLS, with a password
        server = prometheus([exporter], rules=[ROOT / "packaging/prometheus/alerts.yml"])
        server.wait_for("tango_event_received_total", lambda found: found and found[0].value == 12)
        exporter.restart()
        assert server.value("sum(increase(tango_event_lost_total[1m]))") == pytest.approx(3, rel=0.05)
        server.alerts()

Both listen on free ports of 127.0.0.1, keep what they write in the test's folder, and end with the test.
"""

import base64
import json
import math
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from typing import NamedTuple

import pytest
from tango_servers import BUILD, clean_environment, die_with_parent, free_port, need, wait_for

EXPORTER = BUILD / "bin" / "ska-tango-event-exporter"
USER, PASSWORD = "prometheus", "correct horse"
# Of the PASSWORD; made by: htpasswd -nbBC 5 prometheus "correct horse"
BCRYPT = "$2b$05$pF90/lnJKCXudghBeal4DuiiPnx20xRweQD5LzXkQysbGipkuADle"
SCRAPE_S, SCRAPE = 0.5, "500ms"


class Tls(NamedTuple):
    """A certificate for 127.0.0.1 and localhost, its own authority."""

    certificate: object
    key: object


def make_certificate(folder):
    tls = Tls(folder / "exporter.crt", folder / "exporter.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", tls.key, "-out", tls.certificate],
        check=True, capture_output=True,
    )
    return tls


class Process:
    """A program that is started, ended and started again with the same arguments; its log is kept."""

    def __init__(self, argv, log, env=None):
        self.argv = [str(part) for part in argv]
        self.log = log
        self.env = clean_environment(**(env or {}))
        self.process = None

    def launch(self):
        assert self.process is None or self.process.poll() is not None, "it runs already"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                cwd=self.log.parent, preexec_fn=die_with_parent,
            )

    def output(self):
        return self.log.read_text(errors="replace")

    def check_alive(self):
        assert self.process.poll() is None, f"{self.argv[0]} ended with {self.process.returncode}:\n{self.output()}"

    def stop(self, timeout=30):
        """SIGTERM; returns the exit status."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
        return self.process and self.process.wait(timeout)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Exporter(Process):
    """ska-tango-event-exporter, with TLS and a password, or, for tls=None, without."""

    def __init__(self, folder, devices, tls, env):
        self.port = free_port()
        self.tls = tls
        self.target = f"127.0.0.1:{self.port}"
        self.scheme = "https" if tls else "http"
        arguments = [EXPORTER, f"--web.listen-address={self.target}"]
        if "--poll-period" not in devices:
            arguments += ["--poll-period", SCRAPE_S]
        if tls:
            config = {
                "tls_server_config": {"cert_file": str(tls.certificate), "key_file": str(tls.key)},
                "basic_auth_users": {USER: BCRYPT},
            }
            (folder / "web.yml").write_text(json.dumps(config))
            arguments.append(f"--web.config.file={folder / 'web.yml'}")
        need(EXPORTER)
        super().__init__([*arguments, *devices], folder / "exporter.log", env)

    def get(self, path, timeout=20):
        """(status, text) of a request, with the password."""
        request = urllib.request.Request(f"{self.scheme}://{self.target}{path}")
        context = None
        if self.tls:
            token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            request.add_header("Authorization", f"Basic {token}")
            context = ssl.create_default_context(cafile=self.tls.certificate)
        try:
            with urllib.request.urlopen(request, timeout=timeout, context=context) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return None, str(error)

    def start(self):
        """Start it, and return when it has asked the servers once."""
        self.launch()

        def ready():
            self.check_alive()
            return self.get("/-/ready")[0] == 200

        wait_for(ready, 60, "the exporter to be ready", 0.1)
        return self

    def restart(self):
        assert self.stop() == 0, self.output()
        return self.start()


class Sample(NamedTuple):
    labels: dict
    value: float


class Prometheus(Process):
    """A Prometheus; of_exporters() one that scrapes exporters twice a second, and evaluates its rules as often."""

    def __init__(self, argv, log, port):
        super().__init__(argv, log)
        self.port = port

    @classmethod
    def of_exporters(cls, folder, exporters, rules):
        """One of the test's own."""
        port = free_port()
        config = {
            "global": {"scrape_interval": SCRAPE, "evaluation_interval": SCRAPE},
            "rule_files": [str(rule) for rule in rules],
            "scrape_configs": [cls.job(exporters)],
        }
        (folder / "prometheus.yml").write_text(json.dumps(config))
        argv = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}"]
        return cls(argv, folder / "prometheus.log", port)

    @staticmethod
    def job(exporters):
        first = exporters[0]
        job = {
            "job_name": "tango-events",
            "scheme": first.scheme,
            "static_configs": [{"targets": [exporter.target for exporter in exporters]}],
        }
        if first.tls:
            job["basic_auth"] = {"username": USER, "password": PASSWORD}
            job["tls_config"] = {"ca_file": str(first.tls.certificate)}
        return job

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.launch()

        def ready():
            self.check_alive()
            try:
                with urllib.request.urlopen(f"{self.url}/-/ready", timeout=10) as answer:
                    return answer.status == 200
            except OSError:
                return False

        wait_for(ready, 60, "Prometheus to be ready", 0.1)
        return self

    def api(self, path, **parameters):
        """The data of an answer of /api/v1/; a query that it refuses fails the test."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def query(self, expression, **parameters):
        """[Sample, ...] of now, or of a time given."""
        data = self.api("query", query=expression, **parameters)
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        return [Sample(each["metric"], float(each["value"][1])) for each in data["result"]]

    def value(self, expression, **parameters):
        """The only value that the expression has; NaN: it has none."""
        found = self.query(expression, **parameters)
        assert len(found) <= 1, found
        return found[0].value if found else math.nan

    def wait_for(self, expression, predicate, timeout=60):
        """Wait until predicate(query(expression)) is true; returns the samples."""
        last = [None]

        def fits():
            self.check_alive()
            last[0] = self.query(expression)
            return predicate(last[0])

        try:
            wait_for(fits, timeout, expression, 0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{expression} is {last[0]}") from None
        return last[0]

    def wait_until(self, expression, value, timeout=60):
        """Wait until the only value of an expression is that."""
        self.wait_for(expression, lambda found: [each.value for each in found] == [value], timeout)

    def wait_for_scrapes(self, count=2):
        """Wait until each exporter has been scraped so often again."""
        now = self.value("time()")
        self.wait_for(f"min(timestamp(up)) > {now + count * SCRAPE_S}", bool)

    def alerts(self, state="firing"):
        """The alerts in that state."""
        return [alert for alert in self.api("alerts")["alerts"] if alert["state"] == state]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def exporters(tmp_path, certificate):
    """exporters(*arguments, tls=True, **environment) starts an :class:`Exporter`; all end with the test."""
    started = []

    def run(*arguments, tls=True, **environment):
        folder = tmp_path / f"exporter-{len(started)}"
        folder.mkdir()
        started.append(Exporter(folder, [str(each) for each in arguments], certificate if tls else None, environment))
        return started[-1].start()

    yield run
    for each in started:
        each.kill()


@pytest.fixture
def prometheus(tmp_path):
    """prometheus(exporters, rules=()) starts a :class:`Prometheus`; all end with the test."""
    started = []

    def run(exporters, rules=()):
        folder = tmp_path / f"prometheus-{len(started)}"
        folder.mkdir()
        started.append(Prometheus.of_exporters(folder, exporters, rules))
        return started[-1].start()

    yield run
    for each in started:
        each.kill()
