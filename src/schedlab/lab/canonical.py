"""Executed notebooks reduced to what does not vary between two runs of the same code."""

import re
from typing import Any

from nbformat import NotebookNode

ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
WIDGET = "application/vnd.jupyter.widget-view+json"  # refers to a live kernel's state
BAR = re.compile(r"\|\s*\d+/\d+ \[")
UP = "\x1b[A"  # of a terminal: the line before, where the outer of two bars is
KERNEL_PROCESS = re.compile(r"ipykernel_\d+")


def canonicalise(notebook: NotebookNode) -> NotebookNode:
    """Strip, in place, all that differs between two equal runs, and return the notebook.

    Removed are timestamps, durations, paths and versions in metadata, random cell ids, process
    numbers, object addresses, progress bars and the arbitrary cuts in streamed output.
    """
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    notebook.metadata.pop("language_info", None)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = str(number)
        kept = cell.metadata.get("tags", [])
        cell["metadata"] = NotebookNode({"tags": kept} if kept else {})
        if cell.cell_type == "code":
            cell["outputs"] = [
                output
                for output in map(_canonical_output, _join_streams(cell.outputs))
                if output.output_type != "stream" or output.text
            ]
    return notebook


def _join_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Merge streams of one name between two displays: their interleaving is a race."""
    joined: list[NotebookNode] = []
    for output in outputs:
        twin = _twin(joined, output) if output.output_type == "stream" else None
        if twin is None:
            joined.append(output)
        else:
            twin["text"] += output.text
    return joined


def _twin(joined: list[NotebookNode], output: NotebookNode) -> NotebookNode | None:
    for earlier in reversed(joined):
        if earlier.output_type != "stream":
            return None
        if earlier.name == output.name:
            return earlier
    return None


def _canonical_output(output: NotebookNode) -> NotebookNode:
    if output.output_type == "stream":
        output["text"] = _canonical_text(as_terminal(output.text))
    elif output.output_type == "error":
        output["evalue"] = _canonical_text(output.evalue)
        output["traceback"] = [_canonical_text(line) for line in output.traceback]
    elif "data" in output:
        output.data.pop(WIDGET, None)
        for kind, value in output.data.items():
            if kind.startswith("text/"):
                output.data[kind] = _canonical_text(_text(value))
    return output


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "".join(value)


def _canonical_text(text: str) -> str:
    return KERNEL_PROCESS.sub("ipykernel", ADDRESS.sub("0x…", text))


def as_terminal(text: str) -> str:
    r"""Return what a terminal would show in the end: a ``\r`` starts its line anew.

    A progress bar that clears itself therefore leaves nothing. One inside another climbs over it,
    which leaves parts of both, so that lines with a bar are left out.
    """
    if "\r" not in text:
        return text
    lines = [_overwritten(line) for line in text.replace(UP, "").split("\n")]
    lines = [line for line in lines if not BAR.search(line)]
    return "\n".join(lines).strip("\n ") and "\n".join(lines)


def _overwritten(line: str) -> str:
    shown = ""
    for part in line.split("\r"):
        shown = part + shown[len(part) :]
    return shown.rstrip()
