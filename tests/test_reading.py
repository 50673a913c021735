"""Reading text from pages that are drawn for the test: letters, lines, words, scores, the command."""

import json

import numpy as np
import pytest
from PIL import Image

import tinygrad_hw as thw
from nets import checkpoint
from nets.__main__ import main
from nets.characters import CLASSES
from nets.handwriting import CharacterNet
from nets.reading import binarize, crops, letters, lines, pages, pictures, reader, score, words
from nets.reading.command import newest_weights

pytest.importorskip("skimage", reason="scikit-image is an extra")
TEXT = ["THE QUICK FOX", "JUMPS OVER 13 DOGS"]


class Templates(thw.nn.Module):
    """Scores by the squared distance to the nearest of each class's pictures in one font."""

    def __init__(self, font="DejaVuSans"):
        super().__init__()
        source = pages.font_source(font)
        found = [letters.find_letters(np.pad(source(character, None) < 0.5, 20))[0] for character in CLASSES]
        self.pictures = thw.from_numpy(np.stack([crops.variants(letters.joined(parts).mask).reshape(6, -1)
                                                 for parts in found]))

    def forward(self, x):
        """Pictures (N, 1, 32, 32) to scores (N, 36)."""
        x, known = x.flatten(1), self.pictures.reshape(-1, 1024)
        distances = (x ** 2).sum(1, keepdim=True) - 2 * x @ known.T + (known ** 2).sum(1)
        return -distances.reshape(len(x), 36, 6).min(2).values


def page_and_boxes(text=TEXT, font="DejaVuSans", letter=36, **settings):
    return pages.draw_page(text, pages.font_source(font), letter=letter, **settings)


def boxes_of(page):
    return np.array([sign.box for line in page.lines for word in line for sign in word])


def overlaps(found, true):
    """Intersection over union (found, true)."""
    first = np.maximum(found[:, None, :2], true[None, :, :2])
    sides = np.minimum(found[:, None, 2:], true[None, :, 2:]) - first
    shared = np.maximum(sides, 0).prod(axis=2)
    area = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (found, true)]
    return shared / (area[0][:, None] + area[1] - shared)


class TestPage:
    @pytest.mark.parametrize("settings", [
        {}, {"letter": 20}, {"letter": 100}, {"slope": 0.1}, {"slope": -0.1}, {"light": 0.7},
        {"noise": 0.03, "letter": 30}, {"ink": 0.6}, {"gap": 0.2},
        {"font": "cmss10"}, {"font": "STIXGeneral", "seed": 4}, {"font": "DejaVuSansMono-Bold"},
    ], ids=str)
    def test_finds_every_letter_in_order(self, settings):
        grey, true = page_and_boxes(**settings)
        page = reader.read(grey, CharacterNet())
        found = boxes_of(page)
        right = (overlaps(found, true).max(axis=0) > 0.5).sum()
        assert right >= len(true) - 1 and abs(len(found) - len(true)) <= 1
        assert [[len(word) for word in line] for line in page.lines] == [
            [len(word) for word in line.split()] for line in TEXT] or right < len(true)

    def test_reads_what_it_knows(self):
        page = reader.read(page_and_boxes()[0], Templates())
        assert page.text == TEXT
        assert json.loads(json.dumps(page.as_json()))["text"] == TEXT

    def test_shadow_with_an_edge_marks_and_a_dark_border(self):
        grey, true = page_and_boxes(noise=0.005)
        grey[:, grey.shape[1] // 2:] *= 0.6                       # half the page in shadow
        grey[:, :12] = 0.1                                        # the table beside the paper
        random = np.random.default_rng(0)
        for row, column in random.integers(40, min(grey.shape) - 5, (30, 2)):
            grey[row:row + 3, column:column + 3] *= 0.4           # specks
        page = reader.read(grey, Templates())
        assert page.text == TEXT

    def test_broken_strokes_are_one_letter(self):
        grey = np.ones((200, 400), np.float32)
        grey[60:70, 40:100] = grey[78:140, 66:74] = 0            # T, its bar apart
        for top in (60, 95, 130):
            grey[top:top + 10, 150:200] = 0                       # E without its stem
        grey[60:140, 250:260] = grey[60:140, 300:310] = grey[95:105, 262:298] = 0   # H in three pieces
        grey[132:140, 340:348] = 0                                # a full stop is no letter
        found, tall = letters.find_letters(binarize.ink(grey))
        assert 60 <= tall <= 90
        widths = sorted((letter.box[1], letter.box[3]) for letter in found)
        assert widths[0][0] <= 40 and widths[0][1] >= 99 and widths[1][0] <= 150
        assert len(reader.read(grey, Templates()).lines[0]) >= 1

    def test_touching_letters_are_cut(self):
        grey, true = page_and_boxes(["TOUCH"], gap=0.45, light=0.0, noise=0.0)
        y = (true[1][0] + true[1][2]) // 2
        grey[y - 2:y + 2, true[1][3] - 4:true[2][1] + 4] = 0.25   # O and U joined by a stroke
        page = reader.read(grey, Templates())
        assert len(page.lines) == 1 and len(page.lines[0]) == 1
        assert overlaps(boxes_of(page), true).max(axis=0).min() > 0.5

    @pytest.mark.parametrize("level, noise", [(1, 0), (0, 0), (0.7, 0.02)])
    def test_an_empty_page(self, level, noise):
        grey = (level + noise * np.random.default_rng(0).random((80, 90))).astype(np.float32)
        page = reader.read(grey, CharacterNet())
        assert page.lines == [] and page.text == [] and page.ink.shape == grey.shape

    def test_large_photographs_give_boxes_of_the_photograph(self):
        grey, true = page_and_boxes(["BIG WORD"], letter=60, noise=0.0)
        large = np.kron(grey, np.ones((5, 5), np.float32))
        found = boxes_of(reader.read(large, Templates()))
        assert max(large.shape) > binarize.LONG_SIDE and len(found) == len(true)
        assert overlaps(found, 5 * true).max(axis=0).min() > 0.7

    def test_errors(self):
        with pytest.raises(ValueError, match=r"at least 8 x 8 pixels, got \(4, 4\)"):
            reader.read(np.ones((4, 4), np.float32), CharacterNet())


class TestParts:
    def test_crops_have_one_pen_whatever_the_stroke(self):
        ink = []
        for pen in (2, 6, 14):
            mask = np.zeros((100, 60), bool)
            mask[:, :pen] = mask[-pen:] = True
            ink.append(float((1 - crops.crop(mask)).sum()))
        assert max(ink) / min(ink) < 1.25

    def test_lines_that_rise_and_one_letter(self):
        boxes = [[100 * row - x // 12, x, 100 * row - x // 12 + 50, x + 30]
                 for row in (1, 2, 3) for x in range(0, 900, 60)]
        order = np.random.default_rng(0).permutation(len(boxes))
        grouped = lines.group_lines([boxes[i] for i in order])
        assert [[order[i] for i in line] for line in grouped] == [list(range(k, k + 15)) for k in (0, 15, 30)]
        assert lines.group_lines([]) == [] and lines.group_lines([[0, 0, 9, 9]]) == [[0]]
        assert lines.words_of([], 1.0) == []

    def test_gaps_of_one_kind_make_no_words(self):
        random = np.random.default_rng(0)
        starts = np.cumsum(10 + random.uniform(0, 7, 60))
        line = np.stack([0 * starts, starts, 0 * starts + 10, starts + 8], axis=1)
        for page in ([line], [], [line[:1]]):
            assert lines.gap_limit(page) == lines.LETTER_GAP

    def test_a_word_is_letters_or_digits(self):
        def sign(first, second):
            table = np.full(36, 1e-4)
            table[CLASSES.index(first)], table[CLASSES.index(second)] = 0.6, 0.4
            return reader.Sign(None, table)

        def text(word):
            return "".join(CLASSES[i] for i in reader._in_context(word))
        assert text([sign("D", "0"), sign("0", "O")]) == "DO" and text([sign("0", "O")]) == "0"
        assert text([sign("1", "I"), sign("O", "0"), sign("4", "A")]) == "104"

    def test_correction(self, tmp_path):
        table = np.full((3, 36), 1e-3)
        table[[0, 1, 2], [CLASSES.index(c) for c in "C4T"]] = 0.7
        table[1, 0] = 0.2
        assert words.correct(table, {"CAT", "DOG", "CATS"}) == "CAT"
        assert words.correct(table, {"DOG"}) is None and words.correct(table, {"CATS"}) is None
        page = reader.Page([[[reader.Sign(None, row, CLASSES[row.argmax()]) for row in table]]], None)
        assert page.text == ["C4T"] and page.corrected({"CAT"}) == ["CAT"] == page.corrected({"CAT", "C8T"})
        with pytest.raises(FileNotFoundError, match="--words names a text file"):
            words.load_words(tmp_path / "none.txt")
        (tmp_path / "empty.txt").write_text("it's\n")
        with pytest.raises(ValueError, match="no word of A-Z and 0-9"):
            words.load_words(tmp_path / "empty.txt")

    def test_scores(self):
        figures = score.compare(["AB", "CD"], ["AB", "XCD"])
        assert figures["right"] == figures["characters"] == 4 and figures["error_rate"] == 0.25
        assert score.compare(["AB C"], [])["accuracy"] == 0
        assert score.align("", "") == [] and score.align("A", "") == [("A", "")]
        with pytest.raises(ValueError, match="empty truth"):
            score.character_error_rate("", "A")


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "model.safetensors"
    checkpoint.save(path, CharacterNet())
    return path


class TestCommand:
    def test_writes_text_pictures_and_json(self, tmp_path, weights, capsys):
        grey, true = page_and_boxes(letter=40)
        Image.fromarray((255 * grey).astype(np.uint8)).convert("RGB").save(tmp_path / "page.jpg", quality=90)
        (tmp_path / "truth.json").write_text(json.dumps({"page.jpg": TEXT}))
        (tmp_path / "words.txt").write_text("fox jumps")
        code = main(["read-text", str(tmp_path / "page.jpg"), "--weights", str(weights), "--out",
                     str(tmp_path / "out"), "--truth", str(tmp_path / "truth.json"),
                     "--words", str(tmp_path / "words.txt")])
        shown = capsys.readouterr().out
        assert code == 0 and "characters right" in shown and "corrected by the words" in shown
        result = json.loads((tmp_path / "out" / "page.json").read_text())
        assert abs(sum(len(word) for line in result["lines"] for word in line) - len(true)) <= 1
        assert result["score"]["characters"] == len(true) and len(result["corrected"]) == 2
        for name in ("page.png", "page-ink.png"):
            with Image.open(tmp_path / "out" / name) as image:
                image.load()
        with Image.open(tmp_path / "out" / "page-ink.png") as image:
            assert sorted(np.unique(image)) == [0, 255] and np.mean(image) > 200      # black on white

    def test_errors(self, tmp_path, weights, capsys, monkeypatch):
        def error(*arguments):
            assert main(["read-text", *map(str, arguments)]) == 1
            return capsys.readouterr().err

        (tmp_path / "text.png").write_text("no picture")
        (tmp_path / "bad.json").write_text("[1]")
        Image.new("L", (40, 40), 255).save(tmp_path / "white.png")
        assert "no picture" in error(tmp_path / "none.jpg", "--weights", weights)
        assert "no image of the formats" in error(tmp_path / "text.png", "--weights", weights)
        assert "no checkpoint" in error(tmp_path / "white.png", "--weights", tmp_path / "none")
        assert "no whole safetensors" in error(tmp_path / "white.png", "--weights", tmp_path / "text.png")
        assert "must hold {file name" in error(
            tmp_path / "white.png", "--weights", weights, "--truth", tmp_path / "bad.json")
        monkeypatch.chdir(tmp_path)
        assert "train the network" in error(tmp_path / "white.png")
        monkeypatch.setitem(__import__("sys").modules, "skimage", None)
        assert "pip install scikit-image" in error(tmp_path / "white.png", "--weights", weights)

    def test_newest_weights(self, tmp_path):
        for name in ("nist36-deep-1", "nist36-deep-2"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "model.safetensors").write_bytes(b"")
        assert newest_weights(tmp_path).name == "model.safetensors"

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "I;16", "F"])
    def test_picture_modes(self, tmp_path, mode):
        image = Image.new("L", (20, 10), 255)
        path = tmp_path / ("page.tif" if mode == "F" else "page.png")
        deep = Image.fromarray(np.full((10, 20), 60000, np.uint16))
        (deep if mode == "I;16" else image.convert(mode)).save(path)
        grey = pictures.load_grey(path)
        assert grey.shape == (10, 20) and grey.dtype == np.float32 and grey.min() > 0.9
