"""How many processors a process may use: control groups of both versions, as containers set them."""

from __future__ import annotations

import os
from typing import Any

import pytest

from multimlp import _processors
from multimlp._processors import processor_quota
from multimlp.backends import _threads

GROUPS = {
    "no groups": ({}, "", None),
    "version 2, unlimited": ({"cpu.max": "max 100000\n"}, "0::/\n", None),
    "version 2, a container": ({"cpu.max": "150000 100000\n"}, "0::/\n", 1.5),
    "version 2, the group around": (
        {"a/cpu.max": "100000 50000\n", "a/b/cpu.max": "max 50000\n"},
        "0::/a/b\n",
        2.0,
    ),
    "version 2, the strictest": (
        {"a/cpu.max": "100000 50000\n", "a/b/cpu.max": "25000 50000\n"},
        "0::/a/b\n",
        0.5,
    ),
    "version 1": (
        {"cpu,cpuacct/d/cpu.cfs_quota_us": "300000\n", "cpu,cpuacct/d/cpu.cfs_period_us": "100000\n"},
        "3:cpu,cpuacct:/d\n1:memory:/d\n",
        3.0,
    ),
    "version 1, unlimited": (
        {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
        "3:cpu,cpuacct:/\n",
        None,
    ),
    "version 1, mounted as the root of a container": (
        {"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"},
        "3:cpu,cpuacct:/docker/0123\n",
        0.5,
    ),
    "both versions": (
        {
            "unified/cpu.max": "200000 100000\n",
            "cpu/cpu.cfs_quota_us": "-1\n",
            "cpu/cpu.cfs_period_us": "1\n",
        },
        "0::/\n2:cpu:/\n",
        2.0,
    ),
    "of no use": ({"cpu.max": "\n", "a/cpu.max": "1 2 3\n", "b/cpu.max": "x y\n"}, "0::/a\n0::/b\n", None),
}


@pytest.mark.parametrize("case", GROUPS)
def test_the_quota_of_a_container_is_read(case: str, tmp_path: Any) -> None:
    files, listed, expected = GROUPS[case]
    groups = tmp_path / "cgroup"
    groups.write_text(listed)
    for name, text in files.items():
        path = tmp_path / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert processor_quota(str(groups), str(tmp_path / "fs")) == expected


@pytest.mark.parametrize(
    ("quota", "count", "large"), [(None, 4, None), (0.3, 1, 1), (1.5, 2, 2), (9.0, 4, 4)]
)
def test_a_quota_bounds_the_number_of_threads(
    quota: float | None, count: int, large: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(_processors, "quota", lambda: quota)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert _threads.threads_available() == count
    assert _threads.threads_for(100, all_from=50) == large
    assert _threads.threads_for(10, all_from=50) == 1


@pytest.mark.parametrize(("said", "count"), [("1", 1), ("3,2", 3), ("16", 4), ("0", 1), ("many", 4), ("", 4)])
def test_a_launcher_may_ask_for_fewer_threads(said: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_processors, "processors", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert _threads.threads_available() == count
