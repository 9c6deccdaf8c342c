"""What the folder for schedulers of one's own shows is run as it stands there."""

import re

from schedlab.lab.paths import find_root
from schedlab.microcontrollers import costs
from schedlab.microcontrollers.boards import board
from schedlab.microcontrollers.inference import infer


def test_the_example_schedules_every_workgroup():
    text = (find_root() / "extensions" / "microcontrollers" / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict = {"__name__": "extensions.microcontrollers.mine"}
    exec(compile(example, "README.md", "exec"), names)
    on = board("rp2350-arm")
    model = costs.find(costs.OWN, "digits_cnn_int8", on.target)
    run = infer(model, on, names["ShortestFirst"]())
    order = run.table().query("step == 0").sort_values(["start", "core"])["workgroup"]
    counts = model.dispatches[0].instructions[order]
    assert (counts[1:] >= counts[:-1]).all()
