"""Training that was killed or interrupted goes on with the same bits; longer: ``python -m tests.kill``."""

import contextlib
import json
import os
import resource
import signal
import tempfile

import numpy as np
import pytest
import scipy.io

import tinygrad_hw as thw
from nets import characters
from nets.__main__ import main
from nets.checkpoint import Checkpoints
from nets.culprit import first_nonfinite
from nets.progress import Progress
from nets.runs import Conduct, Run, read_config
from nets.train import fit
from tests.kill import campaign, digest, outcome, train
from tests.picture_folders import write_pictures
from tinygrad_hw import nn, optim
from tinygrad_hw.utils.data import DataLoader, TensorDataset

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")


class Stopper:
    """Sends this process a signal in a step of the training."""

    def __init__(self, step, number=signal.SIGTERM):
        self.left, self.number = step, number

    def __call__(self):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(self.number)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a training leaves that ran through."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(folder)
    return outcome(folder)


class TestSameBits:
    def test_killed_again_and_again(self, tmp_path):
        counts = campaign(3, seed=5, folder=tmp_path, tell=lambda counts: None)
        assert counts["kills"] == 3 and counts["trainings"] >= 1

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    @pytest.mark.parametrize("step", [1, 8, 13])  # first, last of an epoch, within one
    def test_interrupted(self, tmp_path, whole, number, step, capsys):
        before = signal.getsignal(signal.SIGINT)
        results = train(tmp_path / "run", tell=Stopper(step, number))
        assert results["interrupted"] and results["steps"] == step
        assert f"interrupted by {number.name} after step {step}" in capsys.readouterr().out
        assert signal.getsignal(signal.SIGINT) is before
        assert not train(tmp_path / "run", workers=2)["interrupted"]
        assert outcome(tmp_path / "run") == whole

    @pytest.mark.parametrize("threads, workers", [(1, 1), (2, 0), (2, 2), (3, 3)])
    def test_any_number_of_threads_and_workers(self, tmp_path, whole, threads, workers):
        before = thw.get_num_threads()
        thw.set_num_threads(threads)
        try:
            train(tmp_path / "run", workers)
        finally:
            thw.set_num_threads(before)
        assert outcome(tmp_path / "run") == whole

    def test_a_damaged_checkpoint_is_passed_over(self, tmp_path, whole, capsys):
        train(tmp_path / "run", tell=Stopper(13))
        states = sorted((tmp_path / "run/state").glob("step-*"))
        for path, cut in ((states[-1], 100), (states[-2], 5000)):
            path.write_bytes(path.read_bytes()[:-cut])
        train(tmp_path / "run")
        shown = capsys.readouterr().out
        assert shown.count("taking the checkpoint before it") == 2 and states[-1].name in shown
        assert outcome(tmp_path / "run") == whole

    def test_nothing_whole_is_an_error(self, tmp_path):
        train(tmp_path / "run", tell=Stopper(4))
        for path in (tmp_path / "run/state").glob("step-*"):
            path.write_bytes(b"")
        with pytest.raises(ValueError, match="none of the 2 checkpoints in .* is whole; begin anew"):
            train(tmp_path / "run")

    def test_losses_that_were_changed_are_an_error(self, tmp_path):
        train(tmp_path / "run", tell=Stopper(4))
        (tmp_path / "run/losses.csv").write_text("")
        with pytest.raises(ValueError, match="losses.csv has 0 bytes, but had"):
            train(tmp_path / "run")


def test_what_stays_in_the_folder(tmp_path):
    train(tmp_path / "run")
    index = json.loads((tmp_path / "run/state/index.json").read_text())
    states = {path.name for path in (tmp_path / "run/state").glob("step-*")}
    assert index["latest"] == "step-00000024.safetensors" and set(index.values()) <= states
    assert 3 <= len(states) <= 4  # the last three, and the best
    best = Checkpoints(tmp_path / "run/state").best()
    key = "validation_accuracy"
    assert best["history"][-1][key] == max(row[key] for row in
                                           Checkpoints(tmp_path / "run/state").newest()["history"])
    lines = (tmp_path / "run/losses.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in lines[1:]] == [str(step) for step in range(1, 25)]
    assert best["run"]["environment"]["packages"]["numpy"] == np.__version__


# ------------------------------------------------------------------ the systems


@pytest.fixture(scope="module")
def character_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("characters")
    splits = characters.load()
    for split, name in ((splits.train, "train"), (splits.validation, "valid")):
        rows = np.concatenate([np.flatnonzero(split.labels == c)[:1] for c in range(36)])
        data = split.images[rows, 0].transpose(0, 2, 1).reshape(36, -1).astype(np.float64)
        scipy.io.savemat(folder / f"few_{name}.mat",
                         {f"{name}_data": data, f"{name}_labels": np.eye(36)[split.labels[rows]]})
    return folder


@pytest.fixture(scope="module")
def picture_files(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("dogs"), {"dhole": (9, 3), "dingo": (9, 3)}, side=40)


def weights(folder):
    return {str(path.relative_to(folder)): digest({
        key: value for key, value in thw.load(path).items() if key != "facts"})
        for path in sorted(folder.rglob("*.safetensors")) if not path.parent.name.endswith("state")}


def rows(folder):
    return [json.loads(path.read_text())["history"] for path in sorted(folder.rglob("metrics.json"))]


@pytest.mark.slow
@pytest.mark.parametrize("name, stops", [
    ("dogs-cnn", (2, 9)), ("imbalance", (3, 14)), ("nist36-deep", (4,)),
    ("nist36-autoencoder-momentum", (7,))])
def test_systems_go_on(name, stops, picture_files, character_files, tmp_path, monkeypatch, capsys):
    """Interrupted in the first and in the second network, begun again, and the files are those of one run."""
    data = character_files if name.startswith("nist36") else picture_files
    command = ["run", name, "--epochs", "2", "--batch-size", "4", "--quiet"]
    first = [*command, "--data", str(data)]
    assert main([*first, "--out", str(tmp_path / "whole"), "--debug"]) == 0
    progress, done = Progress, Progress.done
    for number, stop in enumerate(stops):
        out = tmp_path / f"part-{number}"
        stopper = Stopper(stop)

        def stopping(self, *arguments, stopper=stopper):
            done(self, *arguments)
            stopper()

        monkeypatch.setattr(progress, "done", stopping)
        assert main([*first, "--out", str(out), "--checkpoint-every", "2"]) == 143
        shown = capsys.readouterr()
        assert f"go on with: python -m nets run {name} --resume {out}" in shown.err
        monkeypatch.undo()
        assert main(["run", name, "--quiet", "--resume", str(out), "--debug"]) == 0
        assert rows(out) == rows(tmp_path / "whole")
        assert weights(out) == weights(tmp_path / "whole")


class TestOtherRuns:
    def start(self, picture_files, out):
        assert main(["run", "dogs-cnn", "--data", str(picture_files), "--epochs", "1", "--quiet", "--out",
                     str(out)]) == 0

    def test_refused(self, picture_files, tmp_path, capsys):
        out = tmp_path / "run"
        self.start(picture_files, out)
        for more, text in ((["--seed", "1"], "another run (seed 0 there, 1 here); give the same settings"),
                           (["--out", str(tmp_path / "x")], "goes on in the folder of that run")):
            assert main(["run", "dogs-cnn", "--resume", str(out), *more]) == 1
            assert text in capsys.readouterr().err
        assert main(["run", "imbalance", "--resume", str(out)]) == 1
        assert "holds a run of dogs-cnn; name that system" in capsys.readouterr().err
        assert main(["run", "imbalance", "--resume", str(tmp_path)]) == 1
        assert "imbalance takes no --resume FILE; give the folder of a run" in capsys.readouterr().err
        (out / "config.json").write_text("{}")
        assert main(["run", "dogs-cnn", "--resume", str(out)]) == 1
        assert "config.json is damaged (KeyError: 'name'); put back a copy" in capsys.readouterr().err

    @pytest.mark.slow
    def test_more_epochs(self, picture_files, tmp_path):
        self.start(picture_files, tmp_path / "run")
        assert main(["run", "dogs-cnn", "--resume", str(tmp_path / "run"), "--epochs", "2", "--quiet"]) == 0
        assert [row["epoch"] for row in rows(tmp_path / "run")[0]] == [1, 2]

    def test_another_environment_is_told(self, tmp_path):
        run = Run("demo", {}, tmp_path / "run")
        facts = read_config(run.folder)
        facts["environment"]["packages"]["numba"] = "0.1"
        (run.folder / "config.json").write_text(json.dumps(facts))
        with pytest.warns(UserWarning, match="begun with other packages: it goes on, but its last bits may"):
            Run("demo", {}, run.folder, Conduct(resume=True))

    def test_a_schedule_of_another_length(self, tmp_path):
        train(tmp_path / "run", tell=Stopper(3))
        state = Checkpoints(tmp_path / "run/state").newest()
        net = nn.Linear(1, 1)
        optimizer = optim.SGD(net.parameters(), 0.1)
        schedule = optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=7)
        progress = Progress(net, optimizer, [], [schedule, schedule])
        with pytest.raises(ValueError, match="schedule of the checkpoint covers 24 steps, that of .* 7;"):
            progress.load_state_dict(state["progress"])


# ------------------------------------------------------------------ NaN and infinity


def data_of(values):
    return DataLoader(TensorDataset(thw.tensor(values).reshape(-1, 1), thw.zeros(len(values), 1)), 2)


def learn(run, net, loader, lr=0.1):
    def loss(net, batch):
        return (net(batch[0]) - batch[1]).square().mean()

    return fit(net, optim.SGD(net.parameters(), lr), loss, loader, lambda net: {"validation_x": 0.0},
               epochs=1, run=run, figure="x", quiet=True)


class Root(nn.Module):
    def forward(self, x):
        return thw.sqrt(x)


class TestNonfinite:
    @pytest.mark.parametrize("net, values, lr, text", [
        (nn.Linear(1, 1), [1.0, 2.0, 3.0, thw.nan], 0.1, r"epoch 1, step 2: the input batch\[0\] holds nan"),
        (nn.Sequential(nn.Linear(1, 1), Root()), [1e3, -1e3], 0.1,
         r"the output of layer 1 \(Root\) holds nan .* its last op is sqrt; check what the layer"),
        (nn.Linear(1, 1), [1e3] * 100, 1e36, r"the parameter weight holds .*lower the learning rate"),
        (nn.Linear(1, 1), [1e3] * 100, 1e30, r"the Linear holds -?inf .* parameters reach .*e\+3.* lower"),
    ])
    def test_the_culprit_is_named(self, net, values, lr, text, tmp_path):
        for parameter in net.parameters():
            nn.init.constant_(parameter, 0.5)
        with pytest.raises(FloatingPointError, match=text):
            learn(Run("demo", {}, tmp_path / "run"), net, data_of(values), lr)

    def test_a_loss_function(self):
        def loss(net, x):
            return thw.log(net(x) - net(x)).sum()

        text = first_nonfinite(nn.Linear(1, 1), loss, thw.ones(1, 1), -np.inf)
        assert "finite; the loss function makes -inf of them; its last op is sum" in text

    def test_spoiled_weights_are_not_stored(self, tmp_path):
        net = nn.Linear(1, 1)
        with pytest.raises(FloatingPointError, match="after step 1 the parameter weight holds|loss became"):
            learn(Run("demo", {}, tmp_path / "run"), net, data_of([1e30, 1e30]), 1e30)
        assert not list(tmp_path.rglob("step-*"))

    def test_allowed(self, tmp_path):
        run = Run("demo", {}, tmp_path / "run", Conduct(stop_at_nonfinite=False))
        assert learn(run, nn.Linear(1, 1), data_of([1.0, thw.nan, 1.0]))["steps"] == 2
        assert (tmp_path / "run/losses.csv").read_text().count("nan") == 2


# ------------------------------------------------------------------ folders and disks


def test_a_full_disk_while_training(tmp_path, monkeypatch, whole):
    """The error says what to do; what was stored before goes on with the same bits."""
    real, calls = os.fsync, []

    def full_later(descriptor):
        calls.append(descriptor)
        if len(calls) > 30:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full_later)
    with pytest.raises(OSError, match="No space left on device"):
        train(tmp_path / "run")
    monkeypatch.undo()
    train(tmp_path / "run")
    assert outcome(tmp_path / "run") == whole


def test_a_limit_on_files_while_training(tmp_path, whole):
    """The system's own error, from the first state on; with room again it goes on with the same bits."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
    try:
        with pytest.raises(OSError, match=r"cannot write .*: File too large; nothing at the path was"):
            train(tmp_path / "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.rglob("*.tmp"))
    train(tmp_path / "run")
    assert outcome(tmp_path / "run") == whole


def test_an_unwritable_folder():
    """A folder that may only be read; root becomes somebody else for the time of the test."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        os.chmod(folder, 0o555)
        if os.geteuid() == 0:
            os.seteuid(65534)
            stack.callback(os.seteuid, 0)
        with pytest.raises(OSError, match=r"the output .*run cannot be made \(Permission denied\); name"):
            train(os.path.join(folder, "run"))


def test_a_clock_that_goes_back(tmp_path, monkeypatch, whole):
    """Times are only told, never compared: a clock set back by a day changes nothing."""
    import time

    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 86400)
    train(tmp_path / "run", tell=Stopper(5))
    monkeypatch.setattr(time, "time", lambda: real() - 2 * 86400)
    for path in (tmp_path / "run/state").iterdir():
        os.utime(path, (0, 0))
    train(tmp_path / "run")
    assert outcome(tmp_path / "run") == whole
