import os
import pickle
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file

from latentwalk.training import tensor_file
from latentwalk.training.tensor_file import WeightsError
from problemset import file_io

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2])}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "x.safetensors"
    tensor_file.write(path, TENSORS, {"name": 'é\n"quoted"', "seed": 7})
    return path


def refusal(path):
    with pytest.raises(WeightsError) as got:
        tensor_file.read(path)
    assert "\n" not in str(got.value)
    assert str(path) in str(got.value)
    return got.value


def test_round_trip(file):
    tensors, content = tensor_file.read(file)
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    assert content["name"] == 'é\n"quoted"'
    assert content["seed"] == 7
    assert content["tensor_digest"] == tensor_file.tensor_digest(TENSORS)


def test_other_programs_can_read_the_tensors(file):
    assert torch.equal(load_file(file)["a.weight"], TENSORS["a.weight"])


def test_others_may_read_the_file_as_any_other(file):
    file.with_name("plain").touch()
    assert file.stat().st_mode == file.with_name("plain").stat().st_mode


def test_what_was_read_does_not_hang_on_the_file(file):
    tensors, _ = tensor_file.read(file)
    file.write_bytes(b"")  # a mapped tensor would now kill the process when it is used
    assert torch.equal(tensors["a.weight"], TENSORS["a.weight"])


def test_digest_depends_on_names_types_shapes_and_bytes():
    base = {"a": torch.zeros(4)}
    others = [
        {"b": torch.zeros(4)},
        {"a": torch.zeros(4, dtype=torch.int32)},
        {"a": torch.zeros(2, 2)},
        {"a": torch.tensor([0.0, 0.0, 0.0, -0.0])},
        {"a": torch.zeros(4), "b": torch.zeros(0)},
    ]
    digests = {tensor_file.tensor_digest(tensors) for tensors in [base, *others]}
    assert len(digests) == 6


def test_digest_does_not_depend_on_memory_layout():
    image = torch.rand(2, 3, 4, 4)
    turned = image.to(memory_format=torch.channels_last)
    assert tensor_file.tensor_digest({"a": turned}) == tensor_file.tensor_digest({"a": image})


def test_tensors_may_share_memory_or_be_empty(tmp_path):
    row = torch.arange(10.0)
    tensors = {"a": row, "b": row, "c": row[2:5], "d": row[::2], "e": torch.zeros(0), "f": row[0]}
    tensor_file.write(tmp_path / "x", tensors, {})
    back, _ = tensor_file.read(tmp_path / "x")
    assert all(torch.equal(back[name], tensors[name]) for name in tensors)
    tensor_file.write(tmp_path / "x", {}, {"nothing": None})
    assert tensor_file.read(tmp_path / "x")[0] == {}


def test_one_changed_bit_is_found_at_every_byte(file):
    intact = file.read_bytes()
    for offset in range(len(intact)):
        damaged = bytearray(intact)
        damaged[offset] ^= 1 << offset % 8
        file.write_bytes(damaged)
        with pytest.raises(WeightsError):
            tensor_file.read(file)
    assert len(intact) > 300


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.01, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_refused(file, kept):
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * kept)])
    assert refusal(file).problem == "damaged"
    assert "cut short" in str(refusal(file))


def test_a_longer_file_is_refused(file):
    file.write_bytes(file.read_bytes() + b"\0")
    assert refusal(file).problem == "damaged"


class Bomb:
    """A pickle that leaves a mark when it is loaded."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_is_refused_unread(file, tmp_path, protocol):
    file.write_bytes(pickle.dumps(Bomb(tmp_path / "mark"), protocol))
    assert "a pickle" in str(refusal(file))
    assert "refused unread" in str(refusal(file))
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_saves_is_refused_unread(file, zipped):
    torch.save(TENSORS, file, _use_new_zipfile_serialization=zipped)
    assert "refused unread" in str(refusal(file))


@pytest.mark.parametrize("content", [b"(dp0\n.", b"<html>not found</html>", bytes(100), b"{}" * 20])
def test_other_files_are_refused(file, content):
    file.write_bytes(content)
    assert refusal(file).problem == "damaged"


def test_a_header_that_asks_for_too_much_is_refused(file):
    file.write_bytes(struct.pack("<Q", 1 << 62) + b"{" + bytes(100))
    assert refusal(file).problem == "damaged"


def test_safetensors_of_another_program_are_refused(file):
    save_file(TENSORS, file)
    assert "not written by latentwalk" in str(refusal(file))
    save_file(TENSORS, file, metadata={"format": "pt"})
    assert "not written by latentwalk" in str(refusal(file))


def test_tensors_exchanged_under_a_valid_header_are_refused(file):
    _, content = tensor_file.read(file)
    other = file.with_name("other")
    tensor_file.write(other, {name: tensor + 1 for name, tensor in TENSORS.items()}, content)
    start = file.read_bytes()[: -other.stat().st_size]
    length = 8 + struct.unpack("<Q", file.read_bytes()[:8])[0]
    file.write_bytes(start + file.read_bytes()[:length] + other.read_bytes()[length:])
    assert "tensors does not match" in str(refusal(file))


def test_missing_folder_pipe_and_permission(file, tmp_path, monkeypatch):
    assert refusal(tmp_path / "none").problem == "missing"
    assert "not a regular file" in str(refusal(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in str(refusal(tmp_path / "pipe"))

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(tensor_file.Path, "open", refuse)
    assert "cannot be read: Permission denied" in str(refusal(file))


def test_a_write_that_fails_keeps_the_old_file(file, monkeypatch):
    before = file.read_bytes()

    def full(*args, **kwargs):
        raise tensor_file.SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(tensor_file, "save_file", full)
    with pytest.raises(file_io.WriteError, match="No space left"):
        tensor_file.write(file, {}, {})
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]
