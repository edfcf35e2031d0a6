"""The loss of a transducer: -log of the sum over all alignments, without a tensor over batch, time, labels and vocabulary."""

from __future__ import annotations

from typing import Any, NamedTuple

from seqcfg.component.component import Record, param
from seqcfg.component.types import NonNegativeFloat, PositiveInt
from seqcfg.layers.activation import activate
from seqcfg.lazy import tf
from seqcfg.losses.transducer_lattice import NEVER, posteriors


class Joint(NamedTuple):
    """What the logits of a node are made from: activation(frame + label) kernel + bias.

    frames [batch, time, width], labels [batch, labels + 1, width], kernel [width, vocabulary], bias [vocabulary].
    """

    frames: Any
    labels: Any
    kernel: Any
    bias: Any


class TransducerLoss(Record):
    """-log sum over alignments of prod p(arc | node), by forward-backward in the log domain (arXiv:1211.3711, equations 16 to 20).

    Logits exist for `chunk_frames` frames at a time and are computed again for the gradient, so memory grows with batch x time x
    labels, and with the vocabulary only for one chunk. FastEmit (arXiv:2010.11148, equation 12) multiplies the gradient through
    labels by 1 + `fast_emit`, which makes the model write earlier; the loss that is reported stays the plain one.
    """

    chunk_frames: PositiveInt = param(default=8, doc="Frames whose logits exist at the same time; bounds memory.", affects="nothing")
    fast_emit: NonNegativeFloat = param(default=0.0, doc="How much more labels count than blanks in the gradient (dimensionless).")

    def __call__(
        self, joint: Joint, ids: Any, frames: Any, labels: Any, *, blank: int, activation: str, one_per_frame: bool
    ) -> tuple[Any, Any]:
        """(-log p(ids) [batch], is_possible [batch] bool): 0 and False where there is no alignment, as with more labels than frames.

        ids [batch, labels] int32; frames, labels [batch] int32 count what is real. Nothing beyond them is read.
        """
        ids, frames, labels = (tf.cast(part, tf.int32) for part in (ids, frames, labels))

        @tf.custom_gradient
        def loss(*inputs: Any) -> Any:
            joint = Joint(*inputs)
            chunks = Chunks(joint, self.chunk_frames, tf.pad(ids, [[0, 0], [0, 1]]), blank, activation)
            found = posteriors(*chunks.log_probabilities(), frames, labels, one_per_frame)
            is_possible = found.log_probability > NEVER / 2

            def gradient(d_loss: Any, _: Any) -> Any:
                scale = d_loss[:, None, None]
                return chunks.gradients(scale * found.blank, (1.0 + self.fast_emit) * scale * found.label)

            return (tf.where(is_possible, -found.log_probability, 0.0), is_possible), gradient

        return loss(*joint)


class Chunks:
    """A joint network over all nodes, a few frames at a time; `ids` [batch, labels + 1] is what each node may write."""

    def __init__(self, joint: Joint, size: int, ids: Any, blank: int, activation: str):
        self._joint, self._size, self._blank, self._activation = joint, size, blank, activation
        self._time = tf.shape(joint.frames)[1]
        self._count = (self._time + size - 1) // size
        self._frames = self._padded(joint.frames)
        self._vocabulary = joint.kernel.shape[1]
        self._ids = tf.reshape(tf.tile(ids[:, None], [1, size, 1]), [-1])  # of the nodes of a chunk

    def log_probabilities(self) -> tuple[Any, Any]:
        """Of blank and of the next label at each node: [batch, time, labels + 1] float32 both."""
        arrays = tuple(tf.TensorArray(tf.float32, self._count, element_shape=[None, None, self._size]) for _ in range(2))

        def body(index: Any, arrays: Any) -> tuple[Any, Any]:
            hidden = self._hidden(self._chunk(self._frames, index), self._joint.labels)
            logits, probabilities = self._logits(hidden)
            # log sum exp from the largest pair: exact, and cheaper than a second pass over the exponentials
            total = tf.reduce_max(logits, -1) - tf.math.log(tf.reduce_max(probabilities, -1))
            found = (logits[:, self._blank] - total, tf.gather(tf.reshape(logits, [-1]), self._places(self._ids)) - total)
            shape = tf.shape(hidden)[:3]
            return index + 1, tuple(
                array.write(index, tf.transpose(tf.reshape(one, shape), [0, 2, 1])) for array, one in zip(arrays, found, strict=True)
            )

        _, arrays = self._loop(body, arrays)
        return self._joined(arrays[0]), self._joined(arrays[1])

    def gradients(self, blank: Any, label: Any) -> list[Any]:
        """Of each part of the joint, given how often each arc is taken [batch, time, labels + 1], times a factor.

        With p the probabilities of a node, the gradient by its logits is (blank + label) p, less blank and label at their places.
        """
        taken = [self._padded(arcs) for arcs in (blank, label)]
        joint, width = self._joint, self._joint.kernel.shape[0]
        array = tf.TensorArray(joint.frames.dtype, self._count, element_shape=[None, self._size, width])
        sums = [tf.zeros(tf.shape(part), tf.float32) for part in joint[1:]]

        def body(index: Any, state: Any) -> tuple[Any, Any]:
            array, sums = state
            frames, labels = self._chunk(self._frames, index), joint.labels
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([frames, labels])
                hidden = self._hidden(frames, labels)
            probabilities = self._logits(hidden)[1]
            blank, label = (tf.reshape(self._chunk(arcs, index), [-1]) for arcs in taken)  # [nodes]
            places = tf.concat([self._places(tf.fill(tf.shape(self._ids), self._blank)), self._places(self._ids)], 0)
            d_logits = tf.reshape((blank + label)[:, None] * probabilities, [-1])
            d_logits = tf.tensor_scatter_nd_sub(d_logits, places[:, None], tf.concat([blank, label], 0))
            d_logits = tf.reshape(d_logits, [-1, self._vocabulary])
            d_bias = tf.reduce_sum(d_logits, 0)
            d_logits = tf.cast(d_logits, hidden.dtype)
            d_kernel = tf.matmul(tf.reshape(hidden, [-1, width]), d_logits, transpose_a=True)
            d_hidden = tf.reshape(tf.matmul(d_logits, joint.kernel, transpose_b=True), tf.shape(hidden))
            d_frames, d_labels = tape.gradient(hidden, [frames, labels], output_gradients=d_hidden)
            more = (d_labels, d_kernel, d_bias)
            sums = [total + tf.cast(one, tf.float32) for total, one in zip(sums, more, strict=True)]
            return index + 1, (array.write(index, d_frames), sums)

        _, (array, sums) = self._loop(body, (array, sums))
        d_frames = tf.reshape(tf.transpose(array.stack(), [1, 0, 2, 3]), tf.shape(self._frames))[:, : self._time]
        return [d_frames, *(tf.cast(total, part.dtype) for total, part in zip(sums, joint[1:], strict=True))]

    def _hidden(self, frames: Any, labels: Any) -> Any:
        """[batch, chunk, labels + 1, width]."""
        return activate(self._activation, frames[:, :, None] + labels[:, None])

    def _logits(self, hidden: Any) -> tuple[Any, Any]:
        """Logits and probabilities of all nodes of a chunk, float32 [nodes, vocabulary]."""
        logits = tf.matmul(tf.reshape(hidden, [-1, self._joint.kernel.shape[0]]), self._joint.kernel)
        logits = tf.cast(tf.nn.bias_add(logits, self._joint.bias), tf.float32)
        return logits, tf.nn.softmax(logits)

    def _places(self, ids: Any) -> Any:
        """Where the logit of one id [nodes] of each node stands among all of a chunk."""
        return tf.range(tf.shape(ids)[0]) * self._vocabulary + ids

    def _padded(self, values: Any) -> Any:
        """[batch, time, ...] with whole chunks."""
        return tf.pad(values, [[0, 0], [0, self._count * self._size - self._time], [0, 0]])

    def _chunk(self, values: Any, index: Any) -> Any:
        """[batch, chunk, ...] of [batch, time, ...]."""
        shape = tf.shape(values)
        return tf.slice(values, [0, index * self._size, 0], [shape[0], self._size, shape[2]])

    def _joined(self, array: Any) -> Any:
        """[batch, time, labels + 1] of an array of [batch, labels + 1, chunk]."""
        stacked = tf.transpose(array.stack(), [1, 0, 3, 2])  # [batch, chunks, chunk, labels + 1]
        shape = tf.shape(stacked)
        return tf.reshape(stacked, [shape[0], shape[1] * shape[2], shape[3]])[:, : self._time]

    def _loop(self, body: Any, start: Any) -> tuple[Any, Any]:
        most = None if self._frames.shape[1] is None else self._frames.shape[1] // self._size
        return tf.while_loop(
            lambda index, _: index < self._count, body, (tf.constant(0), start), parallel_iterations=1, maximum_iterations=most
        )
