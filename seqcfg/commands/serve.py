"""`seqcfg serve`: a run or an exported model behind HTTP, to try it and to build against it."""

from __future__ import annotations

import asyncio
from typing import Any

import click


@click.command()
@click.argument("model", type=click.Path())
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others than loopback need a token.")
@click.option("--port", default=8501, show_default=True, type=click.IntRange(0, 65535), help="0 lets the system choose one.")
@click.option("--token", envvar="SEQCFG_TOKEN", default="", help="What requests must bring as Authorization: Bearer; else $SEQCFG_TOKEN.")
@click.option("--name", default="", help="Name of the model in addresses; else that of the recipe.")
@click.option("--checkpoint", default="best", show_default=True, help="Of a run: best, last, average:N, a step number or a folder.")
@click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Of a run: override a value, such as decoding.search.width=1."
)
@click.option("--batch-size", default=32, show_default=True, type=click.IntRange(1), help="Most texts that are decoded together.")
@click.option("--max-body-bytes", type=click.IntRange(1), help="Largest request; else 1 MiB, and 16 MiB for sounds.")
@click.option("--max-texts", default=128, show_default=True, type=click.IntRange(1), help="Most texts of one request.")
@click.option("--max-seconds", default=60.0, show_default=True, help="Most seconds that the sounds of one request have together.")
@click.option("--max-waiting", default=1024, show_default=True, type=click.IntRange(1), help="Most texts that wait; then 429 is answered.")
@click.option("--max-connections", default=256, show_default=True, type=click.IntRange(1), help="Most connections; then 503 is answered.")
@click.option("--answer-seconds", default=60.0, show_default=True, help="Longest a request may take; then 503 is answered.")
@click.option("--trust-model", is_flag=True, help="Run an exported model although no manifest of seqcfg describes it.")
def command(
    model: str, host: str, port: int, token: str, name: str, checkpoint: str, overrides: tuple[str, ...], batch_size: int,
    max_body_bytes: int | None, max_texts: int, max_seconds: float, max_waiting: int, max_connections: int, answer_seconds: float,
    trust_model: bool,
) -> None:  # fmt: skip
    """Serves MODEL, a run or an export, in TensorFlow Serving's REST format, with a page to try it at /.

    POST /v1/models/NAME:predict takes {"instances": ["text", ...]}; GET /healthz, /readyz and /metrics are for machines.
    A run of speech recognition takes sounds instead of texts: lists of samples in -1 .. 1, or {"b64": bytes of a WAV, FLAC or Ogg
    file}; its page hears files and the microphone.
    SIGTERM lets answers under way finish. For many users take TensorFlow Serving: docs/exporting.md has its files.
    """
    from seqcfg.serving.limits import SOUND_BODY_BYTES, Limits
    from seqcfg.serving.models import open_model
    from seqcfg.serving.predict import TEXTS
    from seqcfg.serving.server import Server, is_loopback
    from seqcfg.serving.sounds import Sounds

    if not is_loopback(host) and not token:
        raise click.UsageError(f"{host} is reached by others: give --token or $SEQCFG_TOKEN")
    served: Any = open_model(model, checkpoint, overrides, trust_model, say)
    reader: Any = Sounds(served.rate_hz, served.longest, max_seconds) if served.rate_hz else TEXTS
    limits = Limits(
        body_bytes=max_body_bytes or (SOUND_BODY_BYTES if served.rate_hz else Limits.body_bytes), texts=max_texts, waiting=max_waiting,
        connections=max_connections, answer_seconds=answer_seconds,
    )  # fmt: skip
    name = name or served.name
    served.call([reader.sample])  # what is made once is made before anybody waits
    server = Server(served.call, name, served.about, limits, version=served.version, token=token, batch_size=batch_size, reader=reader)

    def ready(chosen: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"serving {name} at http://{shown}:{chosen}/ (predict: /v1/models/{name}:predict); Ctrl+C ends")

    asyncio.run(server.run(host, port, ready))


def say(line: str) -> None:
    """Tells the user, apart from what was asked for."""
    click.echo(line, err=True)
