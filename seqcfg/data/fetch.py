"""Fetching public corpora into the data root."""

from __future__ import annotations

from collections.abc import Iterator

from seqcfg.data.archive import extract
from seqcfg.data.corpora import find
from seqcfg.data.download import download
from seqcfg.data.progress import Progress, silent
from seqcfg.data.root import DataRoot

DOWNLOADS = "downloads"  # folder below the data root; archives stay there, since several corpora share them


def fetch(name: str, root: DataRoot, progress: Progress = silent) -> Iterator[str]:
    """Fetches what is missing of a corpus; yields a line about each thing done.

    Raises UserError for unknown names, servers that fail, and files that are not what was published.
    """
    corpus = find(name)
    yield f"{name}: {corpus.about}. Licence: {corpus.licence}"
    for item in corpus.items:
        if all(root.place(path).exists() for path in item.paths):
            continue
        if item.path:
            download(item.remote, root.place(item.path), progress)
        else:
            archive = root.place(f"{DOWNLOADS}/{item.remote.name}")
            if not archive.exists():
                download(item.remote, archive, progress)
            extract(archive, {member: root.place(path) for member, path in item.members})
        yield f"  {', '.join(item.paths)}"
