import doctest
import pickle
import subprocess
import sys

import pytest
from pydantic import BaseModel, ValidationError

from schedlab.lab import resolve as module
from schedlab.lab.resolve import SchedulerEntry, makeable, resolve, resolve_all


class Sarathi:
    def __init__(self, chunk_tokens=512, *, order="fcfs"):
        self.chunk_tokens, self.order = chunk_tokens, order


class Slai:
    def __init__(self, offset_s):
        self.offset_s = offset_s


REGISTRY = {"sarathi": Sarathi, "slai": Slai}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with a user's own scheduler, in which the test runs."""
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).touch()
    folder = tmp_path / "extensions" / "serving"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(
        "class Mine:\n    def __init__(self, share=0.5):\n        self.share = share\n\nvalue = 3\n"
    )
    (folder / "broken.py").write_text("import no_such_package\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "extensions"]:
        del sys.modules[name]


def test_examples_in_docstrings():
    assert doctest.testmod(module).failed == 0


def test_name_gives_the_registered_class():
    choice = resolve("sarathi", REGISTRY)
    assert choice.label == "sarathi"
    assert isinstance(choice.make(), Sarathi)
    assert choice.make() is not choice.make()


def test_mapping_gives_label_and_options():
    entry = {"use": "sarathi", "label": "Sarathi SPF", "options": {"order": "spf"}}
    choice = resolve(entry, REGISTRY)
    assert (choice.label, choice.make().order) == ("Sarathi SPF", "spf")


def test_dotted_path_gives_a_users_own_class(checkout):
    choice = resolve({"use": "extensions.serving.mine:Mine", "options": {"share": 0.2}}, REGISTRY)
    assert (choice.label, choice.make().share) == ("Mine", 0.2)


def test_schedulers_do_not_share_their_options():
    choice = resolve({"use": "sarathi", "options": {"order": ["a"]}}, REGISTRY)
    choice.make().order.append("b")
    assert choice.make().order == ["a"]


def test_choice_is_made_in_another_process_that_never_saw_the_path(checkout):
    payload = pickle.dumps(resolve("extensions.serving.mine:Mine", {}))
    code = f"import pickle; print(pickle.loads({payload!r}).make().share)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "0.5"


def test_registered_choice_survives_pickling():
    copied = pickle.loads(
        pickle.dumps(resolve({"use": "slai", "options": {"offset_s": 1}}, REGISTRY))
    )
    assert copied.make().offset_s == 1


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "saratih",
            r"unknown scheduler 'saratih'; did you mean 'sarathi'\? allowed are sarathi, slai",
        ),
        ("orca", r"unknown scheduler 'orca'; allowed are sarathi, slai or module:Class"),
        ("extensions.none:Mine", r"no module extensions.none; expected extensions/none.py in"),
        ("nowhere.mine:Mine", r"no module nowhere.mine"),
        ("extensions.serving.mine:Mne", r"unknown class 'Mne'; did you mean 'Mine'"),
        ("extensions.serving.mine:value", r"value is not a class or a function"),
        ("extensions.serving.broken:Mine", r"importing .* failed: .*no_such_package"),
        ("slai", r"'slai': options: missing a required argument: 'offset_s'"),
        ({"use": "slai", "options": {"ofset_s": 1}}, r"options: .*; it takes offset_s"),
        ({"use": "slai", "option": {}}, r"option: Extra inputs"),
        ({"label": "a"}, r"use: Field required"),
        ({"use": ""}, r"use: "),
        (3, r"scheduler entry 3: .*expected a name or a mapping"),
    ],
)
def test_wrong_entries_are_refused_in_one_line(checkout, entry, message):
    with pytest.raises(ValueError, match=message) as refused:
        resolve(entry, REGISTRY)
    assert "\n" not in str(refused.value)


def test_list_keeps_its_order():
    choices = resolve_all(["sarathi", {"use": "slai", "options": {"offset_s": 1}}], REGISTRY)
    assert [choice.label for choice in choices] == ["sarathi", "slai"]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "empty; allowed are sarathi, slai"),
        ("sarathi", "expected a list"),
        (["sarathi", {"use": "sarathi", "options": {"order": "spf"}}], "'sarathi' occurs twice"),
    ],
)
def test_senseless_lists_are_refused(entries, message):
    with pytest.raises(ValueError, match=message):
        resolve_all(entries, REGISTRY)


class Stage(BaseModel):
    schedulers: list[SchedulerEntry]


def test_parameter_models_take_names_and_mappings():
    stage = Stage.model_validate({"schedulers": ["sarathi", {"use": "m:Own", "label": "own"}]})
    assert [entry.label for entry in stage.schedulers] == ["sarathi", "own"]
    assert resolve(stage.schedulers[0], REGISTRY).label == "sarathi"
    with pytest.raises(ValidationError, match=r"schedulers\.0\.lable"):
        Stage.model_validate({"schedulers": [{"use": "sarathi", "lable": "x"}]})


def refuse_everything(limit: float = 0.0) -> None:
    raise ValueError(f"limit {limit:g} is too low")


def test_a_list_of_entries_that_can_be_made_is_returned_as_it_is():
    entries = [SchedulerEntry.model_validate("sarathi")]
    assert makeable(REGISTRY)(entries) is entries


def test_an_entry_that_its_constructor_refuses_is_named():
    check = makeable({"mine": refuse_everything})
    with pytest.raises(ValueError, match=r"^Mine: limit 2 is too low$"):
        check([SchedulerEntry(use="mine", label="Mine", options={"limit": 2})])


def test_constructors_that_are_given_something_are_not_called():
    entries = [SchedulerEntry(use="mine", label="Mine")]
    assert makeable({"mine": refuse_everything}, given=1)(entries) is entries
