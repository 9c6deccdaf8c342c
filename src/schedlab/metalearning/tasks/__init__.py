"""Worlds of tasks: letters, handwriting, sine curves, bio-activities, and files of your own."""

from collections.abc import Callable, Mapping
from typing import Any

from schedlab.metalearning.tasks.assays import AssayWorld, assay_file, fsmol
from schedlab.metalearning.tasks.characters import characters
from schedlab.metalearning.tasks.images import ImageWorld, halved, image_file, omniglot
from schedlab.metalearning.tasks.noise import Noise
from schedlab.metalearning.tasks.sinusoids import Sinusoids
from schedlab.metalearning.tasks.world import World

WORLDS: dict[str, Callable[..., World]] = {
    "characters": lambda seed, side=14, **options: ImageWorld(characters(side), seed, **options),
    "omniglot": lambda seed, **options: ImageWorld(halved(omniglot()), seed, **options),
    "images": lambda seed, path, **options: ImageWorld(image_file(path), seed, **options),
    "sinusoids": Sinusoids,
    "fsmol": lambda seed, **options: AssayWorld(fsmol(), seed, **options),
    "assays": lambda seed, path, **options: AssayWorld(assay_file(path), seed, **options),
}


def make_world(world: Mapping[str, Any], seed: int) -> World:
    """Return the world that a section of ``params.yaml`` describes.

    Parameters
    ----------
    world
        ``use``, a name in :data:`WORLDS`; ``noise``, the attributes of :class:`Noise`; and the
        attributes of the world itself.
    seed
        Of everything the world draws once.

    Raises
    ------
    ValueError
        If the name is unknown, an option is, or a value is impossible.
    FileNotFoundError
        If a data set cannot be had.
    """
    options = dict(world)
    name = options.pop("use", None)
    if name not in WORLDS:
        raise ValueError(f"world: unknown {name!r}; allowed are {', '.join(WORLDS)}")
    try:
        if "noise" in options:
            options["noise"] = Noise(**options["noise"])
        return WORLDS[name](seed, **options)
    except TypeError as error:
        raise ValueError(f"world {name}: {error}") from None
