"""Point clouds: files of points, by class or from KITTI with labelled boxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Source
from seqcfg.component.types import DataPath, Name, PositiveInt
from seqcfg.data.example import Example
from seqcfg.data.lines import read_lines
from seqcfg.data.root import DataRoot
from seqcfg.lazy import np

SUFFIXES = (".bin", ".npy", ".off")


class PointClouds(Source, type="point_clouds"):
    """Files of points in folders named after their classes, as fields points (float32 [n, features]), label and text.

    .bin holds float32 values, .npy an array [n, features], .off a mesh whose corners are the points (ModelNet).
    The label counts the classes in order of their names from 0.
    """

    path: DataPath = param(doc="Folder that holds one folder per class; files may lie deeper.")
    num_features: PositiveInt = param(default=3, doc="Values per point: 3 for a place in space, 4 with the strength of the echo.")
    classes: list[str] = param(factory=list, doc="Names of the classes in order of their labels; left out, all folders by name.")

    def paths(self) -> list[str]:
        """All files of the folder."""
        return [f"{self.path}/**/*"]

    def field_names(self) -> tuple[str, ...]:
        """What an example has."""
        return ("points", "label", "text")

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """One example per file, in order of their names; one that cannot be read becomes an example with a problem."""
        names = [name for name in root.expand(self.paths()) if name.lower().endswith(SUFFIXES)]
        depth = len(PurePosixPath(self.path).parts)
        folders = {name: PurePosixPath(name).parts[depth] for name in names}
        labels = {name: label for label, name in enumerate(self.classes or sorted(set(folders.values())))}
        for number, name in enumerate(names, 1):
            if (folder := folders[name]) not in labels:
                continue
            try:
                points = read_points(root.resolve(name), self.num_features)
            except (OSError, ValueError) as error:
                yield Example({}, name, number, f"cannot be used: {error}")
                continue
            yield Example({"points": points, "label": np.int32(labels[folder]), "text": folder}, name, number)


class Kitti(Source, type="kitti"):
    """KITTI object detection (Geiger et al. 2012): velodyne/*.bin with label_2/*.txt and calib/*.txt of the same names.

    Fields: points float32 [n, 4] (x forward, y left, z up in metres, reflectance); boxes float32 [m, 7] (height, width,
    length, then x, y, z of the bottom's centre in the camera's frame, then rotation about its vertical axis, as labelled);
    classes int32 [m]; image_boxes float32 [m, 4]; difficulty float32 [m, 2] (truncation, occlusion); camera_from_lidar
    float32 [3, 4] (the rectified product R0 Tr), projection float32 [3, 4] (P2), and key. Other objects are left out.
    """

    path: DataPath = param(doc="Folder of a part, such as kitti/training.")
    classes: list[Name] = param(factory=lambda: ["Car", "Pedestrian", "Cyclist"], doc="Classes that are kept, in order of their numbers.")

    def paths(self) -> list[str]:
        """The scans, labels and calibrations."""
        return [f"{self.path}/velodyne/*.bin", f"{self.path}/label_2/*.txt", f"{self.path}/calib/*.txt"]

    def field_names(self) -> tuple[str, ...]:
        """What an example has."""
        return ("points", "boxes", "classes", "image_boxes", "difficulty", "camera_from_lidar", "projection", "key")

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """One example per scan, in order of their names; a damaged or missing file makes it an example with a problem."""
        for number, name in enumerate(root.expand(self.paths()[:1]), 1):
            key = PurePosixPath(name).stem
            label, calibration = f"{self.path}/label_2/{key}.txt", f"{self.path}/calib/{key}.txt"
            missing = [path for path in (label, calibration) if not root.has(path)]
            try:
                if missing:
                    raise ValueError(f"{missing[0]} is missing")
                fields = {"points": read_points(root.resolve(name), 4), "key": key}
                fields |= self._objects(root, label) | _calibration(root, calibration)
            except (OSError, ValueError) as error:
                yield Example({}, name, number, f"cannot be used: {error}")
                continue
            yield Example(fields, name, number)

    def _objects(self, root: DataRoot, name: str) -> dict[str, Any]:
        rows, classes = [], []
        for line in read_lines(root.resolve(name), name):
            cells = line.text.split()
            if line.problem or (cells and len(cells) < 15):
                raise ValueError(f"{name}:{line.number}: {line.problem or f'{len(cells)} values instead of 15'}")
            if cells and cells[0] in self.classes:
                rows.append([float(cell) for cell in cells[1:15]])
                classes.append(self.classes.index(cells[0]))
        table = np.array(rows, np.float32).reshape(-1, 14)
        parts = {"difficulty": table[:, :2], "image_boxes": table[:, 3:7], "boxes": table[:, 7:14]}
        return parts | {"classes": np.array(classes, np.int32)}


def read_points(file: Path, num_features: int) -> Any:
    """float32 [n, num_features]; raises ValueError if the file holds something else."""
    suffix = file.suffix.lower()
    if suffix == ".off":
        points = _corners(file.read_text("utf-8", errors="strict"))
    elif suffix == ".npy":
        points = np.load(file, allow_pickle=False)
    else:
        data = file.read_bytes()
        if len(data) % (4 * num_features):
            raise ValueError(f"{len(data)} bytes are no whole number of points with {num_features} float32 values")
        points = np.frombuffer(data, "<f4").reshape(-1, num_features)
    if points.ndim != 2 or points.shape[1] != num_features:
        raise ValueError(f"holds an array {list(points.shape)} instead of [n, {num_features}]")
    if not np.isfinite(points).all():
        raise ValueError(f"point {int(np.argmin(np.isfinite(points).all(axis=1))) + 1} is not finite")
    return points.astype(np.float32)


def _corners(text: str) -> Any:
    """The corners of a mesh; some files of ModelNet write the counts on the line of the word OFF."""
    words = [line.partition("#")[0] for line in text.split("\n")]
    values = " ".join(words).removeprefix("OFF").split() if text.startswith("OFF") else []
    if len(values) < 3 or len(values) < 3 + 3 * int(values[0]):
        raise ValueError("is no whole OFF file")
    return np.array(values[3 : 3 + 3 * int(values[0])], np.float64).reshape(-1, 3)


def _calibration(root: DataRoot, name: str) -> dict[str, Any]:
    values = {}
    for line in read_lines(root.resolve(name), name):
        key, mark, rest = line.text.partition(":")
        if mark:
            values[key] = np.array(rest.split(), np.float64)
    for key, size in (("P2", 12), ("R0_rect", 9), ("Tr_velo_to_cam", 12)):
        if values.get(key, np.zeros(0)).size != size:
            raise ValueError(f"{name}: needs {size} values under {key}")
    turn, move = values["R0_rect"].reshape(3, 3), values["Tr_velo_to_cam"].reshape(3, 4)
    return {"camera_from_lidar": (turn @ move).astype(np.float32), "projection": values["P2"].reshape(3, 4).astype(np.float32)}
