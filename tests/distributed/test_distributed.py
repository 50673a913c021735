"""`tinygrad_hw.distributed` on 2 and 4 ranks: results, errors, deaths."""

import json
import os
import subprocess
import sys

import pytest

import tinygrad_hw as torch
from tests.distributed.battery import CHECKS
from tests.distributed.ranks import ROOT, missing, run_ranks
from tinygrad_hw import distributed as dist

needs_mpi = pytest.mark.skipif(bool(missing), reason=f"{missing} not found: pip install .[distributed]")
pytestmark = pytest.mark.long


@needs_mpi
@pytest.mark.parametrize("ranks", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_battery(ranks, tmp_path):
    """All checks of `battery` in one start of the ranks, which takes longer than the checks."""
    path = tmp_path / "report.json"
    done = run_ranks(ranks, "-m", "tests.distributed.battery", path)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(path.read_text())
    assert set(report) == set(CHECKS)
    failed = {name: text for name, text in report.items() if text}
    assert not failed, "\n".join(failed.values())


@needs_mpi
def test_an_error_in_one_rank_ends_all():
    done = run_ranks(2, "-m", "tests.distributed.programs", "error_in_one_rank", timeout=60)
    assert done.returncode != 0
    assert "a fault of rank 1 alone" in done.stderr
    assert "rank 1 of 2 failed (ValueError); all ranks are ended" in done.stderr


@pytest.mark.slow
@needs_mpi
def test_a_killed_rank_ends_all_and_what_was_saved_stays(tmp_path):
    path = tmp_path / "weights.safetensors"
    done = run_ranks(2, "-m", "tests.distributed.programs", "killed_rank", path, timeout=60)
    assert done.returncode != 0
    assert "rank 0 of 2 is told to end (SIGTERM), perhaps because another rank has died" in done.stderr
    assert set(torch.load(path)) == {"weight", "bias"}


@pytest.mark.slow
@needs_mpi
def test_ranks_share_the_cores():
    done = run_ranks(2, "-m", "tests.distributed.programs", "shares_of_the_cores", TINYGRAD_HW_NUM_THREADS="")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert done.stdout.split() == ["threads", str(max(1, cores // 2))] * 2, done.stderr


def python(code: str, **environment) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, check=False)


def test_without_mpi4py_the_error_says_what_to_install():
    done = python("import sys; sys.modules['mpi4py'] = None\n"
                  "from tinygrad_hw import distributed as dist\n"
                  "assert not dist.is_available()\n"
                  "dist.init_process_group()")
    assert done.returncode == 1
    assert 'pip install "tinygrad_hw[distributed]"' in done.stderr


@needs_mpi
def test_torchrun_in_place_of_mpirun_is_recognised():
    done = python("from tinygrad_hw import distributed as dist; dist.init_process_group('gloo')",
                  WORLD_SIZE="4")
    assert "start the program with mpirun -n 4 python program.py in place of torchrun" in done.stderr


@needs_mpi
def test_one_process_alone():
    done = python("import tinygrad_hw as torch\n"
                  "from tinygrad_hw import distributed as dist\n"
                  "dist.init_process_group()\n"
                  "net = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1))\n"
                  "net(torch.ones(1, 2)).sum().backward()\n"
                  "print(net.module.weight.grad.tolist(), dist.get_world_size())")
    assert done.stdout == "[[1.0, 1.0]] 1\n", done.stderr


def test_functions_before_init_and_wrong_backends_are_refused():
    with pytest.raises(ValueError, match="Default process group has not been initialized"):
        dist.all_reduce(torch.ones(1))
    with pytest.raises(ValueError, match="Default process group has not been initialized"):
        torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(1, 1))
    with pytest.raises(RuntimeError, match="the backend is 'mpi', not 'nccl'"):
        dist.init_process_group("nccl")


def test_samplers_repeat_or_leave_out():
    from tinygrad_hw.utils.data import DistributedSampler

    shares = [list(DistributedSampler(range(10), 4, rank)) for rank in range(4)]
    assert [len(share) for share in shares] == [3] * 4
    assert set(sum(shares, [])) == set(range(10))
    shares = [list(DistributedSampler(range(10), 4, rank, drop_last=True)) for rank in range(4)]
    assert [len(share) for share in shares] == [2] * 4
    assert len(set(sum(shares, []))) == 8
    with pytest.raises(ValueError, match="Invalid rank 4"):
        DistributedSampler(range(10), 4, 4)
