"""``python -m nets read-text IMAGE...``: the text of photographs, with annotated pictures and JSON."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

__all__ = ["SUMMARIES", "add_parser"]

SUMMARIES = {"read-text": "the text of photographs of handwritten capitals and digits"}


def add_parser(commands) -> None:
    """Add ``read-text`` to the commands of ``python -m nets``."""
    parser = commands.add_parser(
        "read-text", help="read handwritten capitals and digits in photographs",
        description="Read handwritten capitals and digits in photographs: prints the text and writes, for "
                    "each picture, the letters' boxes with readings and confidence, the ink in black on "
                    "white, and a JSON file. Needs scikit-image (pip install '.[ocr]').",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="photographs of pages")
    parser.add_argument("--weights", metavar="FILE",
                        help="model.safetensors of a nist36-deep run (none: of the newest run under runs/)")
    parser.add_argument("--words", metavar="FILE",
                        help="a text file with words; a second reading is corrected by it")
    parser.add_argument("--truth", metavar="FILE",
                        help="JSON {file name: [lines of text]}; the reading is scored against it")
    parser.add_argument("--no-context", action="store_true",
                        help="read every letter by itself, also O or 0, I or 1")
    parser.add_argument("--out", metavar="DIR", help="folder of results (none: runs/read-text-date-time)")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(act=_read_text)


def _read_text(options) -> int:
    from nets.reading.binarize import need_skimage

    need_skimage()
    from nets.reading import pictures, reader, words
    from nets.runs import Run, write_json

    # Everything that can be wrong with the arguments comes before the first page is read.
    vocabulary = words.load_words(options.words) if options.words else None
    truth = _load_truth(options.truth) if options.truth else {}
    pages = [(Path(path), pictures.load_grey(path)) for path in options.images]
    weights = Path(options.weights) if options.weights else newest_weights()
    net = load_net(weights)
    run = Run("read-text", {"images": [str(path) for path, _ in pages], "weights": weights,
                            "words": options.words, "context": not options.no_context}, options.out)
    scores = []
    for number, (path, grey) in enumerate(pages):
        page = reader.read(grey, net, context=not options.no_context)
        stem = path.stem if [p.stem for p, _ in pages].count(path.stem) == 1 else f"{number}-{path.stem}"
        result = {"image": path.name, **page.as_json()}
        print(f"{path.name}:" if page.lines else f"{path.name}: no letters found")
        for line in page.text:
            print(f"  {line}")
        if vocabulary:
            result["corrected"] = page.corrected(vocabulary)
            print("corrected by the words:", *result["corrected"], sep="\n  ")
        if path.name in truth:
            result["score"] = _score(path.name, truth[path.name], result)
            scores.append(result["score"])
        pictures.annotated(run.path(f"{stem}.png"), grey, page)
        pictures.ink_picture(run.path(f"{stem}-ink.png"), page.ink)
        write_json(run.path(f"{stem}.json"), result)
        run.log(image=path.name, text=page.text, **result.get("score", {}))
    if scores:
        total = {key: sum(score[key] for score in scores) for key in ("characters", "right", "found")}
        print(f"all pages: {total['right']} of {total['characters']} characters right "
              f"({total['right'] / total['characters']:.1%})")
        run.finish(**total, accuracy=total["right"] / total["characters"])
    else:
        run.finish()
    print(f"pictures and JSON: {run.folder}")
    return 0


def newest_weights(folder="runs") -> Path:
    """``model.safetensors`` of the newest nist36-deep run; FileNotFoundError says how to make one."""
    found = list(Path(folder).glob("nist36-deep-*/model.safetensors"))
    if not found:
        raise FileNotFoundError(f"no weights: there is no {folder}/nist36-deep-*/model.safetensors; train "
                                "the network (python -m nets run nist36-deep --data DIR) or name a file "
                                "(--weights FILE)")
    return max(found, key=lambda path: path.stat().st_mtime)


def load_net(path):
    """The network of ``nist36-deep`` with the weights of a file; errors as `nets.checkpoint.load`."""
    from nets import checkpoint
    from nets.handwriting import CharacterNet

    net = CharacterNet()
    checkpoint.load(path, net)
    return net.eval()


def _load_truth(path) -> dict:
    """{file name: lines}; ValueError for other content."""
    try:
        truth = json.loads(Path(path).read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not JSON ({error})") from error
    lines = truth.values() if isinstance(truth, dict) else [None]
    if not all(isinstance(page, list) and page and all(isinstance(line, str) for line in page)
               and "".join(page).strip() for page in lines):
        raise ValueError(f"{path} must hold {{file name: [line of text, ...]}}, every page with some text")
    return truth


def _score(name, truth, result) -> dict:
    """Figures of one page, printed."""
    from nets.reading.score import compare

    figures = compare(truth, result["text"])
    print(f"{name}: {figures['right']} of {figures['characters']} characters right "
          f"({figures['accuracy']:.1%}), {figures['found']} found, "
          f"character error rate {figures['error_rate']:.3f}, with spaces and lines "
          f"{figures['text_error_rate']:.3f}")
    if "corrected" in result:
        figures["corrected"] = compare(truth, result["corrected"])
        print(f"{name} corrected by the words: {figures['corrected']['right']} right "
              f"({figures['corrected']['accuracy']:.1%}), character error rate "
              f"{figures['corrected']['error_rate']:.3f}")
    return figures
