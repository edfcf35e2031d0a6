"""View: how a layer sees its weights and children while TensorFlow traces it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
from typing import Any

from seqcfg.component.kinds import Layer, SequenceLayer
from seqcfg.layers.rematerialization import matches, rematerialized
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf


@dataclasses.dataclass
class Context:
    """What one traced call of a model shares among its layers.

    seed     int32 [2] tensor from (recipe seed, step), or None outside training: no randomness then
    step     int tensor, updates finished so far, or None outside training
    dtype    name of the compute dtype; weights stay float32 where they are stored
    rematerialized  patterns of layer paths whose inner results are not kept for the gradient
    updates  new values of untrained weights by path, to be assigned once per step
    prepared what `start` computed once from weights for every `step`, by path
    for_xla  whether XLA will compile what is traced: it has operations of its own that plain graphs lack
    joins    whether products of one input with several kernels may be one with the kernels side by side
    drawn    None, or what random numbers go through, so that all devices that share a layer see the same
    watched  None, or where layers that attend to a memory leave their weights by path, for who looks at them
    width    hypotheses of a sentence whose caches are shared (see `Shared`); 1 gives each its own
    room     None, or positions that caches have at first: who takes the steps lets them grow (see `Shared.grown`)
    past     which shared positions are a hypothesis' own past, while a step is traced
    observer called with (path, what, tensor or structure) for what layers give out, in order; None for nobody
    products None, or what takes the place of products, see `quantisation.products`
    """

    training: bool = False
    seed: Any = None
    step: Any = None
    dtype: str = "float32"
    rematerialized: tuple[str, ...] = ()
    updates: dict[str, Any] = dataclasses.field(default_factory=dict)
    watched: dict[str, Any] | None = None
    draws: dict[str, int] = dataclasses.field(default_factory=dict)
    prepared: dict[str, Any] = dataclasses.field(default_factory=dict)
    for_xla: bool = False
    joins: bool = True
    drawn: Any = None
    width: int = 1
    room: Any = None
    past: Any = None
    observer: Any = None
    products: Any = None


class View:
    """`w.kernel` is a weight in the compute dtype, `w.expand(x)` runs a child, `w.blocks` is a list of views.

    Methods of the component can be called through it, too: `w.attention.project(memory)` passes the child's view
    as first argument.
    """

    def __init__(self, node: Any, tree: dict[str, Any], context: Context):
        self._node, self._tree, self.context = node, tree, context

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        node = self._node
        if name in node.weights:
            return self._weight(node.weights[name].path)
        if name in node.children:
            child = node.children[name]
            if isinstance(child, list):
                return [View(one, self._tree, self.context) for one in child]
            return View(child, self._tree, self.context)
        method = getattr(type(node.component), name, None)
        if inspect.isfunction(method):
            return functools.partial(self._run, method)
        declared = ", ".join([*node.weights, *node.children]) or "nothing"
        raise AttributeError(f"{node.path or type(node.component).__name__} declares no {name!r}; it declares {declared}")

    def __call__(self, x: Any, *args: Any, **named: Any) -> Any:
        component = self._node.component
        if isinstance(x, Sequence) and isinstance(component, Layer) and not isinstance(component, SequenceLayer):
            return x.with_values(self._call(x.values, *args, **named))
        return self._call(x, *args, **named)

    def within(self, context: Context) -> View:
        """The same layer and weights in another context."""
        return View(self._node, self._tree, context)

    def has(self, name: str) -> bool:
        """Whether a weight or child of this name was declared."""
        return name in self._node.weights or name in self._node.children

    def stored(self, name: str) -> Any:
        """A weight as it is kept, in float32 whatever the compute dtype: for statistics."""
        return tf.cast(self._tree[self._node.weights[name].path], tf.float32)

    @property
    def training(self) -> bool:
        return self.context.training

    @property
    def component(self) -> Any:
        return self._node.component

    @property
    def width(self) -> Any:
        """The width of the input, as declared: an int, or a tuple of feature axes."""
        return self._node.inputs[0]

    @property
    def output_width(self) -> Any:
        """The width of the output, as declared."""
        return self._node.output

    @property
    def path(self) -> str:
        return self._node.path

    def prepare(self, value: Any) -> None:
        """Keeps what follows from this layer's weights alone, so that a loop of steps does not compute it again."""
        self.context.prepared[self.path] = value

    def prepared(self, make: Any) -> Any:
        """What `prepare` kept, else make(), as where steps are traced without their start."""
        return self.context.prepared[self.path] if self.path in self.context.prepared else make()

    def rows(self, name: str, ids: Any) -> Any:
        """Rows of a weight by number, ids [...] -> [..., width]; a weight that is stored as integers converts these rows alone."""
        value = self._tree[self._node.weights[name].path]
        return value.rows(ids) if hasattr(value, "rows") else tf.gather(getattr(self, name), ids)

    def product(self, x: Any, kernel: Any, bias: Any = None, name: str = "", apply: Any = None) -> Any:
        """x [..., dim] times kernel [dim, units], plus bias: the place where quantisation takes hold of this layer.

        `name` tells the products of one layer apart, as it declared them; apply(x, kernel) is another way to multiply, such as a
        convolution with a kernel [..., units].
        """
        from seqcfg.layers.dense import affine

        if self.context.products is not None:
            return self.context.products(self.place(name), x, kernel, bias, apply or affine)
        if apply is None:
            return affine(x, kernel, bias)
        return apply(x, kernel) if bias is None else tf.nn.bias_add(apply(x, kernel), bias)

    def operands(self, x: Any, kernel: Any, name: str = "") -> tuple[Any, Any]:
        """x and kernel as `product` would multiply them, for a loss that multiplies by itself, part by part."""
        return (x, kernel) if self.context.products is None else self.context.products.operands(self.place(name), x, kernel)

    def multiplies(self, name: str) -> bool:
        """Whether a product of this name was declared."""
        return name in self._node.products

    def place(self, name: str = "") -> str:
        """What quantisation calls a product of this layer."""
        return f"{self.path}:{name}" if name else self.path

    def seed(self) -> Any:
        """An int32 [2] seed of this place and step; a second draw in the same place gets another one."""
        draw = self.context.draws.get(self.path, 0)
        self.context.draws[self.path] = draw + 1
        return fold_seed(self.context.seed, f"{self.path}#{draw}")

    def drawn(self, numbers: Any) -> Any:
        """Random numbers of a layer, as all devices that share it must see them."""
        return numbers if self.context.drawn is None else self.context.drawn(numbers)

    def show_attention(self, weights: Any) -> None:
        """Leaves [batch, heads, query, source] for who looks at attention to a memory; does nothing where nobody does."""
        if self.context.watched is not None and getattr(self.component, "attend_to", "memory") == "memory":
            self.context.watched[self.path] = weights

    def update(self, name: str, value: Any) -> None:
        """Sets an untrained weight (batch statistics, quantiser ranges) at the end of this step."""
        weight = self._node.weights[name]
        if weight.trainable:
            raise ValueError(f"{weight.path} is trained; only weights declared with trainable=False are updated by layers")
        self.context.updates[weight.path] = tf.cast(value, tf.float32)

    def _call(self, *args: Any, **named: Any) -> Any:
        method, node = type(self._node.component).__call__, self._node
        if not matches(self.context.rematerialized, node.path):
            return self._run(method, *args, **named)

        def layer(weights: dict[str, Any], args: Any, named: dict[str, Any]) -> Any:
            return View(node, self._tree | weights, self.context)._run(method, *args, **named)

        weights = {weight.path: self._tree[weight.path] for weight in node.all_weights()}
        return rematerialized(layer, weights, self.context, (args, named))

    def observe(self, what: str, value: Any) -> None:
        """Shows a value of this layer to whoever looks into the model."""
        if self.context.observer is not None:
            self.context.observer(self.path, what, value)

    def _run(self, method: Any, *args: Any, **named: Any) -> Any:
        with tf.name_scope((self._node.path.rpartition("/")[2] or type(self._node.component).__name__).replace("-", "_")):
            result = method(self._node.component, self, *args, **named)
        self.observe("output" if method.__name__ == "__call__" else method.__name__, result)
        return result

    def _weight(self, path: str) -> Any:
        value = self._tree[path]
        return tf.cast(value, self.context.dtype) if value.dtype.is_floating else value


def fold_seed(seed: Any, text: str) -> Any:
    """Mixes a text (a weight's path, say) into an int32 [2] seed, the same on every machine."""
    digest = hashlib.sha256(text.encode()).digest()
    words = [int.from_bytes(digest[i : i + 4], "little", signed=True) for i in (0, 4)]
    return tf.bitwise.bitwise_xor(tf.cast(seed, tf.int32), tf.constant(words, tf.int32))
