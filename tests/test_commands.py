"""``python -m nets``: run with settings, compare, doctor, list, completion; errors and exit codes."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import scipy.io
from PIL import Image

from nets import nist36
from nets.__main__ import main, make_parser
from nets.commands import COMMANDS, doctor, passed_on, settings
from nets.commands.completion import script
from nets.report.comparison import compare
from nets.runs import Run
from nets.systems import SYSTEMS
from tests.kill import outcome


@pytest.fixture(scope="module")
def characters(tmp_path_factory):
    """72 random pictures to learn from and 36 to judge by, in the layout of NIST36."""
    folder = tmp_path_factory.mktemp("characters")
    random = np.random.default_rng(0)
    for split, count in (("train", 72), ("valid", 36)):
        data, labels = random.random((count, 1024)), np.eye(36)[np.arange(count) % 36]
        scipy.io.savemat(folder / f"nist36_{split}.mat", {f"{split}_data": data, f"{split}_labels": labels})
    return folder


@pytest.fixture(scope="module")
def trained(characters, tmp_path_factory):
    """The folder of a run of two epochs, with a setting from a file and one given by hand."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "settings.json").write_text('{"batch-size": 24, "lr": 0.5, "seed": 3}')
    assert main(["run", "nist36-mlp", "--data", str(characters), "--config", str(folder / "settings.json"),
                 "--set", "lr=0.25", "--set", "epochs=5", "--epochs", "2", "--threads", "1", "--quiet",
                 "--out", str(folder / "run"), "--debug"]) == 0
    return folder / "run"


class TestRun:
    @pytest.mark.long
    def test_later_settings_win(self, trained, characters):
        config = json.loads((trained / "config.json").read_text())["config"]
        assert config == {"epochs": 2, "batch_size": 24, "lr": 0.25, "seed": 3, "data": str(characters),
                          "workers": 0, "hold_out": 0.0, "threads": 1}

    def test_the_folder_holds_what_the_documentation_says(self, trained):
        assert {path.name for path in trained.iterdir()} == {
            "best.safetensors", "config.json", "confusion.png", "curves.png", "last.safetensors",
            "losses.csv", "metrics.json", "metrics.jsonl", "model.txt", "report.html", "samples.png", "state",
            "weights.png"}
        assert "fc1: Linear" in (trained / "model.txt").read_text()

    @pytest.mark.slow
    def test_the_command_of_the_report_does_it_again(self, trained, tmp_path):
        html = (trained / "report.html").read_text()
        line = html.partition("<pre>python -m nets ")[2].partition("</pre>")[0]
        assert main([*line.split(), "--quiet", "--out", str(tmp_path / "again")]) == 0
        assert outcome(tmp_path / "again") == outcome(trained)  # weights, losses and history, bit for bit

    def test_a_systems_own_recipe_can_be_changed(self, tmp_path):
        options = make_parser().parse_args(["run", "cifar-cnn", "--set", "weight_decay=0", "--set", "lr=1"])
        given, changes = settings.settings(options, SYSTEMS["cifar-cnn"], None)
        assert given["lr"] == 1.0 and changes == {"weight_decay": 0.0} and "weight_decay" not in given
        assert settings.of_system(SYSTEMS["cifar-cnn"], changes).weight_decay == 0.0

    def test_a_run_that_goes_on_keeps_its_recipe(self, tmp_path):
        stored = {"name": "cifar-cnn", "config": {"weight_decay": 0.5, "lr": 0.125, "threads": 7}}
        options = make_parser().parse_args(["run", "cifar-cnn", "--resume", str(tmp_path), "--epochs", "9"])
        given, changes = settings.settings(options, SYSTEMS["cifar-cnn"], stored)
        assert (given["lr"], given["epochs"], changes) == (0.125, 9, {"weight_decay": 0.5})
        assert options.threads is None  # of the machine it goes on on

    @pytest.mark.parametrize("arguments, message", [
        (["--set", "epoch=3"], "no setting 'epoch'; did you mean 'epochs'? there are batch_size, data"),
        (["--set", "zzz=3"], "no setting 'zzz'; there are"),
        (["--set", "epochs"], "--set epochs: write it as key=value"),
        (["--set", "epochs=0"], "epochs must be a positive whole number, got 0"),
        (["--set", "epochs=2.5"], "epochs must be a whole number, got 2.5"),
        (["--set", "epochs=many"], "epochs must be a whole number, got 'many'"),
        (["--set", "lr=true"], "lr must be a number, got True"),
        (["--set", "hold_out=1"], "hold_out must be a share"),
        (["--set", "weights=a.npz"], "no setting 'weights'"),
        (["--config", "nowhere.json"], "no file nowhere.json; --config takes JSON"),
    ])
    def test_wrong_settings(self, arguments, message, tmp_path, capsys):
        assert main(["run", "nist36-cnn", "--out", str(tmp_path / "run"), *arguments]) == 1
        shown = capsys.readouterr().err
        assert message in shown and shown.count("\n") == 1 and not (tmp_path / "run").exists()

    @pytest.mark.parametrize("content, message", [
        ("{", "is not JSON"), ("[1]", "one JSON object of settings, got list"), ('{"lrr": 1}', "mean 'lr'"),
        ('{"name": "nist36-mlp", "config": {"lr": 1}}', "is of a run of nist36-mlp, not of nist36-cnn"),
    ])
    def test_wrong_files(self, content, message, tmp_path, capsys):
        (tmp_path / "file.json").write_text(content)
        assert main(["run", "nist36-cnn", "--config", str(tmp_path / "file.json")]) == 1
        assert message in capsys.readouterr().err

    def test_config_of_another_run(self, trained):
        options = make_parser().parse_args(["run", "nist36-mlp", "--config", str(trained / "config.json")])
        given, _ = settings.settings(options, SYSTEMS["nist36-mlp"], None)
        assert (given["lr"], given["epochs"], given["seed"], options.threads) == (0.25, 2, 3, 1)

    def test_every_own_setting_is_used_by_its_system(self):
        """A setting that nothing reads would be a promise that is not kept."""
        for system in SYSTEMS.values():
            module = sys.modules[type(system).__module__]
            sources = "".join(open(part.__file__).read() for part in (module, nist36))
            for name in settings.own_fields(system):
                assert f"self.{name}" in sources, (type(system).__name__, name)


class TestCompare:
    @pytest.fixture
    def runs(self, tmp_path):
        for name, lr in (("slow", 0.125), ("fast", 0.5)):
            run = Run("nist36-mlp", {"lr": lr, "seed": 0}, tmp_path / name)
            for epoch in (1, 2):
                run.log(epoch=epoch, train_loss=lr / epoch, validation_accuracy=lr, note="text")
            run.finish(best_accuracy=lr, interrupted=False)
        return [str(tmp_path / "slow"), str(tmp_path / "fast")]

    def test_text_and_figure(self, runs, tmp_path, capsys):
        out = tmp_path / "both.png"
        assert main(["compare", *runs, "--out", str(out)]) == 0
        lines = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert lines[0] == ["slow", "fast"] and ["lr", "0.125", "0.5"] in lines
        assert ["best", "accuracy", "0.125", "0.5"] in lines and ["rows", "of", "history", "2", "2"] in lines
        assert not any(line[:1] == ["seed"] for line in lines)
        with Image.open(out) as picture:
            picture.load()
            assert picture.info["Description"] == "curves and final figures of slow, fast"

    def test_runs_of_one_name_are_told_apart(self, runs, tmp_path):
        (tmp_path / "other").mkdir()
        shutil.copytree(runs[0], tmp_path / "other" / "slow")
        names = list(compare([runs[0], tmp_path / "other" / "slow"]).runs)
        assert names == [runs[0], str(tmp_path / "other" / "slow")]

    def test_the_same_settings(self, runs, tmp_path):
        shutil.copytree(runs[0], tmp_path / "copy")
        assert "(the same settings)" in compare([runs[0], tmp_path / "copy"]).text()

    def test_errors(self, runs, tmp_path, capsys):
        assert main(["compare", runs[0]]) == 1
        assert "at least two runs, got 1" in capsys.readouterr().err
        assert main(["compare", runs[0], str(tmp_path)]) == 1
        assert "holds no run" in capsys.readouterr().err
        Run("demo", {}, tmp_path / "empty")
        assert main(["compare", runs[0], str(tmp_path / "empty"), "--out", str(tmp_path / "x.png")]) == 1
        assert "no figure by epoch in common" in capsys.readouterr().err and not (tmp_path / "x.png").exists()


class TestDoctor:
    def test_all_is_looked_at(self, capsys):
        assert main(["doctor"]) == 0
        text = capsys.readouterr().out
        for part in ("numba ", "float32 or", "threads", "kernel cache", "can be written", "BLAS", "memory",
                     "right, and its gradient"):
            assert part in text
        assert {line.split()[0] for line in text.splitlines()[:8]} <= {"ok", "slow"}

    def test_what_is_broken_gives_exit_code_1(self, monkeypatch, capsys):
        import tinygrad_hw as thw

        monkeypatch.setattr(thw.nn.functional, "conv2d", lambda images, weights: weights.sum() * images.sum())
        assert main(["doctor"]) == 1
        shown = capsys.readouterr().out
        assert "BROKEN  a convolution" in shown and "1 broken" in shown

    def test_a_missing_package(self, monkeypatch):
        monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "no-such-package"))
        found = doctor._packages()
        assert found.state == doctor.BROKEN and "pip install no-such-package" in found.text

    def test_few_threads_are_slow(self, monkeypatch):
        from ops.kernels import launch

        monkeypatch.setenv("TINYGRAD_HW_NUM_THREADS", "1")
        monkeypatch.setattr(launch, "_threads", 0)
        found = doctor._threads()
        assert found.state == doctor.SLOW and "limited by TINYGRAD_HW_NUM_THREADS=1" in found.text


def test_list_names_every_system(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, system in SYSTEMS.items():
        line = next(line for line in lines if line.startswith(f"{name} "))
        assert system.summary in line and f"{system.epochs} epochs" in line


class TestCompletion:
    def complete(self, *words):
        """What bash offers after these words, the last of which is typed in part."""
        code = script(make_parser(), list(SYSTEMS), "bash")
        typed = " ".join(f"'{word}'" for word in ("tinygrad-hw", *words))
        done = subprocess.run(
            ["bash", "-c", f"{code}\nCOMP_WORDS=({typed}); COMP_CWORD={len(words)}; _tinygrad_hw; "
                           'printf "%s\\n" "${COMPREPLY[@]}"'], capture_output=True, text=True, timeout=30)
        assert done.stderr == ""
        return done.stdout.split()

    @pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
    @pytest.mark.parametrize("words, expected", [
        (["do"], {"doctor"}),
        (["run", "nist36-c"], {"nist36-cnn"}),
        (["run", "nist36-cnn", "--check"], {"--checkpoint-every"}),
        (["data", "sh"], {"show"}),
        (["by-hand", "train", "--lr"], {"--lr-decay"}),
        (["completion", "z"], {"zsh"}),
    ])
    def test_bash(self, words, expected, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert set(self.complete(*words)) == expected

    def test_zsh_loads_what_bash_has(self, capsys):
        assert main(["completion", "zsh"]) == 0
        assert capsys.readouterr().out.startswith("autoload -U +X bashcompinit && bashcompinit\n")


class TestTheCommandItself:
    def test_every_command_has_a_line_of_help(self, capsys):
        with pytest.raises(SystemExit) as stop:
            main(["--help"])
        shown = capsys.readouterr().out
        assert stop.value.code == 0 and "exit codes:" in shown and "130" in shown
        for name in ("list", "run", "report", "compare", "data", "read-text", "classify", "doctor", "warmup",
                     "bench", "completion"):
            assert f"\n    {name} " in shown

    def test_every_command_says_what_it_does(self):
        import argparse

        for command in COMMANDS:
            commands = argparse.ArgumentParser().add_subparsers()
            command.add_parser(commands)
            for name, parser in commands.choices.items():
                has_act = parser.get_default("act") is not None or parser._subparsers is not None
                assert has_act or name in passed_on.SUMMARIES, name

    @pytest.mark.parametrize("arguments", [[], ["nonsense"], ["run"], ["run", "nist36-cnn", "--epochs", "0"],
                                           ["run", "nist36-cnn", "--nonsense"], ["completion", "fish"]])
    def test_wrong_commands_exit_with_2(self, arguments, capsys):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2 and "error:" in capsys.readouterr().err

    @pytest.mark.parametrize("arguments, message", [
        (["rum"], "did you mean run? python -m nets --help tells all"),
        (["data", "fetsh"], "did you mean fetch? python -m nets data --help tells all"),
        (["run", "nist36-cnn", "--epochs", "3x"], "--epochs: '3x' is not a positive whole number;"),
        (["run", "nist36-cnn", "--lr", "-1"], "--lr: -1.0 is no learning rate"),
        (["run", "nist36-cnn", "--workers", "-1"], "--workers: -1 is less than 0"),
        (["run", "nist36-cnn", "--seed", "1.5"], "--seed: '1.5' is not a whole number"),
        (["run"], "the following arguments are required: NAME"),
    ])
    def test_what_is_wrong_is_told_in_one_line(self, arguments, message, capsys):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        shown = capsys.readouterr().err
        assert stop.value.code == 2 and message in shown and shown.count("\n") == 1

    def test_a_run_to_go_on_with_that_is_not_there(self, tmp_path, capsys):
        assert main(["run", "nist36-cnn", "--resume", str(tmp_path / "none")]) == 1
        assert "there is nothing; name the folder of a run" in capsys.readouterr().err

    def test_an_unknown_system(self, capsys):
        assert main(["run", "nist37"]) == 2
        assert "no system 'nist37'; did you mean nist36-" in capsys.readouterr().err

    def test_debug_shows_the_traceback(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="holds no run"):
            main(["report", str(tmp_path), "--debug"])

    def test_passed_on(self, capsys, monkeypatch):
        for name, program in (("warmup", "python -m tinygrad_hw"), ("bench", "python -m bench")):
            with pytest.raises(SystemExit) as stop:
                main([name, "--help"])
            assert stop.value.code == 0 and program in capsys.readouterr().out
        monkeypatch.setitem(sys.modules, "bench.__main__", None)
        assert main(["bench", "--list"]) == 1
        assert "bench is no part of the installed package" in capsys.readouterr().err

    def test_report_makes_the_page_again(self, trained, tmp_path, capsys):
        shutil.copytree(trained, tmp_path / "copy")
        (tmp_path / "copy" / "report.html").unlink()
        assert main(["report", str(tmp_path / "copy")]) == 0
        assert capsys.readouterr().out.strip() == str(tmp_path / "copy" / "report.html")
        assert (tmp_path / "copy" / "report.html").stat().st_size > 10_000
