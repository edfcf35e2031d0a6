import pytest

from tests.data.small import write_corpus


@pytest.fixture
def roots(tmp_path):
    """Keyword arguments of prepare: a data root with a parallel corpus of five lines, and an empty cache root."""
    write_corpus(tmp_path / "data")
    return {"data_root": tmp_path / "data", "cache_root": tmp_path / "cache"}
