"""List the backends: what is installed, in which version, on which devices, and what it can do.

example:
  multimlp backends
  multimlp backends --backend jax --json
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

from multimlp._terminal import print_table
from multimlp.backend import available_backends, canonical_name, select
from multimlp.cli.common import add_common, note, print_json
from multimlp.errors import DeviceError

COLUMNS = ("backend", "version", "devices", "grad", "vmap", "epoch", "dtypes")
BITS = {"float64": "f64", "float32": "f32", "bfloat16": "bf16", "float16": "f16"}
"""Short names, so that a row fits in 80 columns; ``--json`` has the full ones."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common(parser, "show only this one; fails if it is not installed, or lacks --device or --dtype")


def run(args: argparse.Namespace) -> int:
    found = available_backends()
    if args.backend is not None:
        name = canonical_name(args.backend)
        select(name, args.device, args.dtype)
        found = {name: found[name]}
    described = [info.as_dict() for info in found.values()]
    if args.backend is None:
        described = [one for one in described if _offers(one, args.device, args.dtype)]
        if not described:
            asked = [
                f"{option} {value!r}"
                for option, value in (("--device", args.device), ("--dtype", args.dtype))
                if value
            ]
            raise DeviceError(
                f"no installed backend has {' and '.join(asked)}; multimlp backends shows what each has"
            )
    if args.json:
        print_json({"backends": described})
        return 0
    print_table(COLUMNS, [_row(one) for one in described])
    compiled = [(one["name"], _compilers(one)) for one in described if _compilers(one)]
    if compiled:
        print()
        print_table(("backend", "compilers of jit"), compiled)
    absent = [one for one in described if not one["installed"]]
    if absent:
        print()
        print("not installed; to have one, run its line:")
    for one in absent:
        print(f"  {one['install']}")
    for one in described:
        if one["problem"]:
            note(f"{one['name']} is installed and cannot be used: {one['problem']}")
    return 0


def _offers(one: dict[str, Any], device: str | None, dtype: str | None) -> bool:
    """Whether a backend has what was asked for; everything is shown when nothing was."""
    kinds = {place.partition(":")[0] for place in one["devices"]} | set(one["devices"])
    accelerated = bool(kinds - {"cpu"}) and device == "gpu"
    capabilities = one["capabilities"] or {"dtypes": ()}
    return (device is None or accelerated or device in kinds) and (
        dtype is None or dtype in capabilities["dtypes"]
    )


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    capabilities = one["capabilities"]
    if not one["installed"]:
        return (one["name"], "missing", *[None] * 5)
    if capabilities is None:
        return (one["name"], "broken", *[None] * 5)
    return (
        one["name"],
        one["version"],
        _places(one["devices"]),
        capabilities["autodiff"],
        capabilities["vmap"],
        capabilities["epoch"],
        " ".join(BITS.get(dtype, dtype) for dtype in capabilities["dtypes"]),
    )


def _places(devices: list[str]) -> str:
    """The kinds of devices, and how many there are of each: ``"cpu cuda x4"``."""
    counts = Counter(place.partition(":")[0] for place in devices)
    return " ".join(kind if count == 1 else f"{kind} x{count}" for kind, count in counts.items())


def _compilers(one: dict[str, Any]) -> str:
    return " ".join(one["capabilities"]["compilers"]) if one["capabilities"] else ""
