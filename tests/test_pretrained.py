"""Networks with torchvision's names, files of their weights, and the commands that classify with them."""

import csv
import hashlib
import json
import sys

import numpy as np
import pytest
from PIL import Image
from pth_files import program, tensor, write_legacy, write_zip

import tinygrad_hw as thw
from nets import pretrained
from nets.__main__ import main
from nets.pretrained import classify, video, weights
from tinygrad_hw import nn

# Parameters, entries of the state_dict, and the start of the SHA-256 of the lines "name shape" of
# torchvision 0.28's state_dicts.
TORCHVISION = {
    "resnet18": (11_689_512, 122, "84fb10d9c6905a1c"), "resnet34": (21_797_672, 218, "28f9096d51307499"),
    "resnet50": (25_557_032, 320, "d7e4f8bb0a536344"), "resnet101": (44_549_160, 626, "02c0f34f4842751f"),
    "resnet152": (60_192_808, 932, "685c66205bc823aa"), "squeezenet1_0": (1_248_424, 52, "4654d26ad581241f"),
    "squeezenet1_1": (1_235_496, 52, "1d365589393f9c1e")}


@pytest.mark.parametrize("name", TORCHVISION)
def test_names_and_shapes_are_torchvisions(name):
    with pretrained.undrawn():
        net = pretrained.NETWORKS[name]()
    state = net.state_dict()
    lines = "\n".join(f"{key} {tuple(value.shape)}" for key, value in state.items())
    assert (sum(parameter.numel() for parameter in net.parameters()), len(state),
            hashlib.sha256(lines.encode()).hexdigest()[:16]) == TORCHVISION[name]
    assert pretrained.recognise({key: value.shape for key, value in state.items()}) == (name, 1000)


class TestInitialisation:
    def test_convolutions_of_resnets_start_by_their_outputs(self):
        net = pretrained.ResNet(pretrained.BasicBlock, (1, 1, 1, 1), num_classes=3)
        for layer, outputs in ((net.conv1, 64 * 49), (net.layer4[0].conv2, 512 * 9)):
            values = layer.weight.detach().numpy()
            assert values.std() == pytest.approx((2 / outputs) ** 0.5, rel=0.03)

    def test_zero_init_residual(self):
        for block, last in ((pretrained.BasicBlock, "bn2"), (pretrained.Bottleneck, "bn3")):
            with pretrained.undrawn():
                net = pretrained.ResNet(block, (1, 1, 1, 1), zero_init_residual=True)
            assert not getattr(net.layer1[0], last).weight.any() and net.layer1[0].bn1.weight.all()

    def test_squeezenets_last_convolution(self):
        net = pretrained.squeezenet1_1()
        assert net.classifier[1].weight.detach().numpy().std() == pytest.approx(0.01, rel=0.02)
        weight = net.features[3].expand1x1.weight.detach().numpy()  # of 16 inputs
        assert abs(weight).max() == pytest.approx((6 / 16) ** 0.5, rel=0.05)
        assert not net.features[0].bias.any()

    def test_no_other_version(self):
        with pytest.raises(ValueError, match="Unsupported SqueezeNet version 2: 1_0 or 1_1 expected"):
            pretrained.SqueezeNet("2")

    def test_nothing_is_drawn_for_weights_of_a_file(self):
        thw.manual_seed(0)
        with pretrained.undrawn():
            pretrained.squeezenet1_1()
        first = thw.rand(1).item()
        thw.manual_seed(0)
        assert thw.rand(1).item() == first
        assert nn.Linear(50, 50).weight.any()


def test_the_wrong_weights(tmp_path):
    for arrays, text in (({"fc.weight": np.zeros((2, 2))},
                          "weights of none of the networks resnet18, .* begin with fc.weight"),
                         ({"features.0.weight": np.zeros((64, 3, 3, 3))}, "none of the networks"),
                         ({"features.0.weight": np.zeros((64, 3, 3, 3)),
                           "classifier.1.weight": np.zeros((2, 512, 1, 1))}, "does not fit|do not fit")):
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(ValueError, match=text):
            pretrained.load(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="no network 'vgg'; there are resnet18"):
        pretrained.load(tmp_path / "a.npz", "vgg")


class TestWeights:
    def test_a_file_of_another_number_of_classes(self, tmp_path):
        np.savez(tmp_path / "w.npz", **{"0.weight": np.ones((2, 2)), "0.bias": np.ones(2),
                                        "1.weight": np.ones((9, 2)), "1.bias": np.ones(9)})
        net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 5))
        head = net[1].weight.detach().numpy().copy()
        assert weights.load_into(net, tmp_path / "w.npz", skip="1.") == ["1.weight", "1.bias"]
        assert net[0].weight.tolist() == [[1, 1], [1, 1]]
        np.testing.assert_array_equal(net[1].weight.detach().numpy(), head)
        with pytest.raises(ValueError, match=r"w.npz does not fit .*1.weight \(9, 2\) instead of \(5, 2\)"):
            weights.load_into(net, tmp_path / "w.npz")

    def test_missing_and_unknown_names(self, tmp_path):
        np.savez(tmp_path / "a.npz", weight=np.zeros((1, 2)), other=np.zeros(1))
        with pytest.raises(ValueError, match=r"missing \['bias'\], not known \['other'\]"):
            weights.load_into(nn.Linear(2, 1), tmp_path / "a.npz")

    def test_every_format(self, tmp_path):
        import safetensors.numpy

        raw = np.arange(4, dtype=np.float32)
        write_zip(tmp_path / "a.pth", program(**{"module.weight": tensor()}), {"0": raw.tobytes()})
        write_legacy(tmp_path / "a.pt", program(weight=tensor(legacy=True)), {"0": (4, raw.tobytes())})
        np.savez_compressed(tmp_path / "a.npz", weight=raw)
        safetensors.numpy.save_file({"model/weight": raw, "optimizer/0/step": raw},
                                    tmp_path / "a.safetensors")
        for ending in ("pth", "pt", "npz", "safetensors"):
            found = weights.read(tmp_path / f"a.{ending}")
            assert list(found) == ["weight"]
            np.testing.assert_array_equal(found["weight"], raw, strict=True)

    def test_bfloat16_of_safetensors(self, tmp_path):
        header = json.dumps({"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
        (tmp_path / "a.safetensors").write_bytes(
            len(header).to_bytes(8, "little") + header + np.uint16([0x3F80, 0xC049]).tobytes())
        assert weights.read(tmp_path / "a.safetensors")["w"].tolist() == [1, -3.140625]

    def test_no_such_file_and_other_endings(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no file of weights"):
            weights.read(tmp_path / "a.pth")
        with pytest.raises(ValueError, match="weights are read from .safetensors, .npz, .pth"):
            weights.read(tmp_path / "a.bin")

    @pytest.mark.parametrize("content", [{}, {"lr": 0.1}, [1, 2]])
    def test_no_tensors(self, tmp_path, content):
        import pickle

        write_zip(tmp_path / "a.pth", pickle.dumps(content, 2), {})
        with pytest.raises(ValueError, match="holds no dictionary of Tensors; save the network's state_dict"):
            weights.read(tmp_path / "a.pth")

    @pytest.mark.parametrize("ending", [".pth", ".npz", ".safetensors"])
    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04" * 9, b"\x80\x02}q\x00.", b"\xff" * 99])
    def test_damaged(self, tmp_path, ending, content):
        path = tmp_path / f"a{ending}"
        path.write_bytes(content)
        with pytest.raises(ValueError, match="a" + ending):
            weights.read(path)

    def test_hostile_npz(self, tmp_path):
        path = tmp_path / "a.npz"
        np.savez_compressed(path, w=np.zeros(10**6))
        with pytest.raises(ValueError, match="take 8,000,.* bytes, 100 times the file"):
            weights.read(path)
        np.savez(path, w=np.zeros(100))
        path.write_bytes(path.read_bytes().replace(b"'shape': (100,)", b"'shape': (900,)"))
        with pytest.raises(ValueError, match="damaged"):
            weights.read(path)
        np.savez(path, w=np.array([{}], object))
        with pytest.raises(ValueError, match="announces"):
            weights.read(path)


class TestClasses:
    def test_imagenets_thousand(self):
        names = classify.load_classes()
        assert len(names) == len(set(names)) == 1000
        known = {0: "tench", 1: "goldfish", 207: "golden retriever", 281: "tabby", 388: "giant panda",
                 817: "sports car", 954: "banana", 999: "toilet tissue"}
        assert {number: names[number] for number in known} == known

    def test_files(self, tmp_path):
        (tmp_path / "a.txt").write_text("# pets\nn01440764 tench\n\ncat\n")
        (tmp_path / "a.json").write_text('["tench", "cat"]')
        for name in ("a.txt", "a.json"):
            assert classify.load_classes(tmp_path / name, 2) == ["tench", "cat"]
            with pytest.raises(ValueError, match=f"{name}: it names 2 classes, but the network tells 3"):
                classify.load_classes(tmp_path / name, 3)
        for content in ("{", "{}", "[1]", "[" * 100_000):
            (tmp_path / "b.json").write_text(content)
            with pytest.raises(ValueError, match="b.json: it is no"):
                classify.load_classes(tmp_path / "b.json", 2)

    def test_what_a_user_means(self):
        names = classify.load_classes()
        for text, number in (("281", 281), ("Tabby", 281), ("giant_pan", 388)):
            assert classify.class_number(text, names) == number
        for text, message in (("1000", "no class 1000: the network has the classes 0 to 999"),
                              ("retriever", "more than one class is called 'retriever'; there are flat-"),
                              ("goldfisch", "no class is called 'goldfisch'; there are goldfish")):
            with pytest.raises(ValueError, match=message):
                classify.class_number(text, names)


@pytest.fixture
def colours():
    """A classifier that tells red, green and blue pictures apart, for certain."""
    return classify.Classifier(lambda images: 100 * images.mean((2, 3)), ["red", "green", "blue"])


def coloured(folder, *colours):
    folder.mkdir()
    for number, colour in enumerate(colours):
        Image.new("RGB", (30, 20), colour).save(folder / f"{number}.png")
    return folder


def test_top(colours):
    found = colours.top(np.float32([0.2, 0.5, 0.3]), 2)
    assert [(one["class"], one["name"]) for one in found] == [(1, "green"), (2, "blue")]
    with pytest.raises(ValueError, match="900 x 30 pixels is too narrow"):
        colours.probabilities([Image.new("RGB", (900, 30))])


@pytest.fixture(scope="module")
def squeezed(tmp_path_factory):
    """Weights of a SqueezeNet whose scores are (0, 2, 1) for every picture."""
    net = pretrained.squeezenet1_1(num_classes=3)
    arrays = {name: value.numpy() for name, value in net.state_dict().items()}
    arrays["classifier.1.weight"] = np.zeros((3, 512, 1, 1), np.float32)
    arrays["classifier.1.bias"] = np.float32([0, 2, 1])
    path = tmp_path_factory.mktemp("weights") / "squeezenet.npz"
    np.savez(path, **arrays)
    path.with_name("names.txt").write_text("ant\nbee\ncow\n")
    return path


class TestClassifyCommand:
    def test_it_prints_and_draws_the_likeliest_classes(self, squeezed, tmp_path, capsys):
        folder = coloured(tmp_path / "in", "red", "blue")
        names = squeezed.with_name("names.txt")
        assert main(["classify", "--weights", str(squeezed), "--classes", str(names), "--top", "2", "--out",
                     str(tmp_path / "out"), str(folder / "0.png"), str(folder / "1.png")]) == 0
        expected = np.exp([0, 2, 1]) / np.exp([0, 2, 1]).sum()
        text = capsys.readouterr().out
        assert f"0.png:\n   {expected[1]:.1%}  bee (1)\n   {expected[2]:.1%}  cow (2)\n1.png:\n" in text
        verdicts = json.loads((tmp_path / "out" / "verdicts.json").read_text())
        assert [one["name"] for one in verdicts[1]["top"]] == ["bee", "cow"]
        assert verdicts[1]["top"][0]["probability"] == pytest.approx(expected[1], abs=1e-5)
        assert Image.open(tmp_path / "out" / "1.png").size[0] > 600

    @pytest.mark.parametrize("arguments, text", [
        (["no.png"], "no picture no.png"),
        (["--net", "resnet18", "in/0.png"], "weights of squeezenet1_1, not of resnet18"),
        (["--net", "vgg", "in/0.png"], "no network 'vgg'"),
        (["--classes", "in/0.png", "in/0.png"], "no text"),
        (["in/text.png"], "in/text.png: it is no image"),
    ])
    def test_it_says_what_is_wrong(self, squeezed, tmp_path, capsys, monkeypatch, arguments, text):
        monkeypatch.chdir(tmp_path)
        (coloured(tmp_path / "in", "red") / "text.png").write_text("hello")
        assert main(["classify", "--weights", str(squeezed), *arguments]) == 1
        assert text in capsys.readouterr().err


class TestFrames:
    def test_accuracy_and_strip(self, colours, tmp_path):
        frames = video.open_frames(coloured(tmp_path / "in", *["red"] * 9, *["blue"] * 2, "lime"))
        result = video.classify_frames(colours, frames, tmp_path / "frames.csv", wanted=0, quiet=True)
        assert (result["frames"], result["accuracy"], result["top5_accuracy"]) == (12, 0.75, 1.0)
        assert result["names"] == {"red": 9, "blue": 2, "green": 1}
        assert [result["samples"][key].seen for key in ("hits", "misses")] == [9, 3]
        rows = list(csv.DictReader(open(tmp_path / "frames.csv")))
        assert [row["name"] for row in rows] == ["red"] * 9 + ["blue"] * 2 + ["green"]
        assert rows[9] == {"frame": "9", "source": "9.png", "class": "2", "name": "blue",
                           "probability": "1.0000", "rank": "2", "hit": "0"}
        video.strip(tmp_path / "strip.png", result["samples"])
        pixels = np.asarray(Image.open(tmp_path / "strip.png"))
        assert (pixels[:160] == (255, 0, 0)).all(-1).any() and not (pixels[:160] == (0, 0, 255)).all(-1).any()
        assert (pixels[170:] == (0, 0, 255)).all(-1).any() and not (pixels[170:] == (255, 0, 0)).all(-1).any()

    @pytest.mark.parametrize("error, key", [(KeyboardInterrupt(), "interrupted"),
                                            (ValueError("cut"), "problem")])
    def test_what_was_done_stays(self, colours, tmp_path, error, key):
        def images():
            for number in range(11):
                yield str(number), Image.new("RGB", (9, 9), "red")
            raise error

        frames = video.Frames(images(), None)
        result = video.classify_frames(colours, frames, tmp_path / "frames.csv", quiet=True)
        done = 8 if key == "interrupted" else 11  # Ctrl-C ends at once; the batch that was done stays
        assert result["frames"] == done == len((tmp_path / "frames.csv").read_text().splitlines()) - 1
        assert result[key] == (True if key == "interrupted" else "cut")

    def test_nothing_there(self, tmp_path, monkeypatch):
        (tmp_path / "in").mkdir()
        with pytest.raises(FileNotFoundError, match="holds no pictures"):
            video.open_frames(tmp_path / "in")
        with pytest.raises(FileNotFoundError, match="no video or folder"):
            video.open_frames(tmp_path / "clip.mp4")
        (tmp_path / "clip.mp4").write_bytes(b"hello")
        monkeypatch.setitem(sys.modules, "av", None)
        with pytest.raises(ImportError, match=r"videos need PyAV: pip install '.\[video\]'"):
            video.open_frames(tmp_path / "clip.mp4")

    def test_command(self, squeezed, tmp_path, capsys):
        folder = coloured(tmp_path / "in", "red", "blue", "lime")
        (folder / "1.png").write_bytes(b"damaged")
        arguments = ["classify-video", "--weights", str(squeezed), str(folder), "--quiet"]
        assert main([*arguments, "--out", str(tmp_path / "bad"), "--class", "1"]) == 1
        assert "1.png: it is no image" in capsys.readouterr().err
        (folder / "1.png").unlink()
        assert main([*arguments, "--out", str(tmp_path / "out"), "--class", "class 2"]) == 0
        assert ("2 frames: class 1 2\nclass 2: first in 0.0% of the frames, among the first five in 100.0%"
                in capsys.readouterr().out)
        for name, count in (("bad", 1), ("out", 2)):
            metrics = json.loads((tmp_path / name / "metrics.json").read_text())
            assert metrics["results"]["frames"] == count
        assert {path.name for path in (tmp_path / "out").iterdir()} == {"config.json", "metrics.json",
                                                                       "frames.csv", "strip.png"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Nine red frames and three blue ones."""
    av = pytest.importorskip("av")
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for number in range(12):
            pixels = np.zeros((32, 48, 3), np.uint8)
            pixels[..., 0 if number < 9 else 2] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


class TestVideos:
    def test_every_frame(self, clip, colours, tmp_path):
        frames = video.open_frames(clip)
        assert frames.count == 12
        result = video.classify_frames(colours, frames, tmp_path / "frames.csv", wanted=0, quiet=True)
        assert (result["frames"], result["accuracy"], result["problem"]) == (12, 0.75, None)
        rows = list(csv.DictReader(open(tmp_path / "frames.csv")))
        assert [row["source"] for row in rows[:2]] == ["0.000 s", "0.100 s"]

    def test_damaged(self, clip, tmp_path):
        for content in (b"hello", clip.read_bytes()[:200]):
            (tmp_path / "a.mp4").write_bytes(content)
            with pytest.raises(ValueError, match="a.mp4: it is no video that PyAV reads"):
                video.open_frames(tmp_path / "a.mp4")
