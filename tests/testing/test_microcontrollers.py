"""Schedulers of dispatches: published ones keep their contract, broken ones are told why not."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from schedlab.microcontrollers.schedule import Decision, Schedule, play
from schedlab.microcontrollers.schedulers import LPT, SCHEDULERS, ArielFIFO, Optimal
from schedlab.testing.microcontrollers import check_scheduler

PUBLISHED = SCHEDULERS | {"optimal": partial(Optimal, effort=0.01)}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_scheduler_keeps_its_contract(name):
    check_scheduler(PUBLISHED[name])


class Changed:
    """First come first served, with something done to the schedule."""

    def assign(self, dispatch, board):
        return self.change(play(dispatch, board, Decision()), dispatch, board)


class Forgets(Changed):
    """Runs the first workgroup in place of the last."""

    def change(self, schedule, dispatch, board):
        return replace(schedule, workgroups=np.append(schedule.workgroups[:-1], 0))


class Overlaps(Changed):
    def change(self, schedule, dispatch, board):
        return replace(schedule, core=np.zeros_like(schedule.core))


class Hurries(Changed):
    """Believes that cores never hinder each other, nor hand over."""

    def assign(self, dispatch, board):
        return play(dispatch, replace(board, beta=0.0, job_cycles=0.0), Decision(inline=True))


class Shrinks(Changed):
    def change(self, schedule, dispatch, board):
        return replace(schedule, end=schedule.end - 0.5 * (schedule.end - schedule.start))


class Invents(Changed):
    def change(self, schedule, dispatch, board):
        return replace(schedule, core=schedule.core + 1)


class Early(Changed):
    def change(self, schedule, dispatch, board):
        return replace(schedule, start=schedule.start - 1e5)


class Short(Changed):
    def change(self, schedule, dispatch, board):
        columns = (schedule.core, schedule.start, schedule.end, schedule.workgroups)
        return Schedule(*(column[1:] for column in columns))


class Remembers(Changed):
    """Begins with the core that it ended with the last time."""

    last = 0

    def change(self, schedule, dispatch, board):
        self.last = (self.last + 1) % board.cores
        order = np.roll(np.arange(dispatch.workgroups), self.last)
        return play(dispatch, board, Decision(order=order))


class Spoils(Changed):
    def change(self, schedule, dispatch, board):
        dispatch.instructions[:] = np.sort(dispatch.instructions)
        return schedule


class TwoFaced(LPT):
    """Says one thing about a dispatch and another about a network."""

    def assign(self, dispatch, board):
        return ArielFIFO().assign(dispatch, board)


WHERE = r"[\w ]+ on [\w ]+: "


@pytest.mark.parametrize(
    ("broken", "rule", "words"),
    [
        (Forgets, "runs_every_workgroup_once", WHERE + r"workgroup 0 runs 2 times"),
        (Overlaps, "lets_no_core_run_two_at_once", WHERE + r"core 0 runs two workgroups at once"),
        (Hurries, "beats_no_bound", WHERE + r"ends after \S+ cycles, no schedule can before"),
        (Shrinks, "beats_no_bound", WHERE + r"workgroup \d+ takes \S+ cycles on core \d, which"),
        (Invents, "runs_every_workgroup_once", WHERE + r"uses core 1, there are 0 to 0"),
        (Early, "runs_every_workgroup_once", WHERE + "starts before 0, at -"),
        (Short, "has_the_interface", r"one entry for each of 1 workgroups, got \(0,\)"),
        (Remembers, "decides_alike_whenever_asked", WHERE + "core differs from a fresh"),
        (Spoils, "decides_alike_whenever_asked", WHERE + "it changed the dispatch"),
        (TwoFaced, "assigns_what_it_decides", WHERE + "assign and decide disagree"),
        (dict, "has_the_interface", "dict has no method assign"),
    ],
)
def test_a_broken_scheduler_is_told_what_it_breaks_and_where(expect_broken, broken, rule, words):
    expect_broken(check_scheduler, broken, rule, words)
