"""Declaration: the tree of weights that a model will have, written in plain Python before any tensor exists."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Iterator
from typing import Any

from seqcfg.component.component import Component

Width = Any  # an int, or a tuple of ints where a layer has several feature axes


RANGES = "quantisation/"  # what paths of ranges begin with that quantisation-aware training tracks
MAX_NODES = 20_000  # far above any model; keeps a mistyped count from filling the memory


class Misfit(Exception):
    """A width or a name that does not fit. `path` is the recipe path of the component, `field` the key to change."""

    def __init__(self, path: str, message: str, hint: str = "", field: str = ""):
        super().__init__(f"{path}: {message}")
        self.path, self.message, self.hint, self.field = path, message, hint, field


@dataclasses.dataclass(frozen=True)
class Weight:
    """One array of numbers: its shape, how it starts, and what its axes mean to a device mesh.

    `fans` is (inputs, outputs) of one unit, for initialisers that scale by them. `dense_axes` is how often a step
    touches it: an embedding is looked up, not multiplied.
    """

    path: str
    shape: tuple[int, ...]
    initializer: Component | None
    fans: tuple[int, int]
    axes: tuple[str, ...] = ()
    trainable: bool = True

    @property
    def size(self) -> int:
        return math.prod(self.shape)


class Declaration:
    """One component's node: its weights and its children, by name. Names become parts of weight paths."""

    def __init__(self, component: Component, path: str = "", root: Declaration | None = None):
        self.component = component
        self.path = path
        self.root = root or self
        self.weights: dict[str, Weight] = {}
        self.children: dict[str, Declaration | list[Declaration]] = {}
        self.chains: set[str] = set()  # names of lists of children that follow one another
        self.inputs: tuple[Width, ...] = ()
        self.output: Width = None
        self.products: list[str] = []  # names of the products of this node, see `product`
        self.num_nodes = 0  # of the whole tree, counted at its root
        self.root.num_nodes += 1
        if self.root.num_nodes > MAX_NODES:
            raise self.misfit(f"the model has more than {MAX_NODES:,} layers", "repeat fewer of them")
        if root is None:
            self.shared: dict[str, Declaration] = {}
            self._memory_width: Width = None

    def weight(
        self,
        name: str,
        shape: tuple[int, ...],
        initializer: Component | None = None,
        *,
        fans: tuple[int, int] | None = None,
        axes: tuple[str, ...] = (),
        trainable: bool = True,
    ) -> None:
        """Declares one weight. Without an initializer it starts at zero."""
        self._claim(name)
        if any(not isinstance(size, int) or size < 1 for size in shape):
            raise self.misfit(f"weight {name!r} would have the shape {shape}")
        fans = fans or (math.prod(shape[:-1]), shape[-1] if shape else 1)
        self.weights[name] = Weight(f"{self.path}/{name}" if self.path else name, tuple(shape), initializer, fans, axes, trainable)

    def product(self, name: str = "", instead_of: tuple[str, ...] = ()) -> None:
        """Says that `View.product` multiplies a kernel here; `name` tells the products of one layer apart.

        `instead_of` names children whose kernels are multiplied here as one, and not by themselves.
        """
        self.products.append(name)
        for child in instead_of:
            self.children[child].products.clear()  # type: ignore[union-attr]

    def places(self) -> list[str]:
        """Where kernels are multiplied below this node, each place once: the layer's path, and a name where it has several."""
        return list(dict.fromkeys(f"{node.path}:{name}" if name else node.path for node in self.nodes() for name in node.products))

    def child(self, name: str, component: Component, *widths: Width) -> Width:
        """Declares a child and returns the width that it passes on."""
        self._claim(name)
        self.children[name] = node = Declaration(component, f"{self.path}/{name}" if self.path else name, self.root)
        return node._declare(widths)

    def chain(self, name: str, components: list[Component], width: Width, beside: int = 0) -> Width:
        """Declares a list of children, each fed with the width of the one before, and `beside` more."""
        self._claim(name)
        nodes: list[Declaration] = []
        self.children[name] = nodes
        self.chains.add(name)
        for index, component in enumerate(components):
            nodes.append(node := Declaration(component, f"{self.path}/{name}/{index}" if self.path else f"{name}/{index}", self.root))
            width = node._declare((width + beside if beside else width,))
        return width

    def fan_out(self, name: str, components: list[Component], width: Width) -> list[Width]:
        """Declares a list of children that all take the same width; returns what each passes on."""
        self._claim(name)
        nodes = [Declaration(c, f"{self.path}/{name}/{i}" if self.path else f"{name}/{i}", self.root) for i, c in enumerate(components)]
        self.children[name] = nodes
        return [node._declare((width,)) for node in nodes]

    def share(self, name: str, key: str, component: Component, *widths: Width) -> Width:
        """A child whose weights are those of the first child shared under `key`, wherever in the model that stands."""
        if key not in self.root.shared:
            width = self.child(name, component, *widths)
            self.root.shared[key] = self.children[name]  # type: ignore[assignment]
            return width
        first = self.root.shared[key]
        if first.component != component:
            raise self.misfit(
                f"{key!r} is shared with {first.path}, which is set up differently", "give both the same fields, or another name"
            )
        trial = Declaration(component, first.path)
        trial.memory_width = self.memory_width
        width = trial._declare(widths)
        if [w.shape for w in trial.all_weights()] != [w.shape for w in first.all_weights()]:
            raise self.misfit(f"{key!r} is shared with {first.path}, whose input is of another width")
        self._claim(name)
        self.children[name] = first
        return width

    @property
    def memory_width(self) -> Width:
        """Width of what cross-attention below reads; a model sets it before it declares a decoder. None = as wide as the input."""
        return self.root._memory_width

    @memory_width.setter
    def memory_width(self, width: Width) -> None:
        self.root._memory_width = width

    def misfit(self, message: str, hint: str = "", field: str = "") -> Misfit:
        """An error at this component; raise it."""
        return Misfit(self.path.replace("/", "."), message, hint, field)

    @property
    def features_in(self) -> int:
        """Numbers of a position that the component is given."""
        return _features(self.inputs[0]) if self.inputs else 0

    @property
    def features_out(self) -> int:
        """Numbers of a position that it passes on."""
        return _features(self.output)

    def all_weights(self) -> Iterator[Weight]:
        """Every weight below this node once, in order of declaration."""
        seen: set[str] = set()
        for node in self.nodes():
            for weight in node.weights.values():
                if weight.path not in seen:
                    seen.add(weight.path)
                    yield weight

    def nodes(self) -> Iterator[Declaration]:
        """This node and all below it, depth first, in order of declaration."""
        yield self
        for child in self.children.values():
            for node in child if isinstance(child, list) else [child]:
                yield from node.nodes()

    def _declare(self, widths: tuple[Width, ...]) -> Width:
        axes = getattr(self.component, "feature_axes", None)
        if axes is not None and widths and (len(widths[0]) if isinstance(widths[0], tuple) else 1) != axes:
            raise self.misfit(f"takes {axes} feature axes and is given the width {widths[0]}")
        self.inputs = widths
        self.output = self.component.declare(self, *widths)  # type: ignore[attr-defined]
        return self.output

    def _claim(self, name: str) -> None:
        if name in self.weights or name in self.children:
            raise self.misfit(f"{name!r} is declared twice")
        if inspect.isfunction(getattr(type(self.component), name, None)):
            raise self.misfit(f"{name!r} is a method of {type(self.component).__name__} and cannot name a weight or child")


def _features(width: Width) -> int:
    return 0 if width is None else math.prod(width) if isinstance(width, tuple) else int(width)


def declare(component: Component, *widths: Width, path: str = "") -> Declaration:
    """The declaration tree of a component fed with these widths; raises Misfit."""
    root = Declaration(component, path)
    declare_root(root, *widths)
    return root


def declare_root(root: Declaration, *widths: Width) -> None:
    """Declares a root made by the caller, who keeps what was declared before a Misfit."""
    root._declare(widths)
