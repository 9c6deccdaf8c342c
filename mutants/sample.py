"""Small faults to try: every place of a core where an operator applies, and a sample of them."""

import ast
import hashlib
import random
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cosmic_ray.ast import Visitor, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

Position = tuple[int, int]


@dataclass(frozen=True)
class Mutant:
    """One fault in one module.

    Attributes
    ----------
    module
        File under ``src/``.
    line, column
        Where, counted from 1 and 0.
    operator
        Name in Cosmic Ray, as ``core/AddNot``.
    occurrence
        Which of the operator's applications to the module it is.
    """

    module: str
    line: int
    column: int
    operator: str
    occurrence: int

    @cached_property
    def source(self) -> str:
        """The module's text with the fault in it."""
        return mutate_code(
            Path(self.module).read_text(), get_operator(self.operator)(), self.occurrence
        )

    @cached_property
    def key(self) -> str:
        """Hash of the faulty text, which names the mutant from run to run."""
        return hashlib.sha256(f"{self.module}\n{self.source}".encode()).hexdigest()[:10]

    @property
    def is_fault(self) -> bool:
        """Whether it is code at all: Cosmic Ray also takes the stars of signatures for products."""
        line = Path(self.module).read_text().splitlines()[self.line - 1]
        try:
            ast.parse(self.source)
        except SyntaxError:
            return False
        return not line[self.column :].startswith("*,")

    @property
    def name(self) -> str:
        """Dotted name of the module."""
        parts = Path(self.module).relative_to("src").with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class _Positions(Visitor):
    """Collects where an operator applies, in the order in which Cosmic Ray counts."""

    def __init__(self, operator: object) -> None:
        self.operator, self.found = operator, []

    def visit(self, node: object) -> object:
        self.found += [start for start, _ in self.operator.mutation_positions(node)]
        return node


def _spans_of_annotations(source: str) -> list[tuple[Position, Position]]:
    """Return where type hints stand: no test can or should see them."""
    hints = []
    for node in ast.walk(ast.parse(source)):
        hints += [getattr(node, name, None) for name in ("annotation", "returns")]
    return [
        ((hint.lineno, hint.col_offset), (hint.end_lineno, hint.end_col_offset))
        for hint in hints
        if isinstance(hint, ast.AST)
    ]


def places(module: str, operators: list[str]) -> dict[Position, list[Mutant]]:
    """Return the possible faults of a module by where they are."""
    source = Path(module).read_text()
    tree, hints = get_ast(source), _spans_of_annotations(source)
    found = defaultdict(list)
    for operator in operators:
        visitor = _Positions(get_operator(operator)())
        visitor.walk(tree)
        for occurrence, position in enumerate(visitor.found):
            if not any(start <= position < end for start, end in hints):
                found[position].append(Mutant(module, *position, operator, occurrence))
    return dict(found)


def sample(modules: list[str], operators: list[str], size: int, seed: int) -> list[Mutant]:
    """Draw places without replacement, and one of the faults possible at each.

    What turns out to be no fault is dropped after the draw, so that fewer may come back.
    """
    everywhere = [
        faults for module in modules for _, faults in sorted(places(module, operators).items())
    ]
    rng = random.Random(seed)
    drawn = rng.sample(everywhere, min(size, len(everywhere)))
    return [fault for faults in drawn if (fault := rng.choice(faults)).is_fault]
