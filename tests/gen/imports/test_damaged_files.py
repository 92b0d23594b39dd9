"""Files of every foreign kind with a bit flipped or an end missing are read or refused in one line."""

from pathlib import Path

import numpy as np
import pytest

from gen.imports.opening import open_source
from golden.errors import TritweaveError

ONNX = Path(__file__).parents[2] / "data" / "onnx" / "qonnx.onnx"
TRITS = np.random.default_rng(16).integers(-1, 2, (4, 6)).astype(np.int8)


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "compressed.npz", "x.onnx"])
def test_damage_is_read_or_refused_in_one_line(tmp_path, name):
    path = tmp_path / name
    if path.suffix == ".npy":
        np.save(path, TRITS)
    elif path.suffix == ".onnx":
        path.write_bytes(ONNX.read_bytes())
    else:
        (np.savez if name == "x.npz" else np.savez_compressed)(path, fc=TRITS, scale=np.ones(4))
    whole, random = path.read_bytes(), np.random.default_rng(17)
    refused: list[str] = []
    for round_ in range(150):
        content = bytearray(whole)
        place = int(random.integers(len(whole)))
        content[place] ^= 1 << int(random.integers(8))
        path.write_bytes(bytes(content[:place] if round_ % 5 == 0 else content))
        try:
            source = open_source(path)
            names = source.select(["*"])
            source.prepare(names)
            for layer in names:
                source.read(layer)
        except TritweaveError as error:
            refused.append(str(error))
    assert len(refused) > 30
    assert not [message for message in refused if "\n" in message]
