"""The command, the examples of the modules, and how failures are put together."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

from schedlab.testing import __main__ as command
from schedlab.testing import contract
from schedlab.testing.contract import check, name_of

MODULES = ("serving", "ranking", "diffusion", "trainability", "microcontrollers", "estimation")


@pytest.mark.parametrize("name", MODULES)
def test_the_example_of_each_module_holds(name):
    found = doctest.testmod(importlib.import_module(f"schedlab.testing.{name}"))
    assert (found.attempted > 0, found.failed) == (True, 0)


def test_contracts_need_no_pytest():
    for path in Path(contract.__file__).parent.glob("*.py"):
        assert not re.search(r"^\s*(import|from) _?pytest", path.read_text(), re.MULTILINE), path


def test_every_broken_rule_is_reported_and_errors_say_where_they_come_from():
    def holds(make):
        make()

    def fails(make):
        raise AssertionError("not so")

    def stumbles(make):
        make().nothing_of_the_kind()

    with pytest.raises(AssertionError) as caught:
        check(dict, (holds, fails, stumbles))
    first, *lines = str(caught.value).splitlines()
    assert first == "dict breaks 2 of its rules"
    assert len(lines) == 2
    assert "fails: AssertionError: not so" in lines[0]
    assert "stumbles: AttributeError" in lines[1]
    assert "test_contract.py" in lines[1]


def test_names_are_those_of_classes_and_partials():
    import functools

    assert name_of(functools.partial(dict, a=1)) == name_of(dict) == "dict"


def test_the_command_checks_published_and_own_classes(capsys):
    assert command.main(["serving", "sarathi", "--options", '{"order": "spf"}']) == 0
    assert "sarathi keeps its contract" in capsys.readouterr().out
    assert command.main(["serving", "priority", "--options", '{"key": "output"}']) == 1
    assert "does_not_look_ahead" in capsys.readouterr().err
    assert command.main(["estimation.estimator", "schedlab.estimation.estimators:Hold"]) == 0


@pytest.mark.parametrize(
    ("use", "options", "words"),
    [
        ("sarathy", "{}", "unknown; expected one of faster_transformer"),
        ("extensions.serving.nobody:Nobody", "{}", "No module named"),
        ("schedlab.serving.schedulers:Nobody", "{}", "no attribute 'Nobody'"),
        ("sarathi", "{order", "Expecting property name"),
    ],
)
def test_the_command_refuses_in_one_line_what_it_cannot_find(capsys, use, options, words):
    assert command.main(["serving", use, "--options", options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
