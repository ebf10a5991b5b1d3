# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Opening pictures that strangers send."""

from __future__ import annotations

import io
import warnings

import malla
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

#: Bytes of a picture's file.
MAX_BYTES = 64 * 1024 * 1024
#: Pixels of a picture: 50 million are 150 MB in memory. A file of a few kilobytes can claim billions.
MAX_PIXELS = 50_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")

# Our own limit is checked before anything is decoded, and says which field is wrong.
Image.MAX_IMAGE_PIXELS = None


def read(ref: object, field: str) -> Image.Image:
    """The picture of a media reference, upright (EXIF orientation applied) and in RGB; of an animation the first frame.

    Raises malla.InvalidInput that names `field` for anything that is no picture we can open.
    """
    return decode(malla.media.read(ref, field=field, limit=MAX_BYTES), field)  # type: ignore[arg-type]


def decode(content: bytes, field: str) -> Image.Image:
    """See read()."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise malla.InvalidInput(
                    field, "the picture has {} x {} pixels; the limit is {}".format(width, height, MAX_PIXELS)
                )
            picture.load()
            return _rgb(ImageOps.exif_transpose(picture))
    except malla.Failure:
        raise
    except MemoryError:
        raise
    except UnidentifiedImageError:
        raise malla.InvalidInput(field, "this is not a picture in one of {}".format(", ".join(FORMATS))) from None
    except Exception as error:
        # Decoders raise whatever comes to their mind at a damaged file: OSError, SyntaxError, struct.error, ...
        raise malla.InvalidInput(
            field, "the picture is damaged or cut short: {}".format(error)
        ) from None


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode == "RGB":
        return picture
    if picture.mode.startswith(("I", "F")):
        # 16 and 32 bit: a plain conversion would clip everything bright to white.
        values = np.asarray(picture, dtype=np.float64)
        low, high = float(values.min()), float(values.max())
        scaled = (values - low) * (255.0 / (high - low)) if high > low else np.zeros_like(values)
        return Image.fromarray(scaled.astype(np.uint8)).convert("RGB")
    if "A" in picture.getbands() or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")
    return picture.convert("RGB")
