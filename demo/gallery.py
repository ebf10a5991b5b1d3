# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Makes the demo's pictures from what scikit-image carries: python3 demo/gallery.py FOLDER

    photo.png               the photograph to identify: Eileen Collins, astronaut (NASA, public domain)
    no-face.png             a cat, to show that no face is an empty list (Chelsea, CC0)
    gallery/NAME.png        the people to enrol, one picture each
    gallery.json            {"photo": "photo.png", "noFace": "no-face.png", "expected": "...",
                             "people": [{"name", "image"}]}

What the gallery is, honestly: there is one large portrait in scikit-image, so "Eileen Collins" is enrolled with the
same photograph, made different: mirrored, cropped, darker, tilted by 4 degrees and smaller. The other people are real
faces of 25 x 25 pixels out of Labeled Faces in the Wild (skimage.data.lfw_subset), enlarged; who they are is not
recorded there, so they are called "LFW face 7" and so on. The demo shows the mesh at work with real pictures. It is no
proof that the classical descriptor recognises people: for that, see the InsightFace profile in services/face/README.md.
"""

from __future__ import annotations

import argparse
import json
import os

import numpy as np
import skimage.data
from PIL import Image

#: Faces that the cascade finds with ease.
OTHERS = (3, 11, 18, 36, 57, 75)
EXPECTED = "Eileen Collins"


def enrolled_portrait() -> Image.Image:
    """The portrait as another picture of the same face."""
    portrait = Image.fromarray(skimage.data.astronaut()).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    portrait = portrait.rotate(4, Image.Resampling.BICUBIC, center=(288, 119)).crop((128, 20, 448, 300))
    return portrait.point(lambda value: int(value * 0.75)).resize((272, 238), Image.Resampling.LANCZOS)


def other(index: int) -> Image.Image:
    """One of the small faces, enlarged six times, with a rim."""
    face = Image.fromarray(skimage.data.lfw_subset()[index].astype(np.float32))
    pixels = np.asarray(face.resize((150, 150), Image.Resampling.BICUBIC)).clip(0, 1)
    return Image.fromarray((np.pad(pixels, 75, mode="edge") * 255).astype(np.uint8)).convert("RGB")


def make(folder: str) -> None:
    """Writes all pictures and the list into the folder."""
    os.makedirs(os.path.join(folder, "gallery"), exist_ok=True)
    Image.fromarray(skimage.data.astronaut()).save(os.path.join(folder, "photo.png"))
    Image.fromarray(skimage.data.chelsea()).save(os.path.join(folder, "no-face.png"))
    people = [(EXPECTED, enrolled_portrait())]
    people += [("LFW face {}".format(index), other(index)) for index in OTHERS]
    listed = []
    for name, picture in people:
        image = "gallery/{}.png".format(name.lower().replace(" ", "-"))
        picture.save(os.path.join(folder, image))
        listed.append({"name": name, "image": image})
    with open(os.path.join(folder, "gallery.json"), "w", encoding="utf-8") as file:
        made = {"photo": "photo.png", "noFace": "no-face.png", "expected": EXPECTED, "people": listed}
        json.dump(made, file, indent=2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Makes the demo's pictures from what scikit-image carries.")
    parser.add_argument("folder")
    make(parser.parse_args().folder)
