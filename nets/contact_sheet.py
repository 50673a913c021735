"""A contact sheet: samples of a data set in one picture, a row for each class with its name."""

from PIL import Image, ImageDraw, ImageFont

from nets.runs import atomic_write

TILE = 72  # pixels a side
GAP = 4
TEXT = 13


def contact_sheet(path, rows, tile=TILE):
    """Write a PNG with one row for each (title, images) of `rows`; images are PIL images of any size.

    Small images are enlarged by whole pixels, large ones shrunk into the tile. Raises ValueError if
    there is no image at all.

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "sheet.png")
    >>> contact_sheet(path, [("red", [Image.new("RGB", (8, 8), (255, 0, 0))] * 3)])
    >>> Image.open(path).size[1]
    80
    """
    columns = max((len(images) for _, images in rows), default=0)
    if columns == 0:
        raise ValueError("a contact sheet needs at least one image, got none")
    font = ImageFont.load_default(TEXT)
    margin = max(int(font.getlength(title)) for title, _ in rows) + 3 * GAP
    step = tile + GAP
    sheet = Image.new("RGB", (margin + columns * step + GAP, len(rows) * step + GAP), (255, 255, 255))
    pen = ImageDraw.Draw(sheet)
    for row, (title, images) in enumerate(rows):
        top = GAP + row * step
        pen.text((GAP, top + (tile - TEXT) // 2), title, fill=(0, 0, 0), font=font)
        for column, image in enumerate(images):
            fitted = _fitted(image.convert("RGB"), tile)
            left = margin + column * step
            sheet.paste(fitted, (left + (tile - fitted.width) // 2, top + (tile - fitted.height) // 2))
    with atomic_write(path) as file:
        sheet.save(file, "PNG")


def _fitted(image, tile):
    """The image with its longer side `tile` or, enlarged, a whole multiple of what it was."""
    longer = max(image.size)
    if longer <= tile:
        times = tile // longer
        return image.resize([times * side for side in image.size], Image.Resampling.NEAREST)
    return image.resize([max(1, side * tile // longer) for side in image.size], Image.Resampling.BOX)


def as_picture(sample):
    """A PIL image of what a data set yields: a PIL image, a Tensor (C, H, W), or an array (H, W[, C]).

    >>> import numpy as np
    >>> as_picture(np.zeros((4, 5), np.uint8)).size
    (5, 4)
    """
    from tinygrad_hw.vision.transforms.functional import to_pil_image

    if isinstance(sample, Image.Image):
        return sample
    image = to_pil_image(sample)
    return image.convert("L") if image.mode in ("F", "I") else image
