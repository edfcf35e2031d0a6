"""Image folders: one folder per class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Source
from seqcfg.component.types import DataPath, PositiveInt
from seqcfg.data.ahead import read_ahead
from seqcfg.data.example import Example
from seqcfg.data.extras import extra
from seqcfg.data.root import DataRoot
from seqcfg.lazy import np

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".tif", ".tiff")
MAX_PIXELS = 1 << 27  # more than any camera: a decompression bomb


class ImageFolder(Source, type="image_folder"):
    """Images in folders that are named after their classes, as fields image (uint8 [height, width, channels]), label and text.

    The label counts the classes in order of their names from 0; the text is the class's name.
    """

    path: DataPath = param(doc="Folder that holds one folder per class.")
    classes: list[str] = param(factory=list, doc="Names of the classes in order of their labels; left out, all folders by name.")
    height: PositiveInt = param(doc="Height of all images, in pixels.")
    width: PositiveInt = param(doc="Width of all images, in pixels.")
    channels: Literal[1, 3] = param(default=3, doc="1 for grey, 3 for red, green and blue.")
    fit: Literal["exact", "stretch", "crop"] = param(
        default="exact",
        doc="What is done with another size: it is damaged, stretched, or scaled to cover the size and cut around the middle.",
    )

    def paths(self) -> list[str]:
        """All files of the folder."""
        return [f"{self.path}/**/*"]

    def field_names(self) -> tuple[str, ...]:
        """What an example has."""
        return ("image", "label", "text")

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """One example per image, in order of their names; one that cannot be decoded becomes an example with a problem."""
        names = [name for name in root.expand(self.paths()) if name.lower().endswith(SUFFIXES)]
        depth = len(PurePosixPath(self.path).parts)
        folders = {name: PurePosixPath(name).parts[depth] for name in names if len(PurePosixPath(name).parts) > depth + 1}
        labels = {name: label for label, name in enumerate(self.classes or sorted(set(folders.values())))}
        wanted = [one for one in enumerate(names, 1) if folders.get(one[1]) in labels or not self.classes]

        def read(one: tuple[int, str]) -> Example:
            number, name = one
            if (folder := folders.get(name)) is None:
                return Example({}, name, number, "lies in no class's folder")
            try:
                return Example({"image": self._image(root.resolve(name)), "label": np.int32(labels[folder]), "text": folder}, name, number)
            except (OSError, ValueError, SyntaxError) as error:
                return Example({}, name, number, f"cannot be used: {error}")

        return read_ahead(read, wanted)

    def _image(self, file: Path) -> Any:
        library = extra("PIL.Image", "an image folder")
        with library.open(file) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise ValueError(f"{opened.width} x {opened.height} pixels are more than an image has")
            if self.fit == "exact" and opened.size != (self.width, self.height):
                raise ValueError(f"is {opened.width} x {opened.height} and not {self.width} x {self.height} pixels")
            image = opened.convert("L" if self.channels == 1 else "RGB")
        if image.size != (self.width, self.height):
            image = image.resize((self.width, self.height), library.Resampling.BILINEAR, box=self._box(*image.size))
        return np.asarray(image, np.uint8).reshape(self.height, self.width, self.channels)

    def _box(self, width: int, height: int) -> tuple[float, float, float, float] | None:
        if self.fit != "crop":
            return None
        scale = min(width / self.width, height / self.height)
        left, top = (width - self.width * scale) / 2, (height - self.height * scale) / 2
        return left, top, left + self.width * scale, top + self.height * scale
