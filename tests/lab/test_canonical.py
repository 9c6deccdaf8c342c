import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from schedlab.lab.canonical import as_terminal, canonicalise


def executed(number: int) -> nbformat.NotebookNode:
    """Return a notebook as two runs might leave it: equal but for what does not matter."""
    chunks = ["one line\ntwo", " lines\n"] if number == 1 else ["one line\n", "two lines\n"]
    outputs = [new_output("stream", name="stdout", text=text) for text in chunks]
    bar = new_output("stream", name="stderr", text=f"\r 50% 0{number}:00\r            \r")
    outputs.insert(number, bar)
    outputs.append(
        new_output("execute_result", data={"text/plain": f"<Axes at 0x7f00{number}a1b2>"})
    )
    outputs.append(
        new_output(
            "display_data",
            data={
                "application/vnd.jupyter.widget-view+json": {"model_id": str(number)},
                "text/plain": "slider",
            },
        )
    )
    cell = new_code_cell("plot()", outputs=outputs, execution_count=3)
    cell.metadata = {"tags": ["parameters"], "execution": {"iopub.status.busy": str(number)}}
    notebook = new_notebook(cells=[new_markdown_cell("# Title"), cell])
    notebook.metadata.papermill = {"duration": number}
    notebook.metadata.language_info = {"version": f"3.11.{number}"}
    return notebook


def test_two_runs_of_equal_code_become_equal_bytes():
    first, second = (nbformat.writes(canonicalise(executed(n))) for n in (1, 2))
    assert first == second


def test_what_was_shown_is_kept():
    cell = canonicalise(executed(1)).cells[1]
    assert cell.outputs[0].text == "one line\ntwo lines\n"
    assert cell.metadata.tags == ["parameters"]
    assert cell.execution_count == 3


def test_a_different_result_stays_different():
    changed = executed(2)
    changed.cells[1].outputs[-1].data["text/plain"] = "dial"
    assert nbformat.writes(canonicalise(changed)) != nbformat.writes(canonicalise(executed(1)))


def test_a_terminal_shows_what_came_last_on_each_line():
    assert as_terminal("abc\rx\n") == "xbc\n"
    assert as_terminal("10%\r100%\r    \r") == ""
    assert as_terminal("plain\n") == "plain\n"


def test_bars_inside_bars_leave_nothing():
    outer, inner = "\rruns:  50%|█████     | 1/2 [00:04<00:04]", "\rsteps:  10%|█    | 1/10 [00:00]"
    cleared = "\r" + " " * 60 + "\r"
    assert as_terminal(f"{outer}\n{inner}\x1b[A{outer}\n{inner}{cleared}kept\n") == "kept\n"
