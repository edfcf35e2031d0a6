"""Fetching public corpora into the data root."""

from __future__ import annotations

from collections.abc import Iterator

from seqcfg.data.archive import Limits, extract, extract_folder
from seqcfg.data.corpora import find
from seqcfg.data.download import download
from seqcfg.data.progress import Progress, silent
from seqcfg.data.root import DataRoot
from seqcfg.errors import UserError

DOWNLOADS = "downloads"  # folder below the data root; archives stay there, since several corpora share them


def fetch(name: str, root: DataRoot, progress: Progress = silent) -> Iterator[str]:
    """Fetches what is missing of a corpus; yields a line about each thing done.

    Raises UserError for unknown names, servers that fail, and files that are not what was published.
    """
    corpus = find(name)
    yield f"{name}: {corpus.about}. Licence: {corpus.licence}"
    if corpus.by_hand:
        raise UserError(f"{name}: its terms do not allow that it is fetched for you", hint=corpus.by_hand)
    for item in corpus.items:
        if all(root.place(path).exists() for path in item.paths):
            continue
        if item.path and item.prefix is None:
            download(item.remote, root.place(item.path), progress)
        else:
            archive = root.place(f"{DOWNLOADS}/{item.remote.name}")
            if not archive.exists():
                download(item.remote, archive, progress)
            limits = Limits(entries=item.entries)
            if item.prefix is not None:
                extract_folder(archive, item.prefix, root.place(item.path), limits)
            else:
                extract(archive, {member: root.place(path) for member, path in item.members}, limits)
        yield f"  {', '.join(item.paths)}"
