"""MNIST and Fashion-MNIST: find the four files, or download them.

Checksums as torchvision publishes them (torchvision/datasets/mnist.py); MD5 suffices to find damage.
"""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import numpy as np

from multimlp.data._dataset import Dataset
from multimlp.data._idx import read_idx
from multimlp.errors import DataError
from multimlp.files import make_folder, replacing

TIMEOUT_S = 20.0
_MAX_DOWNLOAD = 64 * 1024 * 1024


@dataclass(frozen=True)
class _Source:
    title: str
    urls: tuple[str, ...]
    md5: dict[str, str]
    classes: tuple[str | int, ...]


_IMAGES = ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte")
_LABELS = ("train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte")

SOURCES = {
    "mnist": _Source(
        "28x28 images of handwritten digits",
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        {
            "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
        },
        tuple(range(10)),
    ),
    "fashion_mnist": _Source(
        "28x28 images of clothes",
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        {
            "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
        },
        (
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
    ),
}


def load_images(name: str, folder: str | os.PathLike[str] | None) -> Dataset:
    """The 60 000 training and 10 000 test images, flattened, pixels in [0, 1]."""
    source = SOURCES[name]
    paths = _files(name, source, folder)
    images = [read_idx(paths[file], ndim=3) for file in _IMAGES]
    labels = [read_idx(paths[file], ndim=1) for file in _LABELS]
    for pictures, numbers, file in zip(images, labels, _IMAGES, strict=True):
        if len(pictures) != len(numbers) or not len(pictures):
            raise DataError(
                f"{str(paths[file])!r} has {len(pictures)} images, and there are {len(numbers)} labels"
            )
    if images[0].shape[1:] != images[1].shape[1:]:
        raise DataError(
            f"{name}: training images are {images[0].shape[1:]}, test images {images[1].shape[1:]}; "
            "the files do not belong together"
        )
    y = np.concatenate(labels).astype(np.int64)
    if y.max() >= len(source.classes):
        raise DataError(f"{name}: there is a label {y.max()}, expected 0 to {len(source.classes) - 1}")
    height, width = images[0].shape[1:]
    X = np.concatenate(images).reshape(len(y), -1).astype(np.float32)
    X /= np.float32(255)
    return Dataset(
        X=X,
        y=y,
        feature_names=tuple(f"pixel_{i}_{j}" for i in range(height) for j in range(width)),
        classes=source.classes,
        task="classification",
        description=f"{name}: {source.title}",
        image_shape=(height, width),
        held_out=len(labels[1]),
    )


def _files(name: str, source: _Source, folder: str | os.PathLike[str] | None) -> dict[str, Path]:
    """Where the files are; they are downloaded only to the cache, never to a folder that somebody named."""
    named = folder or os.environ.get("MULTIMLP_DATA")
    places = (
        [Path(named), Path(named) / name, Path(named) / name.replace("_", "-")]
        if named
        else [_cache() / name]
    )
    found = {}
    for file in source.md5:
        candidates = [place / spelled for place in places for spelled in (file, f"{file}.gz")]
        present = next((path for path in candidates if path.is_file()), None)
        if present is None and named:
            whose = "" if folder else " (environment variable MULTIMLP_DATA)"
            raise DataError(f"{name}: {file}.gz is not in {str(named)!r}{whose}; {_advice(source)}")
        found[file] = present or _download(source, file, places[0] / f"{file}.gz")
    return found


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "multimlp"


def _advice(source: _Source) -> str:
    files = ", ".join(f"{file}.gz" for file in source.md5)
    where = "name their folder with folder= (--folder) or MULTIMLP_DATA"
    return f"download {files} from {source.urls[0]} and {where}"


def _download(source: _Source, file: str, target: Path) -> Path:
    problems = []
    for url in source.urls:
        try:
            content = _fetch(f"{url}{file}.gz")
        except (OSError, HTTPException, ValueError) as error:
            problems.append(f"{url}: {getattr(error, 'reason', None) or error}")
            continue
        if hashlib.md5(content, usedforsecurity=False).hexdigest() == source.md5[file]:
            make_folder(target.parent)
            with replacing(target) as beside:
                beside.write_bytes(content)
            return target
        problems.append(f"{url}: what came is not the file that is expected (checksum)")
    raise DataError(f"cannot download {file}.gz ({'; '.join(problems)}); {_advice(source)}")


def _fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
        content: bytes = answer.read(_MAX_DOWNLOAD + 1)
    if len(content) > _MAX_DOWNLOAD:
        raise ValueError(f"more than {_MAX_DOWNLOAD} bytes came")
    return content
