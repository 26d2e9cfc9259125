"""scripts/check-includes, on small source trees: what it rejects, and what it prints then."""

import subprocess
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[2] / "scripts" / "check-includes"


@pytest.fixture
def tree(tmp_path):
    """tree({file: what it includes}) makes these files; tree.check() says what is wrong with them."""

    def make(files):
        for file, included in files.items():
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f'#include "{name}"\n' for name in included))

    def check():
        done = subprocess.run([CHECK, tmp_path], capture_output=True, text=True)
        lines = done.stderr.replace(f"{tmp_path}", "").splitlines()
        assert done.returncode == (1 if lines else 0)
        assert done.stdout == ""
        return lines

    make.check = check
    return make


def test_downwards(tree):
    tree({
        "base/memory.h": [],
        "response/response.h": ["base/memory.h"],
        "monitor/view/order.h": ["response/response.h"],
        "monitor/view/text/table.c": ["monitor/view/order.h", "monitor/view/text/table.h", "base/memory.h"],
        "monitor/view/text/table.h": [],
        "monitor/main.c": ["version.h", "monitor/view/text/table.h"],
    })
    assert tree.check() == []


def test_upwards(tree):
    tree({
        "monitor/view/text/table.h": [],
        "monitor/model/history.c": ["monitor/view/text/table.h"],
    })
    assert tree.check() == ["/monitor/model/history.c:1: monitor/model -> monitor/view/text "
                            "(monitor/view/text/table.h); monitor/model may include from: response, base"]


def test_from_the_folder_above(tree):
    tree({"monitor/signals.h": [], "monitor/poll/poller.c": ["monitor/signals.h"]})
    assert len(tree.check()) == 1


@pytest.mark.parametrize("file", ["agent/watch/hooks.c", "launcher/main.c"])
def test_agent_and_launcher_use_nothing_else(tree, file):
    tree({"base/memory.h": [], file: ["base/memory.h"]})
    assert len(tree.check()) == 1


def test_circle_of_headers(tree):
    tree({
        "base/a.h": ["base/b.h"],
        "base/b.h": ["base/c.h"],
        "base/c.h": ["base/b.h"],
        "base/a.c": ["base/a.h"],
    })
    assert tree.check() == [": headers include each other in a circle: base/b.h -> base/c.h -> base/b.h"]


def test_a_file_without_a_room(tree):
    tree({"other/thing.h": [], "monitor/main.c": ["other/thing.h"]})
    assert tree.check() == ["/monitor/main.c:1: other/thing.h lies in no room of scripts/check-includes"]


def test_a_path_that_is_not_below_src(tree):
    tree({"base/memory.c": ["memory.h"], "base/memory.h": []})
    assert tree.check() == ['/base/memory.c:1: "memory.h" is no path below ']


def test_nothing_to_check(tree):
    assert tree.check() == [": no sources there"]
