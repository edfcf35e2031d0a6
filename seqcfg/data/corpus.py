"""Corpus: what is known of a public corpus before it is fetched."""

from __future__ import annotations

import dataclasses

from seqcfg.data.remote import RemoteFile


@dataclasses.dataclass(frozen=True)
class Item:
    """A remote file that is kept as `path`; or an archive of which `members` (name inside -> path) are kept, or all files
    whose names begin with `prefix`, in the folder `path`. `entries` is the most that such an archive may hold."""

    remote: RemoteFile
    path: str = ""
    members: tuple[tuple[str, str], ...] = ()
    prefix: str | None = None
    entries: int = 20_000

    @property
    def paths(self) -> list[str]:
        """What it leaves below the data root."""
        return [self.path] if self.path else [path for _, path in self.members]


@dataclasses.dataclass(frozen=True)
class Corpus:
    """One corpus; `licence` is what its makers say about using it, `by_hand` how it is got where terms forbid to fetch it."""

    about: str
    licence: str
    items: tuple[Item, ...] = ()
    by_hand: str = ""
