"""Characters of five scripts in twelve typefaces: few-shot data that a pinned package carries.

Matplotlib ships the DejaVu fonts and its own FreeType. Twelve of their faces (sans, mono and serif;
regular, bold, slanted, both) know all letters of the Latin, Cyrillic, Greek, Armenian and Georgian
scripts. A letter is a class, a face is a hand that writes it. As in Omniglot whole scripts are kept
for validation and test, so that nothing but the skill of learning a script can be carried over.
"""

import unicodedata
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.ft2font import FT2Font, LoadFlags
from PIL import Image

from schedlab.metalearning.tasks.images import ImageSet
from schedlab.metalearning.tasks.world import TEST, TRAINING, VALIDATION

SCRIPTS = {
    "LATIN": TRAINING,
    "CYRILLIC": TRAINING,
    "GREEK": VALIDATION,
    "ARMENIAN": TEST,
    "GEORGIAN": TEST,
}
FACES = (
    *("Sans", "Sans-Bold", "Sans-Oblique", "Sans-BoldOblique"),
    *("SansMono", "SansMono-Bold", "SansMono-Oblique", "SansMono-BoldOblique"),
    *("Serif", "Serif-Bold", "Serif-Italic", "Serif-BoldItalic"),
)
LETTERS = ("Lu", "Ll", "Lo")
POINTS, DOTS_PER_INCH = 48, 72  # large, so that shrinking to a picture averages
ALIKE = 2.0  # distance below which two letters are one class, a full pixel of ink being 1


@cache
def characters(side: int = 14) -> ImageSet:
    """Return all letters that all faces have, each look once.

    A letter that looks like an earlier one (capital and small O, Latin and Greek A) is left out,
    scripts being taken in the order training, validation, test: nothing in the test looks like
    what training has shown.

    Parameters
    ----------
    side
        Height and width of the pictures in pixels.
    """
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    faces = [FT2Font(folder / f"DejaVu{face}.ttf") for face in FACES]
    letters = common_letters(faces)
    drawn = np.stack([[picture(face, letter, side) for face in faces] for letter in letters])
    kept = first_of_each_look(drawn[:, 0])
    names = [unicodedata.name(letters[i]) for i in kept]
    return ImageSet(
        images=torch.from_numpy(drawn[kept]).unsqueeze(2),
        split=torch.tensor([SCRIPTS[name.split()[0]] for name in names]),
        names=tuple(names),
    )


def common_letters(faces: list[FT2Font]) -> list[str]:
    """Return the undecomposable letters of the scripts that every face has, script by script."""
    codes = set.intersection(*(set(face.get_charmap()) for face in faces))
    letters = [c for c in map(chr, sorted(codes)) if _is_plain_letter(c)]
    order = list(SCRIPTS)
    scripts = {c: unicodedata.name(c, "NONE").split()[0] for c in letters}
    return sorted(
        (c for c in letters if scripts[c] in SCRIPTS), key=lambda c: order.index(scripts[c])
    )


def _is_plain_letter(character: str) -> bool:
    plain = not unicodedata.decomposition(character)
    return plain and unicodedata.category(character) in LETTERS


def picture(face: FT2Font, letter: str, side: int) -> np.ndarray:
    """Return a letter in the middle of a square, as ink from 0 to 1 with a margin of one pixel."""
    face.set_size(POINTS, DOTS_PER_INCH)
    face.set_text(letter, 0, flags=LoadFlags.NO_HINTING)
    face.draw_glyphs_to_bitmap(antialiased=True)
    ink = _cropped(np.asarray(face.get_image()))
    scale = (side - 2) / max(ink.shape)
    height, width = (max(1, round(length * scale)) for length in ink.shape)
    small = Image.fromarray(ink).resize((width, height), Image.Resampling.BOX)
    top, left = (side - height) // 2, (side - width) // 2
    square = np.zeros((side, side), dtype=np.float32)
    square[top : top + height, left : left + width] = np.asarray(small) / np.float32(255)
    return square


def _cropped(ink: np.ndarray) -> np.ndarray:
    rows, columns = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def first_of_each_look(pictures: np.ndarray) -> list[int]:
    """Return the positions of the pictures that look like no earlier one that was kept."""
    flat = pictures.reshape(len(pictures), -1)
    kept: list[int] = []
    for i, one in enumerate(flat):
        distances = np.linalg.norm(flat[kept] - one, axis=1)
        if not (distances < ALIKE).any():
            kept.append(i)
    return kept
