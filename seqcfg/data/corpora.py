"""Public corpora by name: where they are fetched from, how they are verified, and what of them is kept."""

from __future__ import annotations

from seqcfg.component.catalog import closest
from seqcfg.data.corpora_media import MEDIA_CORPORA
from seqcfg.data.corpus import Corpus, Item
from seqcfg.data.remote import RemoteFile
from seqcfg.errors import UserError


def find(name: str) -> Corpus:
    """The corpus of a name; raises UserError with the names there are."""
    if name not in CORPORA:
        raise UserError(f"there is no corpus called {name!r}", hint=closest(name, CORPORA) or f"one of {', '.join(sorted(CORPORA))}")
    return CORPORA[name]


MULTI30K = "https://raw.githubusercontent.com/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw"
MULTI30K_FILES = {
    "train.de.gz": (637044, "sha256:726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6"),
    "train.en.gz": (568929, "sha256:d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f"),
    "train.fr.gz": (604242, "sha256:622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c"),
    "val.de.gz": (24681, "sha256:f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a"),
    "val.en.gz": (21650, "sha256:14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28"),
    "val.fr.gz": (23001, "sha256:ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9"),
    "test_2016_flickr.de.gz": (22890, "sha256:9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8"),
    "test_2016_flickr.en.gz": (21077, "sha256:611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9"),
    "test_2016_flickr.fr.gz": (22310, "sha256:6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90"),
    "test_2017_flickr.de.gz": (21471, "sha256:a2c89666db00c495cd8513b9d708d5a3acc205d7de312ef2bf5fb7ebc1540aee"),
    "test_2017_flickr.en.gz": (19138, "sha256:76a444ee25172e72695cddb13ae4a3bda59430617be88e0bb46b60504f054074"),
    "test_2017_flickr.fr.gz": (20434, "sha256:3ba671ceb2299f3304ffafefea7a833d08632fbaf0ba18546f8a2ec2391af496"),
}
EUROPARL = RemoteFile(
    "http://www.statmt.org/wmt13/training-parallel-europarl-v7.tgz",
    657632379, "sha256:0224c7c710c8a063dfd893b0cc0830202d61f4c75c17eb8e31836103d27d96e7",
)  # fmt: skip
COMMON_CRAWL = RemoteFile(
    "http://www.statmt.org/wmt13/training-parallel-commoncrawl.tgz",
    918311367, "sha256:c7a74e2ea01ac6c920123108627e35278d4ccb5701e15428ffa34de86fa3a9e5",
)  # fmt: skip
NEWS_COMMENTARY = RemoteFile(
    "http://www.statmt.org/wmt14/training-parallel-nc-v9.tgz",
    80418416, "sha256:cb8953f292298e6877ae433c98912b927cb0766b303f4540512ddd286c748485",
)  # fmt: skip
UNITED_NATIONS = RemoteFile(
    "http://www.statmt.org/wmt13/training-parallel-un.tgz",
    2365634246, "sha256:29141b5c1eba149a94f7a59d3b1a834b2e47fe0f8758d68dcd77a3d3f497ee47",
)  # fmt: skip
GIGA = RemoteFile(
    "http://www.statmt.org/wmt10/training-giga-fren.tar",
    2595102720, "sha256:3ff8319f6919393520559bfbc7ad6a747ec81b3abc7be9993b338d4b017b4d9a",
)  # fmt: skip
DEVELOPMENT = RemoteFile(
    "http://data.statmt.org/wmt19/translation-task/dev.tgz",
    38654961, "sha256:7a7deccf82ebb05ba508dba5eb21356492224e8f630ec4f992132b029b4b25e7",
)  # fmt: skip
NEWSTEST_2014 = RemoteFile("http://www.statmt.org/wmt14/test-full.tgz", 0, "md5:a8cd784e006feb32ac6f3d9ec7eb389a")
WMT_LICENCE = "free for research; the texts belong to their makers (Europarl, Common Crawl, Project Syndicate, United Nations)"


# No digest is published: that of the first download is recorded.
IWSLT14 = RemoteFile("https://dl.fbaipublicfiles.com/fairseq/data/iwslt14/de-en.tgz")
IWSLT14_PARTS = ("TED.dev2010", "TEDX.dev2012", "TED.tst2010", "TED.tst2011", "TED.tst2012")
IWSLT14_FILES = (
    "train.tags.de-en.de", "train.tags.de-en.en",
    *(f"IWSLT14.{part}.de-en.{side}.xml" for part in IWSLT14_PARTS for side in ("de", "en")),
)  # fmt: skip


def _members(archive: RemoteFile, inside: str, *names: str, folder: str = "wmt14") -> Item:
    return Item(archive, members=tuple((f"{inside}{name}", f"{folder}/{name}") for name in names))


def _wmt14(language: str) -> tuple[Item, ...]:
    """What the en-de and en-fr tasks of 2014 share, with newstest2013 to validate and the full newstest2014 to test."""
    both = (language, "en")
    return (
        _members(EUROPARL, "training/", *(f"europarl-v7.{language}-en.{side}" for side in both)),
        _members(COMMON_CRAWL, "", *(f"commoncrawl.{language}-en.{side}" for side in both)),
        _members(NEWS_COMMENTARY, "training/", *(f"news-commentary-v9.{language}-en.{side}" for side in both)),
        _members(DEVELOPMENT, "dev/", *(f"newstest2013.{side}" for side in both)),
        _members(NEWSTEST_2014, "test-full/", f"newstest2014-{language}en-src.en.sgm", f"newstest2014-{language}en-ref.{language}.sgm"),
    )


CORPORA = {
    "multi30k": Corpus(
        "image captions in English, German and French: 29,000 to train on (Elliott et al. 2016, arXiv:1605.00459)",
        "for research and education, not commercial; no licence file",
        tuple(Item(RemoteFile(f"{MULTI30K}/{name}", *known), f"multi30k/{name}") for name, known in MULTI30K_FILES.items()),
    ),
    "wmt14_ende": Corpus("WMT 2014 English-German, about 4.5 million pairs (1.7 GB to fetch)", WMT_LICENCE, _wmt14("de")),
    "wmt14_enfr": Corpus(
        "WMT 2014 English-French, about 40 million pairs (6.7 GB to fetch)",
        WMT_LICENCE,
        (
            *_wmt14("fr"),
            _members(UNITED_NATIONS, "un/", "undoc.2000.fr-en.fr", "undoc.2000.fr-en.en"),
            _members(GIGA, "", "giga-fren.release2.fixed.fr.gz", "giga-fren.release2.fixed.en.gz"),
        ),
    ),
    "iwslt14_deen": Corpus(
        "TED talks, German-English, 170,000 pairs (Cettolo et al. 2014); read them with `skips_markup: true`",
        "CC BY-NC-ND 4.0",
        (_members(IWSLT14, "de-en/", *IWSLT14_FILES, folder="iwslt14"),),
    ),
    **MEDIA_CORPORA,
}  # fmt: skip
