import pytest
import torch

from schedlab.lab.files import read_tensors, write_tensors

TENSORS = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.zeros(2, dtype=torch.float16)}
ABOUT = {f"option {number}": [number] for number in range(8)}


def test_equal_tensors_and_words_are_equal_bytes_and_come_back(tmp_path):
    reordered = {name: ABOUT[name] for name in reversed(ABOUT)}
    files = [
        write_tensors(tmp_path / f"{number}.safetensors", TENSORS, about)
        for number, about in enumerate([ABOUT, ABOUT, reordered, ABOUT])
    ]
    assert len({file.read_bytes() for file in files}) == 1
    tensors, about = read_tensors(files[0])
    assert about == ABOUT
    assert all(torch.equal(tensors[name], value) for name, value in TENSORS.items())


def test_what_is_no_safetensors_file_is_refused(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ValueError, match=r"a\.safetensors: no safetensors file"):
        read_tensors(tmp_path / "a.safetensors")
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "none.safetensors")
