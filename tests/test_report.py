"""The page of a run: whole, alone, escaped, and telling what the folder holds."""

import base64
import io
import json
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import tinygrad_hw as thw
from nets import pictures
from nets.bar import Bar
from nets.classification.report import Report
from nets.model_table import describing
from nets.report import curves, headline, page, read_folder, write_report
from nets.report.folder import command_line
from nets.report.markdown import to_html
from nets.runs import Run, write_json
from nets.samples import draw_samples
from tinygrad_hw import nn

VOID = {"meta", "img", "br", "link", "input", "hr"}
EVIL = '<script>alert("1")</script>&\'"'


class Page(HTMLParser):
    """Checks while it reads that tags are closed in order; keeps images, ids, links and visible text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.ids, self.text, self.values = [], [], [], [], []
        self.tags = set()
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        attributes = dict(attributes)
        self.values += [(tag, name, value or "") for name, value in attributes.items()]
        self.ids += [attributes["id"]] if "id" in attributes else []
        if tag == "img":
            self.images.append(attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another tag"

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def whole(path):
    """The page, after the checks that hold for every one."""
    found = Page(path.read_text(encoding="utf-8"))
    assert not found.tags & {"script", "link", "iframe", "object", "embed", "form", "base"}
    for tag, name, value in found.values:
        assert not name.startswith("on") and "://" not in value, (tag, name, value)
        if name == "href":
            assert value.startswith("#") and value[1:] in found.ids
        if name == "src":
            assert value.startswith("data:image/png;base64,")
    assert len(set(found.ids)) == len(found.ids)
    for image in found.images:
        assert image["alt"].strip()
        with Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2]))) as picture:
            picture.load()
            assert picture.format == "PNG" and picture.width >= int(image["width"]) > 0
    for tag, name, value in found.values:
        if tag == "svg" and name == "aria-label":
            assert " by epoch: " in value
    return found


@pytest.fixture
def run(tmp_path):
    """A folder as a training leaves it."""
    run = Run("nist36-cnn", {"epochs": 2, "lr": 0.01, "seed": 0, "data": "my data", "hold_out": 0.0,
                             "smoothing": 0.1}, tmp_path / "run")
    for epoch, loss in ((1, 2.0), (2, 1.25)):
        run.log(epoch=epoch, train_loss=loss, validation_loss=loss + 0.5, validation_accuracy=1 / loss)
    pictures.confusion(run.path("confusion.png"), np.diag([3, 2]), ["cat", "dog"])
    pictures.training_curves(run.path("curves.png"), {"train_loss": [2.0, 1.25]})
    run.path("model.txt").write_text("Layer  Output shape\nLinear [1, <2>]\n")
    run.finish(best_accuracy=0.8, best_epoch=2, seconds=1.5, interrupted=False, most_confused=[["O", "0", 3]],
               networks={"own": {"parameters": 64496}, "other": {"parameters": 5}})
    return run


def test_the_page_tells_what_the_folder_holds(run):
    found = whole(write_report(run.folder))
    assert found.ids == ["curves", "pictures", "results", "network", "configuration", "environment",
                         "how-to-reproduce", "history"]
    text = " ".join(found.text)
    for part in ("best validation accuracy 0.8000 (epoch 2 of 2), 1.5 s of training",
                 "python -m nets run nist36-cnn --epochs 2 --lr 0.01 --seed 0 --data 'my data' "
                 "--hold-out 0.0 --set smoothing=0.1",
                 "Linear [1, <2>]", "64,496", "taken for", np.__version__, "1.25", "train (last 1.25)"):
        assert part in text, part
    assert [image["alt"] for image in found.images] == [
        "confusion matrix, true classes down and predicted across: 100.0% right"]  # curves are drawn as SVG
    assert found.values.count(("svg", "class", "chart")) == 2


def test_names_cannot_break_out_of_the_page(tmp_path):
    run = Run("nist36-mlp", {EVIL: EVIL, "hold_out": 0.0, "data": EVIL}, tmp_path / "run")
    run.facts["environment"]["packages"][EVIL] = EVIL
    run.log(epoch=1, **{f"train_{EVIL}": 0.5, "network": EVIL})
    run.log(epoch=2, **{EVIL: [EVIL]})
    run.path(f"{EVIL.replace('/', '')}-model.txt").write_text(EVIL)
    pictures.confusion(run.path("confusion.png"), np.diag([3, 0]), ["</td><script>", "dog"])
    pictures._save(pictures._figure(2, 2), run.path("odd.png"), EVIL)
    Report(EVIL).table((EVIL, "b"), [("`<i>`", EVIL)]).picture(EVIL, EVIL).text(
        "[click](http://example.com) ![x](http://example.com/a.png)").write(run.path("report.md"))
    run.finish(**{EVIL: EVIL, "nested": {EVIL: {EVIL: EVIL}}, "rows": [[EVIL]]})
    found = whole(write_report(run.folder))
    assert any(image["alt"] == EVIL for image in found.images)
    assert "".join(found.text).count("<script>") > 5


@pytest.mark.parametrize("change", [
    lambda run: None,
    lambda run: run.path("metrics.json").unlink(),
    lambda run: run.path("confusion.png").write_bytes(b"\x89PNG no more"),
    lambda run: run.path("model.txt").write_bytes(b"\xff\xfe\0"),
    lambda run: run.log(epoch=3, train_loss=float("nan")),
    lambda run: run.log(epoch=3, train_loss=float("inf"), validation_loss=None),
    lambda run: run.finish(best_accuracy=None, interrupted=True),
    lambda run: run.path("report.md").write_text("# Study\n\n![curves](curves.png)\n\n![gone](gone.png)"),
])
def test_any_folder_gives_a_page(run, change):
    change(run)
    whole(write_report(run.folder))


def test_pictures_of_the_study_are_shown_once_with_its_captions(run):
    Report("Study").text("**Bold** and `code`.").picture("confusion.png", "who is who").write(
        run.path("report.md"))
    found = whole(write_report(run.folder))
    assert "study" in found.ids and "pictures" not in found.ids
    assert [image["alt"] for image in found.images] == ["who is who"]


def test_parts_have_pages_and_are_reproduced_by_the_whole(run):
    part = run.inner("nist36-mlp", {"lr": 0.1, "hold_out": 0.0}, "lr-0.1")
    part.log(epoch=1, train_loss=3.0)
    whole(write_report(run.folder))
    text = " ".join(whole(part.path("report.html")).text)
    assert "is a part of another, nist36-cnn" in text and "python -m nets run nist36-cnn" in text


def test_a_run_of_several_processes_is_reproduced_by_as_many(run):
    run.facts["environment"]["processes"] = 4
    write_json(run.path("config.json"), run.facts)
    text = " ".join(whole(write_report(run.folder)).text)
    assert "mpirun -n 4 python -m nets run nist36-cnn --epochs 2" in text and "--distributed" in text
    assert "with another number of processes" in text


def test_only_what_run_has_made_is_reproduced_by_run(tmp_path):
    run = Run("by-hand-train", {"epochs": 2, "batch_size": 8}, tmp_path / "run")
    assert "how-to-reproduce" not in whole(write_report(run.folder)).ids


@pytest.mark.parametrize("file, content, message", [
    ("config.json", "{", "config.json is damaged"),
    ("metrics.json", "[]", "metrics.json is damaged .*put back a copy of it, or run again"),
    ("metrics.json", '{"results": [], "history": [], "seconds": 1}', "is of the wrong type"),
    ("metrics.json", '{"results": {}, "history": [1], "seconds": 1}', "is of the wrong type"),
])
def test_damaged_folders_are_refused(run, file, content, message):
    run.path(file).write_text(content)
    with pytest.raises(ValueError, match=message):
        write_report(run.folder)
    assert not run.path("report.html").exists()


def test_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no run"):
        write_report(tmp_path)


def test_metrics_are_streamed(tmp_path):
    run = Run("demo", {}, tmp_path / "run")

    def lines():
        return [json.loads(line) for line in run.path("metrics.jsonl").read_text().splitlines()]

    for epoch in (1, 2, 3):
        run.log(epoch=epoch, loss=np.float32(0.5))
        assert lines() == run.history == json.loads(run.path("metrics.json").read_text())["history"]
    run.restore([{"epoch": 1, "loss": 0.25}])
    run.log(epoch=2, loss=float("nan"))
    assert lines() == [{"epoch": 1, "loss": 0.25}, {"epoch": 2, "loss": None}]


# ------------------------------------------------------------------ its parts


class TestCurves:
    @pytest.mark.parametrize("low, high", [(0, 1), (0.13, 0.94), (1, 100), (2.0, 2.0), (0.0, 0.0), (-3.2, 5),
                                           (1e-12, 3e-12), (9.97e8, 1e9), (1, 2)])
    def test_ticks_enclose_the_values_at_round_places(self, low, high):
        values = curves.ticks(low, high)
        steps = np.diff(values)
        assert values[0] <= low and values[-1] >= high and 2 <= len(values) <= 7
        assert np.allclose(steps, steps[0]) and steps[0] > 0

    def test_there_is_no_half_epoch(self):
        assert curves.ticks(1, 2, least=1.0) == [1, 2] and curves.ticks(1, 1, least=1.0) == [1, 2]
        text = curves.chart("loss", {"train": [(1, 4.0), (3, 2.0)]})
        assert re.findall(r'text-anchor="middle">([^<]*)<', text) == ["1", "2", "3", "epoch"]

    def test_points_stand_where_they_should(self):
        text = curves.chart("loss", {"train": [(1, 4.0), (2, None), (3, 2.0), (4, 3.0)]})
        path = re.search(r'stroke-width="1.8" d="([^"]*)"/><g', text)[1]
        points = np.array([float(value) for value in re.findall(r"-?[\d.]+", path)]).reshape(-1, 2)
        assert re.sub(r"[\d. ]", "", path) == "MML"  # the gap begins a new piece
        x, y = points.T
        assert x.tolist() == sorted(x) and y[0] < y[2] < y[1]  # larger values stand higher
        assert np.isclose((x[2] - x[1]) * 2, x[1] - x[0], atol=0.2)

    def test_lines_differ_without_colour(self):
        text = curves.chart("loss", {name: [(1, 1.0), (2, 2.0)] for name in "abcd"})
        assert len(set(re.findall(r'stroke-dasharray="([^"]*)"', text))) == 4
        assert len(set(curves.MARKERS)) == 4 and all(marker in text for marker in curves.MARKERS)

    def test_nothing_finite(self):
        with pytest.raises(ValueError, match="no finite value"):
            curves.chart("loss", {"train": [(1, float("nan"))]})
        assert curves.history_charts([{"epoch": 1, "train_loss": None}, {"image": "a.png", "right": 3}]) == []

    def test_networks_have_charts_of_their_own(self):
        rows = [{"network": name, "epoch": epoch, "train_loss": 1.0} for name in "ab" for epoch in (1, 2)]
        assert [re.search(r">([ab]: loss)<", text)[1] for text in curves.history_charts(rows)] == [
            "a: loss", "b: loss"]


def test_markdown():
    text = "# T\n\n## H\n\n- one\n- `two`\n\n| a | b |\n|---|---|\n| 1 | **2** |\n\n![c](p.png)\n![d](q.png)"
    html = to_html(text, lambda file, caption: f"[{file} {caption}]")
    assert html == ("<h3>T</h3>\n<h4>H</h4>\n<ul><li>one</li><li><code>two</code></li></ul>\n"
                    '<div class="wide"><table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr>'
                    "<td>1</td><td><b>2</b></td></tr></tbody></table></div>\n[p.png c]\n[q.png d]")


class TestBar:
    def lines(self, capsys, **options):
        with Bar("net1", 3, 4, **options) as bar:
            for epoch in (1, 2, 3):
                for _ in range(4):
                    bar.update(rows=8)
                bar.end_of_epoch(epoch, {"loss": 1 / epoch})
        return capsys.readouterr().err

    def test_a_line_an_epoch_where_nobody_watches(self, capsys):
        lines = self.lines(capsys).splitlines()
        assert lines[0] == "net1: 3 epochs of 4 steps" and len(lines) == 4
        assert re.fullmatch(r"net1: epoch 2/3: loss 0.5000; [\d,]+ rows/s, \d+ s left", lines[2])

    def test_a_bar_on_a_terminal(self, capsys, monkeypatch):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        shown = self.lines(capsys)
        assert "12/12" in shown and "loss=0.3333" in shown and "epochs of" not in shown

    def test_quiet(self, capsys):
        assert self.lines(capsys, quiet=True) == ""


class TestSamples:
    labels = np.arange(40) % 2

    @pytest.mark.parametrize("wrong", [0, 3, 40])
    def test_only_what_there_is(self, tmp_path, wrong):
        scores = np.eye(2)[np.where(np.arange(40) < wrong, 1 - self.labels, self.labels)]
        draw_samples(tmp_path / "samples.png", np.zeros((40, 8, 8)), self.labels, scores, "ab")
        with Image.open(tmp_path / "samples.png") as picture:
            counts = f"above {min(16, 40 - wrong)} that are right, below {min(16, wrong)} that are wrong"
            assert counts in picture.info["Description"]


def test_headlines():
    assert headline({"best_psnr": 15.5, "best_epoch": 9}) == ["best validation psnr 15.50 dB (epoch 9)"]
    assert headline({"best_accuracy": None, "test_accuracy": 0.5}) == ["test accuracy 0.5000"]


def test_the_command_line_quotes_what_a_shell_would_change():
    assert command_line("a", {"data": "x y; rm", "weight": "a$b"}) == \
        "python -m nets run a --data 'x y; rm' --set 'weight=a$b'"


class TestModelTable:
    def test_the_first_loss_is_the_same_and_the_net_is_left_as_it_was(self, tmp_path):
        def steps(loss_of):
            thw.manual_seed(0)
            net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.Flatten(),
                                nn.Linear(18, 3))
            images = thw.rand(4, 1, 5, 5)
            losses = [loss_of(net, [images]) for _ in range(2)]
            losses[1].backward()
            return [loss.item() for loss in losses], net[0].weight.grad.tolist(), net.state_dict()

        def loss_of(net, batch):
            return net(batch[0]).square().sum()

        plain, described = steps(loss_of), steps(describing(loss_of, tmp_path / "model.txt"))
        assert plain[:2] == described[:2]
        assert all(thw.equal(value, described[2][name]) for name, value in plain[2].items())
        table = (tmp_path / "model.txt").read_text()
        assert "0: Conv2d" in table and "[1, 2, 3, 3]" in table

    def test_a_table_that_is_there_stays(self, tmp_path):
        (tmp_path / "model.txt").write_text("old")
        assert describing(len, tmp_path / "model.txt") is len

    def test_a_net_that_is_not_called_itself_has_its_parameters_counted(self, tmp_path):
        net = nn.Sequential(nn.Linear(2, 1))
        loss_of = describing(lambda net, batch: net[0](batch[0]).sum(), tmp_path / "model.txt")
        loss_of(net, [thw.ones(1, 2)])
        assert "Parameters: 3" in (tmp_path / "model.txt").read_text()


def test_a_page_of_many_rows_is_quick_and_small(tmp_path):
    run = Run("demo", {}, tmp_path / "run")
    run.restore([{"epoch": epoch, "train_loss": 1 / epoch} for epoch in range(1, 1001)])
    text = page(read_folder(run.folder))
    assert len(text) < 200_000 and text.count("<circle") < 20  # a marker now and then
