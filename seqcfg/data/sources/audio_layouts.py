"""Audio corpora in the layouts they are published in: Kaldi, LibriSpeech, LJSpeech, Sphinx, and audio beside transcripts."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Literal

from seqcfg.component.component import param
from seqcfg.component.types import DataPath, Text
from seqcfg.data.lines import read_lines
from seqcfg.data.root import DataRoot
from seqcfg.data.sources.audio import AudioSource, Utterance
from seqcfg.errors import UserError

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".sph")


class Kaldi(AudioSource, type="kaldi"):
    """A Kaldi data directory: wav.scp and text, and segments where utterances are parts of recordings.

    Audio paths are taken below the data root. A command in wav.scp (a line that ends with |) is never run: damaged.
    """

    path: DataPath = param(doc="The data directory.")
    has_segments: bool = param(default=False, doc="Whether a file `segments` cuts the recordings into utterances.")
    audio_folder: Text = param(default="", doc="Folder below the data root that the paths in wav.scp start from.")

    def paths(self) -> list[str]:
        """The tables of the directory; the audio files are named in them."""
        names = ["wav.scp", "text"] + ["segments"] * self.has_segments
        return [f"{self.path}/{name}" for name in names]

    def utterances(self, root: DataRoot) -> Iterator[Utterance]:
        """One per line of `text`, in its order."""
        wav = {key: (rest, line) for key, rest, line in _table(root, f"{self.path}/wav.scp")}
        segments = {key: (rest, line) for key, rest, line in _table(root, f"{self.path}/segments")} if self.has_segments else {}
        name = f"{self.path}/text"
        for key, text, number in _table(root, name):
            recording, offset, duration = key, 0.0, None
            if self.has_segments:
                cells = segments.get(key, ("", 0))[0].split()
                try:
                    recording, start, end = cells[0], float(cells[1]), float(cells[2])
                except (IndexError, ValueError):
                    yield Utterance("", text, key, name, number, problem=f"{key} has no line of three values in segments")
                    continue
                offset, duration = start, end - start
            audio = wav.get(recording, ("", 0))[0]
            problem = f"{recording} is not in wav.scp" if not audio else ""
            if audio.endswith("|"):
                problem = f"wav.scp:{wav[recording][1]} is a command, and commands are not run: convert the audio"
            yield Utterance(_below(self.audio_folder, audio), text, key, name, number, offset, duration, problem)


class LibriSpeech(AudioSource, type="librispeech"):
    """LibriSpeech's folders: speaker/chapter/speaker-chapter.trans.txt with the .flac files beside it (Panayotov et al. 2015)."""

    path: DataPath | list[DataPath] = param(doc="Folder or folders of a part, such as LibriSpeech/train-clean-100.")
    audio_suffix: Text = param(default=".flac", doc="Ending of the audio files.")

    def paths(self) -> list[str]:
        """The transcripts; the audio files lie beside them."""
        return [f"{path}/**/*.trans.txt" for path in ([self.path] if isinstance(self.path, str) else self.path)]

    def utterances(self, root: DataRoot) -> Iterator[Utterance]:
        """One per line of the transcripts."""
        for name in root.expand(self.paths()):
            for key, text, number in _table(root, name):
                yield Utterance(str(PurePosixPath(name).with_name(key + self.audio_suffix)), text, key, name, number)


class LJSpeech(AudioSource, type="ljspeech"):
    """LJSpeech's folder: metadata.csv with name|text|normalised text, and wavs/ (Ito and Johnson 2017)."""

    path: DataPath = param(doc="The corpus's folder.")
    is_normalized: bool = param(default=True, doc="Whether the text is the one with numbers and abbreviations written out.")

    def paths(self) -> list[str]:
        """The table; the audio files are named in it."""
        return [f"{self.path}/metadata.csv"]

    def utterances(self, root: DataRoot) -> Iterator[Utterance]:
        """One per line of the table."""
        name = self.paths()[0]
        for line in read_lines(root.resolve(name), name):
            cells = line.text.split("|")
            problem = line.problem or ("" if len(cells) == 3 else f"{len(cells)} columns instead of 3")
            text = "" if problem else cells[2 if self.is_normalized else 1]
            yield Utterance(f"{self.path}/wavs/{cells[0]}.wav", text, cells[0], name, line.number, problem=problem)


class Sphinx(AudioSource, type="sphinx"):
    """CMU Sphinx lists: a .fileids file of paths, and a .transcription file of `<s> TEXT </s> (name)` (AN4 comes so)."""

    fileids: DataPath = param(doc="List of audio paths without their ending.")
    transcription: DataPath = param(doc="Transcripts, each with its name in brackets; may hold more than fileids lists.")
    audio_folder: Text = param(default="", doc="Folder below the data root that the listed paths start from.")
    audio_suffix: Text = param(default=".wav", doc="Ending of the audio files.")
    only: list[Text] = param(factory=list, doc="Patterns of listed paths that are read, such as */fplp/*; all if empty.", is_later=True)
    without: list[Text] = param(factory=list, doc="Patterns of listed paths that are passed over.", is_later=True)

    def paths(self) -> list[str]:
        """Both lists; the audio files are named in the first."""
        return [self.fileids, self.transcription]

    def utterances(self, root: DataRoot) -> Iterator[Utterance]:
        """One per line of fileids that is chosen."""
        texts = {}
        for line in read_lines(root.resolve(self.transcription), self.transcription):
            text, _, name = line.text.rstrip().rpartition("(")
            texts[name.rstrip(")")] = " ".join(word for word in text.split() if word not in ("<s>", "</s>"))
        for line in read_lines(root.resolve(self.fileids), self.fileids):
            path = line.text.strip()
            if not _is_chosen(path, self.only, self.without):
                continue
            key = PurePosixPath(path).name
            problem = line.problem or ("" if key in texts else f"{key} has no transcript in {self.transcription}")
            audio = _below(self.audio_folder, path + self.audio_suffix)
            yield Utterance(audio, texts.get(key, ""), key, self.fileids, line.number, problem=problem)


class AudioFolder(AudioSource, type="audio_folder"):
    """Audio files of a folder; the text stands in a file beside each, in its folder's name, or in its own name.

    `text: beside` reads the file of the same name that ends in .lab or .txt; `folder` takes the folder's name, and
    `name` what comes before the first underscore of the file's name (0_george_12.wav says 0).
    """

    path: DataPath = param(doc="Folder, with all folders in it; or a pattern of files.")
    text: Literal["beside", "folder", "name"] = param(default="beside", doc="Where the text is found.")

    def paths(self) -> list[str]:
        """All files of the folder."""
        return [self.path if any(mark in self.path for mark in "*?[") else f"{self.path}/**/*"]

    def utterances(self, root: DataRoot) -> Iterator[Utterance]:
        """One per audio file, in order of their names."""
        there = root.expand(self.paths())
        names = set(there)
        for number, name in enumerate((one for one in there if one.lower().endswith(AUDIO_SUFFIXES)), 1):
            file = PurePosixPath(name)
            text, problem = file.parent.name if self.text == "folder" else file.name.partition("_")[0], ""
            if self.text == "beside":
                beside = next((str(file.with_suffix(end)) for end in (".lab", ".txt") if str(file.with_suffix(end)) in names), "")
                lines = list(read_lines(root.resolve(beside), beside)) if beside else []
                problem = next((line.problem for line in lines if line.problem), "") if beside else "has no .lab or .txt file beside it"
                text = " ".join(line.text.strip() for line in lines)
            yield Utterance(name, text, file.stem, name, number, problem=problem)


def _table(root: DataRoot, name: str) -> Iterator[tuple[str, str, int]]:
    """(key, the rest, line) of each line of `key rest`; raises UserError at a damaged line, whose key nobody can tell."""
    for line in read_lines(root.resolve(name), name):
        if line.problem:
            raise UserError(f"{name}:{line.number}: {line.problem}", hint="mend the line")
        key, _, rest = line.text.strip().partition(" ")
        if key:
            yield key, rest.strip(), line.number


def _is_chosen(path: str, only: list[str], without: list[str]) -> bool:
    return (not only or any(fnmatchcase(path, one) for one in only)) and not any(fnmatchcase(path, one) for one in without)


def _below(folder: str, path: str) -> str:
    return f"{folder.rstrip('/')}/{path}" if folder else path
