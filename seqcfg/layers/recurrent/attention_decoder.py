"""Recurrent decoder that attends: an LSTM that is fed what was read before, and further layers above it."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer, SequenceLayer
from seqcfg.component.types import PositiveInt, Probability
from seqcfg.layers.attention.aligning import held
from seqcfg.layers.composition.sequential import numbered
from seqcfg.layers.composition.stepping import start_each, step_child
from seqcfg.layers.dropout import dropout
from seqcfg.layers.scan import scan
from seqcfg.layers.sequence import Sequence, refuse_packed
from seqcfg.lazy import tf
from seqcfg.plan.declaration import declare


class AttentionDecoder(SequenceLayer, type="attention_decoder"):
    """h_t = cell([x_t, c_(t-1)]), c_t = attention(h_t), then layers on [h_t, c_t]; the output is [y_t, c_t].

    So decode Listen, Attend and Spell (arXiv:1508.01211), GNMT (arXiv:1609.08144) and RNMT+ (arXiv:1804.09849). Only the cell
    and the attention wait for the position before; the other layers run over the whole sequence.
    """

    respects_segments = False

    cell: Layer = param(doc="The first layer, a recurrent one, such as lstm.")
    attention: Layer = param(doc="What its output asks the memory with, such as additive_attention.")
    num_layers: PositiveInt = param(default=1, doc="Number of layers, the cell being the first.")
    layer: Layer | None = param(default=None, doc="Design of the layers above the cell; the cell's when left out.")
    context_to: Literal["all", "layers", "output", "cell"] = param(
        default="all", doc="What is given the context besides the cell: the layers above and the output, one of these, or neither."
    )
    context_of: Literal["present", "previous"] = param(
        default="present", doc="Whether the layers above are given the context of their position, or of the one before as the cell is."
    )
    first_context: Literal["attended", "zeros"] = param(
        default="attended", doc="The context before the first position: what a query of zeros reads, or zeros."
    )
    residual_from: PositiveInt | None = param(
        default=None, doc="The first layer, the cell being number 1, whose result is added to its input; none when left out."
    )
    dropout: Probability = param(default=0.0, doc="Probability of a 0 in the results of the layers above the cell during training.")

    def declare(self, d: Any, dim: int) -> int:
        d.memory_width = d.memory_width or dim
        width = declare(self.cell, dim, path=f"{d.path}/cell").output  # the cell reads the context, whose width may follow from the cell's
        context = d.child("attention", self.attention, width)
        d.child("cell", self.cell, dim + context)
        fed = context if self.context_to in ("all", "layers") else 0
        designs = [self.layer or self.cell] * (self.num_layers - 1)
        last = d.chain("layers", designs, width, beside=fed)
        for number, node in enumerate(d.children["layers"], 2):
            if self._is_residual(number) and node.output != width:
                hint = "give both layers as many units"
                raise d.misfit(
                    f"layer {number} gives the width {node.output} and cannot be added to its input of {width}", hint, "residual_from"
                )
            width = node.output
        return last + (context if self.context_to in ("all", "output") else 0)

    def kept(self, d: Any, at: Any) -> float:
        """What the cell's gates are made of, which the gradient of a loop keeps in each of its turns; parts count themselves."""
        return at.outputs * 5 * d.children["cell"].features_out

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, time, width], that of the last layer and the context's where it goes to the output."""
        refuse_packed(x, f"{w.path}: a recurrence")
        fixed, state = self._start_loop(w, x)

        def step(w: Any, inputs: dict[str, Any], state: Any) -> tuple[dict[str, Any], Any]:
            outputs, new = self._advance(w, inputs["x"][:, tf.newaxis], fixed, state)
            if "real" in inputs:
                new = tf.nest.map_structure(lambda n, old: held(inputs["real"], n, old), new, state)
            return {name: value[:, 0] for name, value in outputs.items()}, new

        inputs = {"x": x.values} if x.mask is None else {"x": x.values, "real": x.mask}
        wanted = {"cell": w.cell.output_width, "context": w.attention.output_width, "before": w.attention.output_width}
        widths = {name: width for name, width in wanted.items() if name != "before" or self.context_of == "previous"}
        outputs, _ = scan(w, step, inputs, state, widths)
        return self._above(w, x, outputs, lambda name, layer, y: layer(y))

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        fixed, state = self._start_loop(w, sequence)
        above, moving = start_each(numbered(w.layers), sequence, max_length)
        return {"attention": fixed} | above, state | {"layers": moving}

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        before = {name: state for name, state in moving.items() if name != "layers"}
        outputs, new = self._advance(w, x.values, fixed["attention"], before)
        moved: dict[str, Any] = {}
        y = self._above(w, x, outputs, lambda name, layer, y: step_child(name, layer, y, fixed, moving["layers"], moved))
        return y, new | {"layers": moved}

    def _start_loop(self, w: Any, sequence: Sequence) -> tuple[Any, dict[str, Any]]:
        """What the attention reads, and the states of cell, attention and context before the first position."""
        batch = tf.shape(sequence.values)[0]
        fixed, alignment = w.attention.start(sequence, None)
        _, cell = w.cell.start(sequence, None)
        query = tf.zeros([batch, 1, w.cell.output_width], w.context.dtype)
        if self.first_context == "attended":
            context, alignment = self._attend(w, query, fixed, alignment)
        else:
            context = tf.zeros([batch, 1, w.attention.output_width], w.context.dtype)
        return fixed, {"cell": cell, "attention": alignment, "context": context[:, 0]}

    def _advance(self, w: Any, x: Any, fixed: Any, state: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """One position [batch, 1, dim] through cell and attention."""
        before = state["context"][:, tf.newaxis]
        y, cell = w.cell.step(Sequence(tf.concat([x, before], -1)), {}, state["cell"])
        context, alignment = self._attend(w, y.values, fixed, state["attention"])
        outputs = {"cell": y.values, "context": context, "before": before}
        return outputs, {"cell": cell, "attention": alignment, "context": context[:, 0]}

    def _attend(self, w: Any, query: Any, fixed: Any, alignment: Any) -> tuple[Any, Any]:
        context, alignment = w.attention.step(Sequence(query), fixed, alignment)
        return context.values, alignment

    def _above(self, w: Any, x: Sequence, outputs: dict[str, Any], run: Any) -> Sequence:
        """The layers above the cell on its outputs, all [batch, time, ...]; run(name, layer, sequence) applies one of them."""
        y, context = outputs["cell"], outputs["context" if self.context_of == "present" else "before"]
        for number, (name, layer) in enumerate(numbered(w.layers).items(), 2):
            given = tf.concat([y, context], -1) if self.context_to in ("all", "layers") else y
            made = dropout(w, run(name, layer, x.with_values(given)).values, self.dropout)
            y = y + made if self._is_residual(number) else made
        return x.with_values(tf.concat([y, outputs["context"]], -1) if self.context_to in ("all", "output") else y)

    def _is_residual(self, number: int) -> bool:
        return self.residual_from is not None and number >= self.residual_from
