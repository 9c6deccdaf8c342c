import threading
from pathlib import Path

import pytest

from schedlab.lab import reproduce

GRAPH = {"data": set(), "a": {"data"}, "b": {"data"}, "c": {"a"}, "report": {"b", "c"}}


def test_what_follows_a_change_is_run_too():
    assert reproduce.with_descendants(GRAPH, {"a"}) == {"a", "c", "report"}
    assert reproduce.with_descendants(GRAPH, set()) == set()
    assert reproduce.with_descendants(GRAPH, {"data"}) == set(GRAPH)


@pytest.fixture
def recorded(monkeypatch):
    """Replace the running of a stage by a record of what ran beside what."""
    seen = {"order": [], "most": 0, "now": 0, "fails": set(), "workers": []}
    lock = threading.Lock()

    def run_stage(root: Path, name: str, workers: int) -> bool:
        with lock:
            seen["now"] += 1
            seen["most"] = max(seen["most"], seen["now"])
            seen["workers"].append(workers)
        threading.Event().wait(0.05)
        with lock:
            seen["now"] -= 1
            seen["order"].append(name)
        return name not in seen["fails"]

    monkeypatch.setattr(reproduce, "run_stage", run_stage)
    return seen


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_each_stage_runs_once_and_after_what_it_needs(recorded, jobs):
    assert reproduce.run_stages(Path(), GRAPH, jobs) == []
    order = recorded["order"]
    assert sorted(order) == sorted(GRAPH)
    assert all(order.index(n) < order.index(name) for name in GRAPH for n in GRAPH[name])
    assert recorded["most"] == min(jobs, 2)


def test_processes_are_shared_among_the_stages_that_can_run(recorded):
    reproduce.run_stages(Path(), {"only": set()}, 8)
    assert recorded["workers"] == [8]


def test_a_failure_spares_what_does_not_need_it(recorded):
    recorded["fails"] = {"a"}
    assert reproduce.run_stages(Path(), GRAPH, 2) == ["a", "c", "report"]
    assert set(recorded["order"]) == {"data", "a", "b"}


def test_a_number_of_processes_below_one_is_refused(capsys):
    with pytest.raises(SystemExit):
        reproduce.main(["--jobs", "0"])
    assert "at least 1, got '0'" in capsys.readouterr().err
