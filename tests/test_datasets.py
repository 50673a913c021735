"""Data sets read what was written, with torchvision's attributes and texts."""

import csv
import gzip
import pickle

import numpy as np
import pytest
import scipy.io
from data_files import RNG, as_images, png, tar, write_cifar, write_json, write_mnist, write_pictures

import tinygrad_hw as thw
from tinygrad_hw.utils.data import ConcatDataset, DataLoader, Subset
from tinygrad_hw.vision import datasets as D
from tinygrad_hw.vision import transforms as T
from tinygrad_hw.vision.datasets import shapes


class TestMNIST:
    @pytest.mark.parametrize("kind", [D.MNIST, D.FashionMNIST])
    @pytest.mark.parametrize("zipped", [True, False])
    @pytest.mark.parametrize("place", ["raw", "plain"])
    def test_reads_what_was_written(self, tmp_path, kind, zipped, place):
        images, labels = write_mnist(tmp_path / (f"{kind.__name__}/raw" if place == "raw" else ""),
                                     zipped=zipped)
        dataset = kind(str(tmp_path), transform=T.ToTensor(), target_transform=lambda label: -label)
        assert len(dataset) == 7 and dataset.data.shape == (7, 28, 28)
        np.testing.assert_array_equal(dataset.data.array, images)
        assert dataset.targets.tolist() == labels.tolist() and dataset.targets.dtype == thw.int64
        image, label = dataset[3]
        np.testing.assert_array_equal(image.array[0], images[3] / np.float32(255))
        assert label == -int(labels[3])
        assert len(dataset.classes) == 10 and dataset.class_to_idx[dataset.classes[4]] == 4
        assert not np.array_equal(kind(tmp_path, train=False).data.array, images)

    def test_sample_and_text(self, tmp_path):
        write_mnist(tmp_path)
        dataset = D.MNIST(tmp_path, transform=T.Compose([T.ToTensor()]))
        assert D.MNIST(tmp_path)[0][0].mode == "L"
        head = f"Dataset MNIST\n    Number of datapoints: 7\n    Root location: {tmp_path}\n    Split: "
        assert repr(dataset) == head + ("Train\n    StandardTransform\n    Transform: Compose(\n"
                                        "                   ToTensor()\n               )")

    def test_missing(self, tmp_path):
        with pytest.raises(RuntimeError, match=r"MNIST: Dataset not found.*use download=True"):
            D.MNIST(tmp_path)


class TestCIFAR:
    @pytest.mark.parametrize("kind, classes", [(D.CIFAR10, 10), (D.CIFAR100, 100)])
    @pytest.mark.parametrize("protocol", [2, 4, 5])
    def test_python_version(self, tmp_path, kind, classes, protocol):
        images, labels = write_cifar(tmp_path, classes, protocol=protocol)
        dataset = kind(tmp_path)
        np.testing.assert_array_equal(dataset.data, images)
        assert dataset.targets == labels and dataset.classes[3] == "kind 3"
        image, label = dataset[1]
        np.testing.assert_array_equal(np.asarray(image), images[1])
        assert label == labels[1] and len(kind(tmp_path, train=False)) == 4

    def test_keys_of_python_2_read_by_python_3(self, tmp_path):
        images, labels = write_cifar(tmp_path)
        for path in (tmp_path / "cifar-10-batches-py").iterdir():
            entry = pickle.loads(path.read_bytes())
            path.write_bytes(pickle.dumps({key.encode(): value for key, value in entry.items()}, 2))
        assert D.CIFAR10(tmp_path).targets == labels

    def test_an_archive_is_read_as_it_is(self, tmp_path):
        images, labels = write_cifar(tmp_path / "unpacked")
        files = {f"cifar-10-batches-py/{path.name}": path.read_bytes()
                 for path in sorted((tmp_path / "unpacked/cifar-10-batches-py").iterdir())}
        tar(tmp_path / "cifar-10-python.tar.gz", files)
        np.testing.assert_array_equal(D.CIFAR10(tmp_path).data, images)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["cifar-10-python.tar.gz", "unpacked"]

    def test_an_incomplete_set_is_said(self, tmp_path):
        _, labels = write_cifar(tmp_path)
        (tmp_path / "cifar-10-batches-py/data_batch_3").unlink()
        with pytest.warns(UserWarning, match="lacks data_batch_3: the train set is not complete"):
            assert len(D.CIFAR10(tmp_path)) == 16

    @pytest.mark.parametrize("kind, skip", [(D.CIFAR10, 1), (D.CIFAR100, 2)])
    def test_binary_version(self, tmp_path, kind, skip):
        folder = tmp_path / kind.binary_folder
        folder.mkdir()
        rows = RNG.integers(0, 256, (5, skip + 3072), dtype=np.uint8)
        rows[:, :skip] %= 10
        for name in kind.train_list + kind.test_list:
            (folder / f"{name}.bin").write_bytes(rows.tobytes())
        names = [f"kind{n}" for n in range(kind.class_count)]
        (folder / kind.binary_meta).write_text("\n".join(names) + "\n\n")
        dataset = kind(tmp_path, train=False)
        np.testing.assert_array_equal(dataset.data, as_images(rows[:, skip:]))
        assert dataset.targets == rows[:, skip - 1].tolist() and dataset.classes == names


class TestFolders:
    def test_image_folder(self, tmp_path):
        write_pictures(tmp_path)
        (tmp_path / "cat" / "deep").mkdir()
        (tmp_path / "cat" / "deep" / "x.PNG").write_bytes(png())
        (tmp_path / "cat" / "notes.txt").write_text("no image")
        dataset = D.ImageFolder(str(tmp_path), T.ToTensor(), lambda label: label + 10)
        assert dataset.classes == ["cat", "dog"] and dataset.class_to_idx == {"cat": 0, "dog": 1}
        assert dataset.targets == [0] * 4 + [1] * 3 and dataset.imgs is dataset.samples
        assert dataset.samples[0] == (str(tmp_path / "cat" / "0.png"), 0)
        image, label = dataset[4]
        assert image.shape == (3, 6, 8) and label == 11
        assert repr(dataset).startswith(
            "Dataset ImageFolder\n    Number of datapoints: 7\n    Root location"
        )

    def test_dataset_folder(self, tmp_path):
        write_pictures(tmp_path)
        dataset = D.DatasetFolder(tmp_path, len, is_valid_file=lambda path: path.endswith("1.png"))
        assert dataset.targets == [0, 1] and dataset[0][0] == len(dataset.samples[0][0])

    @pytest.mark.parametrize(
        "prepare, error, text",
        [
            (lambda root: None, FileNotFoundError, "Couldn't find any class folder in"),
            (
                lambda root: (root / "cat").mkdir(),
                FileNotFoundError,
                "no valid file for the classes cat .*jpg",
            ),
        ],
    )
    def test_errors(self, tmp_path, prepare, error, text):
        prepare(tmp_path)
        with pytest.raises(error, match=text):
            D.ImageFolder(tmp_path)

    def test_allow_empty(self, tmp_path):
        (tmp_path / "cat").mkdir()
        assert len(D.ImageFolder(tmp_path, allow_empty=True)) == 0
        with pytest.raises(ValueError, match="cannot be None or not None at the same time"):
            D.DatasetFolder(tmp_path, len)


class TestLists:
    def write_sun(self, root):
        write_pictures(root, ("kitchen", "park"))
        (root / "train_files.txt").write_text("park/0.png\nkitchen/1.png\n")
        (root / "train_labels.txt").write_text("1\n0\n")

    def test_sun(self, tmp_path):
        self.write_sun(tmp_path)
        dataset = D.SUN(tmp_path)
        assert dataset.classes == ["kitchen", "park"] and dataset.targets == [1, 0]
        assert dataset[0][0].getpixel((0, 0)) == (100, 0, 7)
        with pytest.raises(FileNotFoundError, match="test_files.txt"):
            D.SUN(tmp_path, train=False)

    @pytest.mark.parametrize("files, labels, text", [
        ("park/0.png", "1\n0", "names 1 files, but train_labels.txt holds 2 labels"),
        ("park/0.png", "x", "a line holds no whole number"),
        ("park/0.png", "2", r"label 2 of sample 0 is not in 0..1"),
        ("park/0.png", "0", "has label 0, which is the class 'kitchen'"),
        ("../park/0.png", "1", "leads out of its folder"),
        ("/etc/passwd", "1", "leads out of its folder")])
    def test_sun_errors(self, tmp_path, files, labels, text):
        self.write_sun(tmp_path)
        (tmp_path / "train_files.txt").write_text(files)
        (tmp_path / "train_labels.txt").write_text(labels)
        with pytest.raises(ValueError, match=text):
            D.SUN(tmp_path)

    def test_coco_subset(self, tmp_path):
        write_pictures(tmp_path, ("train", "val"), 2)
        write_json(tmp_path / "my_dataset.txt", {
            "train": [{"img": "1.png", "label": "dog"}, {"img": "0.png", "label": "bus"}],
            "val": [{"img": "0.png", "label": "bus"}], "categories": ["bus", "dog"]})
        dataset = D.COCOSubset(tmp_path)
        assert dataset.targets == [1, 0] and dataset.classes == ["bus", "dog"]
        assert dataset[0][0].getpixel((0, 0)) == (0, 50, 7)
        assert D.COCOSubset(tmp_path, "val")[0][0].getpixel((0, 0)) == (100, 0, 7)
        with pytest.raises(ValueError, match="Unknown value 'test' for argument split"):
            D.COCOSubset(tmp_path, "test")

    @pytest.mark.parametrize(
        "content, text",
        [
            ({"val": []}, "no lists 'train'"),
            ([], "no lists 'train'"),
            ({"train": [{"img": "a.png", "label": "cow"}], "categories": ["bus"]}, "entry 0 of 'train'"),
            (
                {"train": [{"img": "../a.png", "label": "bus"}], "categories": ["bus"]},
                "leads out of its folder",
            ),
        ],
    )
    def test_coco_errors(self, tmp_path, content, text):
        write_json(tmp_path / "my_dataset.txt", content)
        with pytest.raises(ValueError, match=text):
            D.COCOSubset(tmp_path)

    def test_csv(self, tmp_path):
        write_pictures(tmp_path, ("images",))
        with open(tmp_path / "labels.csv", "w", newline="") as file:
            csv.writer(file).writerows([["age", "file"], [10, "images/0.png"], [9, "images/2.png"]])
        dataset = D.CSVFolder(tmp_path, path_column="file", label_column="age")
        assert dataset.classes == ["9", "10"] and dataset.targets == [1, 0]  # by size, not by letters
        assert dataset[1][0].getpixel((0, 0)) == (0, 100, 7)
        with pytest.raises(ValueError, match=r"columns \['age', 'file'\], not 'sex'"):
            D.CSVFolder(tmp_path, path_column="file", label_column="sex")
        (tmp_path / "labels.csv").write_text("file,label\na.png\n")
        with pytest.raises(ValueError, match="line 2 has 1 columns, 2 belong there"):
            D.CSVFolder(tmp_path)

    def test_pages(self, tmp_path):
        (tmp_path / "1.png").write_bytes(png())
        write_json(tmp_path / "ground_truth.json", {"1.png": ["TO DO", "NAP"]})
        image, lines = D.TextPages(tmp_path)[0]
        assert image.size == (8, 6) and lines == ["TO DO", "NAP"]


class TestArrays:
    def test_array_dataset(self):
        data = RNG.random((5, 4, 3)).astype(np.float32)
        dataset = D.ArrayDataset(data, np.arange(5), T.ToTensor(), classes="abcde")
        image, label = dataset[2]
        assert image.shape == (1, 4, 3) and label == 2 and type(label) is int
        assert dataset.class_to_idx["e"] == 4 and len(D.ArrayDataset(data)) == 5
        batch, labels = next(iter(DataLoader(D.ArrayDataset(data, np.arange(5)), batch_size=5)))
        np.testing.assert_array_equal(batch.array, data)
        assert labels.tolist() == [0, 1, 2, 3, 4]
        with pytest.raises(ValueError, match="got 5 samples and 4 targets"):
            D.ArrayDataset(data, [1, 2, 3, 4])

    def test_memory_mapped(self, tmp_path):
        data = RNG.integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)
        np.save(tmp_path / "images.npy", data)
        np.save(tmp_path / "labels.npy", np.arange(6))
        dataset = D.MemoryMappedDataset(tmp_path / "images.npy", tmp_path / "labels.npy")
        assert isinstance(dataset.data, np.memmap)
        image, label = dataset[3]
        image[:] = 0  # a copy: the file keeps its content
        np.testing.assert_array_equal(dataset[3][0], data[3])
        assert label == 3 and type(label) is int
        again = pickle.dumps(dataset)
        assert len(again) < 1000 and isinstance(pickle.loads(again).data, np.memmap)
        context = dict(num_workers=1, multiprocessing_context="fork")
        batches = [batch.array for batch, _ in DataLoader(dataset, batch_size=4, **context)]
        np.testing.assert_array_equal(np.concatenate(batches), data)

    def test_fake_data(self):
        dataset = D.FakeData(6, (1, 5, 4), 3, T.ToTensor())
        assert dataset[2][0].shape == (1, 5, 4) and dataset[2][0].tolist() == dataset[2][0].tolist()
        assert dataset[2][0].tolist() != dataset[3][0].tolist()
        assert {dataset[index][1] for index in range(6)} <= {0, 1, 2}
        with pytest.raises(IndexError):
            dataset[6]
        assert repr(D.FakeData(3)) == "Dataset FakeData\n    Number of datapoints: 3"


class TestEmbedded:
    def test_nist36(self, tmp_path):
        data = RNG.random((4, 1024))
        labels = np.eye(36)[[0, 25, 26, 35]]
        scipy.io.savemat(tmp_path / "a_train.mat", {"train_data": data, "train_labels": labels})
        dataset = D.NIST36(tmp_path)
        assert dataset.targets == [0, 25, 26, 35] and "".join(dataset.classes)[25:27] == "Z0"
        np.testing.assert_allclose(dataset.values[1], data[1].reshape(32, 32).T, rtol=1e-6)
        assert dataset[1][0].size == (32, 32)
        with pytest.raises(FileNotFoundError, match="a_valid.mat"):
            D.NIST36(tmp_path, split="val")

    def test_shapes5(self, tmp_path, monkeypatch):
        monkeypatch.setattr(shapes, "SPLITS", {"train": range(0, 3), "validation": range(3, 5),
                                               "test": range(5, 6)})
        dataset = D.Shapes5(tmp_path, "val")
        assert dataset.data.shape == (10, 64, 64, 3) and dataset.targets == [
            0,
            0,
            1,
            1,
            2,
            2,
            3,
            3,
            4,
            4,
        ]
        np.testing.assert_array_equal(dataset.data[4], shapes.draw("car", 3))
        assert [path.name for path in tmp_path.iterdir()] == ["shapes5-0.npz"]
        monkeypatch.setattr(shapes, "_draw_all", lambda *args: pytest.fail("drawn again"))
        assert dataset.targets == D.Shapes5(tmp_path, "val").targets
        assert len({shapes.draw(name, 0, seed).tobytes() for name in ("car", "tree")
                    for seed in (0, 1)}) == 4
        with pytest.raises(ValueError, match="knows the classes balloon"):
            shapes.draw("cow", 0)

    def test_transforms_and_both(self):
        both = D.VisionDataset("x", transforms=lambda image, target: (target, image))
        assert both.changed(1, 2) == (2, 1)
        with pytest.raises(ValueError, match="Only transforms or transform/target_transform"):
            D.VisionDataset("x", transforms=both.transforms, transform=abs)


class TestErrorsOfWorkers:
    """An error names the sample's index and its file."""

    @pytest.mark.parametrize("wrap, index", [
        (lambda dataset: dataset, 4), (lambda dataset: Subset(dataset, [0, 4]), 1),
        (lambda dataset: ConcatDataset([dataset, dataset]), 4)])
    def test_index_and_file(self, tmp_path, wrap, index):
        write_pictures(tmp_path)
        (tmp_path / "dog" / "1.png").write_bytes(png()[:-30])
        dataset = wrap(D.ImageFolder(tmp_path, T.ToTensor()))
        with pytest.raises(ValueError, match=r"dog/1.png: the image is damaged or cut short"):
            list(DataLoader(dataset, batch_size=3))
        with pytest.raises(ValueError) as caught:
            list(DataLoader(dataset, batch_size=3, num_workers=1))
        file = tmp_path / "dog" / "1.png"
        assert f"It was fetching sample index {index} ({file})." in str(caught.value)

    def test_a_transform_that_fails(self, tmp_path):
        write_pictures(tmp_path)
        dataset = D.ImageFolder(tmp_path, T.RandomCrop(100))
        with pytest.raises(ValueError, match=r"sample index 0 \(.*cat/0.png\)[\s\S]*Required crop size"):
            list(DataLoader(dataset, num_workers=1))


def test_gzip_of_idx_with_several_members(tmp_path):
    """gzip files may be strung together."""
    images, _ = write_mnist(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content[:100]) + gzip.compress(content[100:]))
    np.testing.assert_array_equal(D.MNIST(tmp_path).data.array, images)
