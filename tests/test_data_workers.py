"""DataLoader workers: seeds, errors, and that they never hang and never stay behind."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import weakref

import numpy as np
import pytest
from data_helpers import Rows, Stream, generator, no_process_stays_behind, plain  # noqa: F401

import tinygrad_hw
from tinygrad_hw.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    TensorDataset,
    get_worker_info,
    sample_generator,
)

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore:This DataLoader will create")]


# ---- workers: seeds and information ----------------------------


class Draws(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        own = tinygrad_hw.default_generator.numpy.random()
        return [random.random(), np.random.random(), own, float(sample_generator(index).random())]


def test_worker_randomness_is_seeded_and_differs():
    def epochs(num_workers, **options):
        loader = DataLoader(Draws(), 2, generator=generator(4), num_workers=num_workers, **options)
        return [np.array(plain(loader)).transpose(0, 2, 1).reshape(8, 4) for _ in range(2)]

    two, again, kept = epochs(2), epochs(2), epochs(2, persistent_workers=True)
    np.testing.assert_array_equal(two, again)
    np.testing.assert_array_equal(two, kept)
    for epoch in two:
        assert all(len(set(epoch[:, kind])) == 8 for kind in range(4))
    assert not (two[0] == two[1]).any()
    for num_workers in (0, 1):  # sample_generator does not depend on who loads the sample
        np.testing.assert_array_equal(np.array(epochs(num_workers))[..., 3], np.array(two)[..., 3])


def test_worker_info_and_init_function():
    class Info(Dataset):
        ready = None

        def __len__(self):
            return 4

        def __getitem__(self, index):
            info = get_worker_info()
            return info.id, info.num_workers, info.seed, info.dataset is self, self.ready

    def prepare(worker_id):
        get_worker_info().dataset.ready = 10 * worker_id

    ids, counts, seeds, same, ready = zip(
        *DataLoader(Info(), None, num_workers=2, worker_init_fn=prepare)
    )
    assert ids == (0, 1, 0, 1) and counts == (2,) * 4 and all(same) and ready == (0, 10, 0, 10)
    assert seeds[1] == seeds[0] + 1
    assert get_worker_info() is None


# ---- workers: failures ----------------------------


class TwoArguments(Exception):
    def __init__(self, first, second):
        super().__init__(first, second)


@pytest.mark.parametrize("error", [ValueError("bad pixel"), KeyError("bad pixel"), OSError("bad pixel")])
def test_exception_keeps_type_index_and_traceback(error):
    def fail(index):
        if index == 3:
            raise error

    batches = iter(DataLoader(Rows(8, act=fail), 2, num_workers=2))
    assert next(batches)[1].tolist() == [0, 1]
    with pytest.raises(type(error)) as caught:
        next(batches)
    text = str(caught.value)
    assert text.startswith(f"Caught {type(error).__name__} in DataLoader worker process 1.\n")
    assert (
        "sample index 3" in text and "bad pixel" in text and "in fail\n" in text and "\n  File" in text
    )
    assert [batch[1].tolist() for batch in batches] == [[4, 5], [6, 7]]  # loading goes on


def test_exceptions_that_cannot_travel_become_runtime_errors():
    class Local(Exception):
        pass

    for error in (Local("why"), TwoArguments("why", 2)):

        def fail(index, error=error):
            raise error

        with pytest.raises(
            RuntimeError, match=f"Caught {type(error).__name__} in DataLoader worker(.|\n)*why"
        ):
            list(DataLoader(Rows(2, act=fail), num_workers=1))
    with pytest.raises(Exception, match=r"while it sent a batch(.|\n)*pickle"):
        list(DataLoader(Rows(2), num_workers=1, collate_fn=lambda samples: lambda: samples))


def test_failing_init_function_and_iterator():
    def fail(worker_id):
        raise ValueError(f"no shard for {worker_id}")

    class Broken(IterableDataset):
        def __iter__(self):
            raise LookupError("no file")

    with pytest.raises(ValueError, match="no shard for 0"):
        list(DataLoader(Rows(2), num_workers=1, worker_init_fn=fail))
    with pytest.raises(LookupError, match="no file"):
        list(DataLoader(Broken(), num_workers=1))


class Grenade:
    """Travels well and goes off on arrival."""

    def __reduce__(self):
        return int, ("not a number",)


def test_batch_that_cannot_be_unpickled():
    loader = DataLoader(
        Rows(4), num_workers=1, collate_fn=lambda samples: Grenade(), persistent_workers=True
    )
    for _ in range(2):  # the second pass starts new workers
        batches = iter(loader)
        with pytest.raises(ValueError, match="invalid literal"):
            next(batches)
        with pytest.raises(RuntimeError, match="begin a new one"):
            next(batches)


def killed(index):
    if index == 3:
        os.kill(os.getpid(), signal.SIGKILL)


def left(index):
    if index == 3:
        sys.exit(7)


@pytest.mark.parametrize(
    ("act", "text"), [(killed, "exit code -9 .killed by SIGKILL"), (left, "exit code 7")]
)
@pytest.mark.parametrize("persistent", [False, True])
def test_dead_worker_is_an_error_and_never_a_hang(act, text, persistent):
    loader = DataLoader(Rows(20, act=act), num_workers=2, persistent_workers=persistent)
    start = time.monotonic()
    batches = iter(loader)
    with pytest.raises(
        RuntimeError, match=rf"DataLoader worker 1 \(pid \d+\) exited unexpectedly with {text}"
    ):
        list(batches)
    with pytest.raises(RuntimeError, match="exited unexpectedly"):  # and it stays one
        next(batches)
    assert next(iter(loader))[1].tolist() == [0]  # a new pass starts new workers
    assert time.monotonic() - start < 5
    del loader, batches


def test_worker_killed_from_outside_between_passes():
    loader = DataLoader(Rows(4), num_workers=1, persistent_workers=True)
    assert len(list(loader)) == 4
    os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="SIGKILL"):
        list(loader)
    assert len(list(loader)) == 4
    del loader


def test_timeout():
    loader = DataLoader(Rows(2, act=lambda index: time.sleep(1)), num_workers=1, timeout=0.2)
    with pytest.raises(RuntimeError, match="DataLoader timed out after 0.2 seconds"):
        next(iter(loader))
    with pytest.raises(AssertionError, match="timeout needs num_workers > 0"):
        iter(DataLoader(Rows(2), timeout=1))


# ---- workers: their end ----------------------------


@pytest.mark.parametrize("features", [3, 200_000])
def test_dropping_a_half_read_iterator_ends_the_workers(features):
    for _ in DataLoader(Rows(50, features), num_workers=2, prefetch_factor=4):
        break
    assert multiprocessing.active_children() == []
    batches = iter(DataLoader(Rows(50, features), num_workers=2))
    next(batches)
    assert len(multiprocessing.active_children()) == 2
    gone = weakref.ref(batches)
    del batches
    assert gone() is None and multiprocessing.active_children() == []


def test_workers_end_with_an_exception_that_is_handled():
    def fail(index):
        raise ValueError(index)

    try:
        list(DataLoader(Rows(50, act=fail), num_workers=2))
    except ValueError:
        pass
    assert multiprocessing.active_children() == []  # no cycle through the traceback keeps them


def test_persistent_workers_live_as_long_as_the_loader():
    loader = DataLoader(Rows(9), num_workers=2, persistent_workers=True)
    next(iter(loader))  # left half-way: what is under way must not leak into the next pass
    pids = {process.pid for process in multiprocessing.active_children()}
    for _ in range(2):
        assert [batch[1].item() for batch in loader] == list(range(9))
        assert {process.pid for process in multiprocessing.active_children()} == pids
    del loader
    assert multiprocessing.active_children() == []


def run_script(text, **options):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    script = textwrap.dedent(text)
    return subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


SLEEPY = """
    import multiprocessing, signal, time
    from tinygrad_hw.utils.data import DataLoader, Dataset
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore Ctrl-C
    class Slow(Dataset):
        def __len__(self):
            return 1000
        def __getitem__(self, index):
            time.sleep(0.05)
            return index
    batches = iter(DataLoader(Slow(), num_workers=2))
    next(batches)
    print(*[process.pid for process in multiprocessing.active_children()], flush=True)
    for batch in batches:
        pass
"""


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks processes up in /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_workers_end_with_the_loaders_process(how):
    process = run_script(SLEEPY, start_new_session=True)
    pids = [int(pid) for pid in process.stdout.readline().split()]
    assert len(pids) == 2 and all(map(alive, pids))
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # Ctrl-C reaches the workers too
    else:
        process.send_signal(how)
    errors = process.communicate(timeout=10)[1]
    deadline = time.monotonic() + 5
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(alive, pids))
    assert errors.count("Traceback") == (how == signal.SIGINT)  # the workers keep quiet


def test_program_that_forgets_its_loader_ends():
    process = run_script(SLEEPY.replace("for batch in batches:\n        pass", "kept = [batches]"))
    output, errors = process.communicate(timeout=10)
    assert process.returncode == 0 and errors == ""


def test_spawned_workers():
    # The class must be importable in the worker, which a test module is only by chance: use ours.
    dataset = TensorDataset(tinygrad_hw.tensor([[1.0], [2.0], [3.0]]))
    loader = DataLoader(dataset, batch_size=2, num_workers=1, multiprocessing_context="spawn")
    assert loader.multiprocessing_context.get_start_method() == "spawn"
    assert plain(loader) == [[[[1.0], [2.0]]], [[[3.0]]]]


# ---- workers: beside threads ----------------------------


PARALLEL = """
    import numpy as np, threading, time
    {setup}
    from tinygrad_hw.utils.data import DataLoader
    class Work:
        def __len__(self):
            return 12
        def __getitem__(self, index):
            return np.full(50_000, index + 0 * {in_worker}, dtype=np.float32)
    for _ in range(3):
        assert work() > 0
        assert [int(b.array[0, 0]) for b in DataLoader(Work(), 2, num_workers=2)] == [0, 2, 4, 6, 8, 10]
    print("done")
"""
LAUNCH = """
    from ops.kernels.gemm import matmul
    a = np.ones((600, 600), dtype=np.float32)
    def work():
        return matmul(a, a).sum()
"""
NUMBA = """
    import numba
    @numba.njit(parallel=True)
    def work(size=1_000_000):
        total = 0.0
        for i in numba.prange(size):
            total += i
        return total
"""
BLAS = """
    a = np.ones((500, 500))
    def work():
        return (a @ a).sum()
"""
THREADS = """
    def allocate():
        while True:
            sum(len(str(i)) for i in range(1000))
    for _ in range(3):
        threading.Thread(target=allocate, daemon=True).start()
    def work():
        return 1
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setup", "in_worker"),
    [(LAUNCH, "work()"), (NUMBA, "1"), (BLAS, "work()"), (THREADS, "work()")],
    ids=["launch", "numba", "blas", "threads"],
)
def test_workers_beside_threads_of_the_parent(setup, in_worker):
    process = run_script(PARALLEL.format(setup=setup.strip(), in_worker=in_worker))
    output, errors = process.communicate(timeout=60)
    assert output == "done\n", errors
