import os

import numpy as np
import pytest

from schedlab.estimation import recordings
from schedlab.estimation.estimators.predictors import Predictor
from schedlab.estimation.experiment.recorded import Loop, after_messages, silent_steps


@pytest.fixture(scope="module")
def glucose():
    return recordings.glucose()


def test_glucose_is_cut_into_whole_windows_training_before_test(glucose):
    assert glucose.training.shape[1:] == glucose.test.shape[1:] == (recordings.STEPS + 1, 2)
    assert len(glucose.blocks) == len(glucose.test)
    assert 20 <= glucose.training[..., 0].min() < glucose.training[..., 0].max() <= 600
    np.testing.assert_array_equal(np.diff(glucose.test[..., 0], axis=1), glucose.test[:, 1:, 1])
    assert 0 < glucose.slope.keeps < 1


def test_another_package_content_is_refused(monkeypatch):
    monkeypatch.setattr(recordings, "GLUCOSE_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="reinstall it with"):
        recordings.glucose()


def test_only_errors_of_the_value_count(glucose):
    problem = glucose.problem(100.0, glucose.test)
    assert problem.squared_error(np.array([3.0, 50.0]), np.array([1.0, 0.0])) == 4.0


def test_samples_of_silence_lead_from_message_to_state(glucose):
    problem = glucose.problem(100.0, glucose.training[:20])
    loop = Loop(Predictor(problem.plant), 50.0)
    for found in (silent_steps(problem, loop), after_messages(problem, loop)):
        last, age = found.last[0].numpy().astype(float), found.age[0].numpy()
        state = problem.plant.roll_out(last, age) + found.residual[0].numpy()
        known = glucose.training[:20].reshape(-1, 2)
        assert {tuple(row) for row in np.round(state, 2)} <= {tuple(r) for r in np.round(known, 2)}
    quiet = silent_steps(problem, loop).residual[0, :, 0].numpy()
    assert (quiet**2 <= 50.0 + 1e-3).all()


def test_ages_as_met_are_no_more_frequent_than_in_the_loop(glucose):
    problem = glucose.problem(100.0, glucose.training[:20])
    loop = Loop(Predictor(problem.plant), 50.0)
    steps = 20 * recordings.STEPS
    met = after_messages(problem, loop, as_met=True).age.shape[1]
    assert met <= steps < after_messages(problem, loop).age.shape[1]


@pytest.mark.skipif(
    not os.environ.get("SCHEDLAB_DATA_MIRROR"),
    reason="needs openacc-speed-10hz: set SCHEDLAB_DATA_MIRROR to a folder that holds it",
)
def test_vehicles_are_split_by_run(monkeypatch, tmp_path):
    monkeypatch.setenv("SCHEDLAB_DATA_CACHE", str(tmp_path))
    found = recordings.vehicles()
    assert {block.rsplit(" ", 1)[0] for block in found.blocks} == set(recordings.VEHICLE_TESTS)
    assert len(found.training) > len(found.test) > 100
    assert found.slope.keeps == 1.0
