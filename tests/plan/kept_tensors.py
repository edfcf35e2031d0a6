"""Which tensors of a traced forward pass its gradient reads: what training has to keep, found in the graph itself."""

import tensorflow as tf

SAME_BUFFER = {"Reshape", "Identity", "ExpandDims", "Squeeze", "EnsureShape", "StopGradient", "IdentityN"}


def numbers_kept(compute, given, watched):
    """Numbers (of 4 bytes) that compute() makes and the gradient of its result by `watched` reads; unknown sizes are an error.

    Call it in a graph; the shapes of all tensors must be known there. given: tensors that are there anyhow.
    """
    graph = tf.compat.v1.get_default_graph()
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(watched)
        result = compute()
    forward = set(graph.get_operations())
    gradients = tape.gradient(result, watched, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    there = {tensor.ref() for tensor in given}
    found = {}
    for operation in _behind([tf.convert_to_tensor(one).op for one in tf.nest.flatten(gradients)], forward):
        for tensor in operation.inputs:
            tensor = _owner(tensor)
            if tensor.op in forward and tensor.ref() not in there and tensor.op.type not in ("Const", "Shape", "Placeholder"):
                found[tensor.ref()] = tensor
    return {f"{tensor.name}": _size(tensor) for tensor in found.values()}


def _size(tensor):
    if tensor.dtype == tf.variant:
        return 0  # the shape of what a list holds is known where it is read
    return tensor.shape.num_elements() * tensor.dtype.size / 4


def _owner(tensor):
    while tensor.op.type in SAME_BUFFER:
        tensor = tensor.op.inputs[tensor.value_index if tensor.op.type == "IdentityN" else 0]
    return tensor


def _behind(ends, forward):
    """Operations that the ends need, those of the forward pass left out."""
    needed, waiting = set(), list(ends)
    while waiting:
        operation = waiting.pop()
        if operation not in needed and operation not in forward:
            needed.add(operation)
            waiting += [tensor.op for tensor in operation.inputs]
    return needed
