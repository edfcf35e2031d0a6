"""A file on a server, as its publisher describes it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class RemoteFile:
    """One file on a server.

    bytes   its size, or 0 where it is not known
    digest  "sha256:..." or "md5:..." as published; "" = recorded at the first download and compared from then on
    mirrors other places that hold the same file, tried in this order
    """

    url: str
    bytes: int = 0
    digest: str = ""
    mirrors: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.url.partition("?")[0].rpartition("/")[2]
