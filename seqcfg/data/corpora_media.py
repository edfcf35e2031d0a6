"""Public corpora of speech, images and points, and texts for language models: where they are fetched from and how they are verified.

Digests are those that publishers or the data loaders of torchvision, torchaudio and torchtext state. Where none is
known, the first download's is recorded beside the file and compared from then on.
"""

from __future__ import annotations

from seqcfg.data.corpus import Corpus, Item
from seqcfg.data.remote import RemoteFile

LIBRISPEECH = {
    "dev-clean": (337926286, "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3"),
    "dev-other": (0, "12661c48e8c3fe1de2c1caa4c3e135193bfb1811584f11f569dd12645aa84365"),
    "test-clean": (0, "39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23"),
    "test-other": (0, "d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29"),
    "train-clean-100": (6387309499, "d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2"),
    "train-clean-360": (0, "146a56496217e96c14334a160df97fffedd6e0a04e66b9c5af0d40be3c792ecf"),
    "train-other-500": (0, "ddb22f27f96ec163645d53215559df6aa36515f26e01dd70798188350adcb6d2"),
}
MNIST = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
FASHION_MNIST = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}


def _librispeech(*parts: str) -> tuple[Item, ...]:
    items = []
    for part in parts:
        size, digest = LIBRISPEECH[part]
        name = f"resources/12/{part}.tar.gz"
        mirrors = (f"https://us.openslr.org/{name}", f"https://openslr.elda.org/{name}")
        remote = RemoteFile(f"https://www.openslr.org/{name}", size, f"sha256:{digest}", mirrors)
        items.append(Item(remote, f"librispeech/{part}", prefix=f"LibriSpeech/{part}/", entries=400_000))
    return tuple(items)


def _files(folder: str, places: tuple[str, ...], names: dict[str, str]) -> tuple[Item, ...]:
    first, *others = places
    return tuple(
        Item(RemoteFile(first + name, 0, f"md5:{digest}", tuple(place + name for place in others)), f"{folder}/{name}")
        for name, digest in names.items()
    )


def _wikitext(size: str, digest: str) -> tuple[Item, ...]:
    name = f"wikitext-{size}-v1.zip"
    remote = RemoteFile(
        f"https://s3.amazonaws.com/research.metamind.io/wikitext/{name}", 0, digest, (f"https://wikitext.smerity.com/{name}",)
    )
    folder = f"wikitext-{size}"
    members = tuple((f"{folder}/wiki.{part}.tokens", f"wikitext{size}/wiki.{part}.tokens") for part in ("train", "valid", "test"))
    return (Item(remote, members=members),)


def _github(repository: str, commit: str, inside: str, folder: str) -> tuple[Item, ...]:
    """A folder of a repository as it was at a commit; such archives are packed anew, so that no digest lasts."""
    url, name = f"https://github.com/{repository}/archive/{commit}.tar.gz", repository.rpartition("/")[2]
    return (Item(RemoteFile(url), folder, prefix=f"{name}-{commit}/{inside}"),)


CC_BY = "CC BY 4.0"
MEDIA_CORPORA = {
    "librispeech_100": Corpus(
        "read English speech: 100 hours to train on, and all development and test parts (Panayotov et al. 2015; 7.6 GB to fetch)",
        CC_BY,
        _librispeech("dev-clean", "dev-other", "test-clean", "test-other", "train-clean-100"),
    ),
    "librispeech_960": Corpus("read English speech, 960 hours (Panayotov et al. 2015; 60 GB to fetch)", CC_BY, _librispeech(*LIBRISPEECH)),
    "ljspeech": Corpus(
        "24 hours of one English voice (Ito and Johnson 2017; 2.7 GB to fetch)",
        "public domain",
        (
            Item(
                RemoteFile(
                    "https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2",
                    2748572632,
                    "sha256:be1a30453f28eb8dd26af4101ae40cbf2c50413b1bb21936cbcdc6fae3de8aa5",
                ),
                "ljspeech",
                prefix="LJSpeech-1.1/",
            ),
        ),
    ),
    "fsdd": Corpus(
        "spoken digits, one per recording, 8 kHz: 2,500 of five people (Jackson, Free Spoken Digit Dataset)",
        "CC BY-SA 4.0",
        _github("Jakobovski/free-spoken-digit-dataset", "26eb9aaf76e81b692f806f9140c2d2777410d7a1", "recordings/", "fsdd/recordings"),
    ),
    "an4": Corpus(
        "names, addresses and numbers, spelt and spoken in a census, 16 kHz: 948 utterances to train on (Acero 1991)",
        "free for any use with its notice (CMU)",
        _github("cmusphinx/an4", "b567d132f43304e70a2b2eca6077f22255311812", "", "an4"),
    ),
    "wikitext2": Corpus(
        "Wikipedia articles, 2 million words (Merity et al. 2016, arXiv:1609.07843)",
        "CC BY-SA 3.0",
        _wikitext("2", "sha256:92675f1d63015c1c8b51f1656a52d5bdbc33aafa60cc47a218a66e7ee817488c"),
    ),
    "wikitext103": Corpus(
        "Wikipedia articles, 103 million words (Merity et al. 2016, arXiv:1609.07843; 190 MB to fetch)",
        "CC BY-SA 3.0",
        _wikitext("103", "md5:9ddaacaf6af0710eda8c456decff7832"),
    ),
    "lm1b": Corpus(
        "One Billion Word benchmark, shuffled sentences of news (Chelba et al. 2013, arXiv:1312.3005; 1.8 GB to fetch)",
        "the texts belong to their makers; for research",
        (
            Item(
                RemoteFile(
                    "http://www.statmt.org/lm-benchmark/1-billion-word-language-modeling-benchmark-r13output.tar.gz",
                    1792209805,
                    "sha256:01ba60381110baf7f189dfd2b8374de371e8c9a340835793f190bdae9e90a34e",
                ),
                "lm1b",
                prefix="1-billion-word-language-modeling-benchmark-r13output/",
            ),
        ),
    ),
    "brown": Corpus(
        "sentences of American English of 1961, 1 million words, in TEI (Francis and Kucera 1979)",
        "for research and education, not commercial",
        (
            Item(
                RemoteFile(
                    "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora/brown_tei.zip",
                    0,
                    "sha256:335bec1ea6362751d5d5c46970137ebb01c80bf7d7d75558787729d275e0a687",
                ),
                members=(("brown_tei/Corpus.xml", "brown/Corpus.xml"),),
            ),
        ),
    ),
    "mnist": Corpus(
        "handwritten digits, 60,000 to train on (LeCun et al. 1998)",
        "CC BY-SA 3.0",
        _files("mnist", ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"), MNIST),
    ),
    "fashion_mnist": Corpus(
        "clothes in the format of MNIST (Xiao et al. 2017, arXiv:1708.07747)",
        "MIT",
        _files(
            "fashion_mnist",
            (
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            ),
            FASHION_MNIST,
        ),
    ),
    "kitti": Corpus(
        "street scenes with lidar scans and labelled boxes (Geiger et al. 2012)",
        "CC BY-NC-SA 3.0; only for those who have agreed to it",
        by_hand="agree to the terms on https://www.cvlibs.net/datasets/kitti/eval_object.php, fetch velodyne, labels and calibration, "
        "and unpack them so that kitti/training/velodyne/000000.bin lies below the data root",
    ),
}
