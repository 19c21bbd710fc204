"""Static vectors of texts, from the table of word vectors that wordllama's package ships."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Matrix: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]

TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
WEIGHTS = "weights/l2_supercat_256.safetensors"
MODEL = "wordllama/l2_supercat_256"
_LOADING = threading.Lock()


class VectorsUnavailable(Exception):
    """There are no vectors here; says why."""


class Vectors:
    """Makes vectors of texts: the mean of their tokens' vectors, of length 1.

    Reads the package's two files itself. Importing wordllama would set up the logging of the whole program and load an
    HTTP client, for twice the time; and nothing here may fetch anything.
    """

    def __init__(self, folder: Path) -> None:
        import numpy as np  # noqa: PLC0415 heavy, and optional
        from tokenizers import Tokenizer  # noqa: PLC0415

        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._table = _table(np.memmap(folder / WEIGHTS, mode="r", dtype=np.uint8))

    def of(self, texts: Sequence[str]) -> Matrix:
        """One row for each text; zeros for an empty one."""
        import numpy as np  # noqa: PLC0415 heavy, and optional

        rows = np.zeros((len(texts), self._table.shape[1]), dtype=np.float32)
        for row, encoded in zip(rows, self._tokenizer.encode_batch(list(texts), add_special_tokens=False), strict=True):
            if encoded.ids:
                row[:] = self._table[encoded.ids].astype(np.float32).mean(axis=0)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        rows /= np.where(lengths > 0, lengths, 1).astype(np.float32)
        return rows


def load_vectors() -> Vectors:
    """The vectors, loaded once in a process; takes about 0.2 s, so not on an event loop.

    Raises:
        VectorsUnavailable: wordllama or numpy isn't installed, or its files aren't there.
    """
    with _LOADING:
        return _loaded()


@cache
def _loaded() -> Vectors:
    found = find_spec("wordllama")
    if found is None or found.origin is None:
        raise VectorsUnavailable("wordllama is not installed")
    try:
        return Vectors(Path(found.origin).parent)
    except ImportError as error:
        raise VectorsUnavailable(f"{error.name} is not installed") from error
    except Exception as error:  # tokenizers raises plain Exception for a file that it can't read
        raise VectorsUnavailable(f"the vectors of wordllama can't be read: {error}") from error


def _table(raw: Any) -> Any:
    """The only tensor of a safetensors file, in place: a length, a header in JSON, the numbers."""
    length = int.from_bytes(bytes(raw[:8]), "little")
    header = json.loads(bytes(raw[8 : 8 + length]))["embedding.weight"]
    if header["dtype"] != "F16":
        raise ValueError(f"numbers are {header['dtype']}, not F16")
    begin, end = header["data_offsets"]
    return raw[8 + length + begin : 8 + length + end].view("<f2").reshape(header["shape"])
