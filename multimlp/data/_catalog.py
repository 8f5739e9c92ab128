"""Data sets by name."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from multimlp._naming import Table
from multimlp.data._compact import compact
from multimlp.data._dataset import Dataset
from multimlp.data._images import load_images
from multimlp.errors import InputError, missing_dependency
from multimlp.errors.checks import check_path

Loader = Callable[[str | os.PathLike[str] | None], Dataset]
_TABLE: Table[Loader] = Table("data set")


def load(name: str, folder: str | os.PathLike[str] | None = None) -> Dataset:
    """A data set by name.

    Parameters
    ----------
    name : str
        ``"digits"``, ``"iris"``, ``"wine"``, ``"breast_cancer"``, ``"diabetes"`` (bundled with scikit-learn),
        ``"mnist"`` or ``"fashion_mnist"`` (70 000 images; pixels in [0, 1]; the last 10 000 rows are the
        test part). Hyphens do as well.
    folder : path, optional
        Where the four files of MNIST or Fashion-MNIST are, as they are distributed, packed (.gz) or not.
        Default: the environment variable MULTIMLP_DATA, else ~/.cache/multimlp, to which they are downloaded;
        what is downloaded must have the published checksum.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        If no data set has that name.
    DataError
        If the files are missing and cannot be downloaded, or are damaged.
    MissingDependencyError
        If scikit-learn is missing for a set that it bundles.

    Examples
    --------
    >>> from multimlp import data
    >>> data.load("digits")
    <Dataset 'digits: 8x8 images of handwritten digits': 1797 rows, 64 features, 10 classes>
    """
    loader = _TABLE.find(name)
    return loader(None if folder is None else check_path("folder", folder, "folder"))


def names() -> tuple[str, ...]:
    """The data sets that `load` knows.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from multimlp import data
    >>> data.names()[:3]
    ('digits', 'iris', 'wine')
    """
    return _TABLE.names()


def is_name(name: str) -> bool:
    """Whether `load` knows the name.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool

    Examples
    --------
    >>> from multimlp import data
    >>> data.is_name("fashion-mnist"), data.is_name("people.csv")
    (True, False)
    """
    try:
        _TABLE.find(name)
    except InputError:
        return False
    return True


def _bundled(name: str, description: str, task: str, image_shape: tuple[int, int] | None = None) -> None:
    def loader(folder: str | os.PathLike[str] | None) -> Dataset:
        try:
            from sklearn import datasets
        except ImportError:
            raise missing_dependency("scikit-learn", f"the data set {name!r}", "data") from None
        bunch = getattr(datasets, f"load_{name}")()
        classes = tuple(label.item() for label in bunch.target_names) if task == "classification" else None
        return Dataset(
            X=compact(bunch.data),
            y=compact(bunch.target) if classes is None else bunch.target.astype(np.int64),
            feature_names=tuple(map(str, bunch.feature_names)),
            classes=classes,
            task=task,
            description=f"{name}: {description}",
            image_shape=image_shape,
        )

    _TABLE.add(name, loader)


_bundled("digits", "8x8 images of handwritten digits", "classification", (8, 8))
_bundled("iris", "measurements of iris flowers of three species", "classification")
_bundled("wine", "chemical analysis of wines of three cultivars", "classification")
_bundled("breast_cancer", "measurements of cell nuclei, malignant or benign", "classification")
_bundled("diabetes", "progression of diabetes one year after", "regression")
_TABLE.add("mnist", lambda folder: load_images("mnist", folder))
_TABLE.add("fashion_mnist", lambda folder: load_images("fashion_mnist", folder))
