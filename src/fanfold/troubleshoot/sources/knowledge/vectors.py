"""Vectors of texts: what makes them, and what does unless told otherwise: the word vectors of wordllama's package."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from fanfold.troubleshoot.sources.knowledge.terms import translated

if TYPE_CHECKING:
    import numpy as np

    Matrix: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]

TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
WEIGHTS = "weights/l2_supercat_256.safetensors"
MODEL = "wordllama/l2_supercat_256"
_LOADING = threading.Lock()


class VectorsUnavailable(Exception):
    """There are no vectors here; says why."""


class Embedder(Protocol):
    """Makes vectors of texts, so that texts that mean the same have similar ones.

    It is called in threads, several at once, with a question or with some hundred lines of runbooks.
    """

    @property
    def model(self) -> str:
        """Its name: vectors of another name are never compared with these, so another version needs another name."""

    def of(self, texts: Sequence[str]) -> Sequence[Sequence[float]] | Matrix:
        """One vector for each text, all of the same number of dimensions.

        Raises:
            VectorsUnavailable: there are none now; entries are then searched by words and codes alone.
        """


def vectors_of(embedder: Embedder, texts: Sequence[str]) -> Matrix:
    """The vectors of texts, each of length 1, or of zeros.

    Raises:
        VectorsUnavailable: the embedder has none, or what it gave are no vectors of these texts.
    """
    import numpy as np  # noqa: PLC0415 heavy, and optional

    try:
        rows = np.array(embedder.of(texts), dtype=np.float32)
    except VectorsUnavailable:
        raise
    except Exception as error:  # an embedder is anybody's code
        raise VectorsUnavailable(f"{embedder.model} failed: {type(error).__name__}: {error}") from error
    if rows.ndim != 2 or len(rows) != len(texts) or not rows.shape[1] or not np.isfinite(rows).all():
        raise VectorsUnavailable(f"{embedder.model} gave no vectors of {len(texts)} texts")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), dtype=np.float32)


class Vectors:
    """Makes vectors of texts: the mean of their tokens' vectors, once they are put into English.

    Reads the package's two files itself. Importing wordllama would set up the logging of the whole program and load an
    HTTP client, for twice the time; and nothing here may fetch anything.
    """

    model = MODEL

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
        english = list(map(translated, texts))
        for row, encoded in zip(rows, self._tokenizer.encode_batch(english, add_special_tokens=False), strict=True):
            if encoded.ids:
                row[:] = self._table[encoded.ids].astype(np.float32).mean(axis=0)
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
