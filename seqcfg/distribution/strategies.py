"""What a recipe can say about where it is trained."""

from __future__ import annotations

import signal
from typing import Annotated, Any, ClassVar, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Strategy
from seqcfg.component.types import PositiveFloat, PositiveInt, rules
from seqcfg.distribution import cluster
from seqcfg.distribution.devices import Devices
from seqcfg.distribution.meeting import meet
from seqcfg.distribution.patience import patience
from seqcfg.distribution.replicated import Replicated
from seqcfg.errors import UserError
from seqcfg.lazy import tf
from seqcfg.plan.sharing import Sharing

Port = Annotated[int, rules(minimum=1024, maximum=65535)]


def divide_cpu(count: int) -> None:
    """Makes the CPU so many logical devices; raises UserError when TensorFlow is already at work with another number of them."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    except RuntimeError:
        raise UserError(
            "training.strategy: the CPU can be divided only before TensorFlow has begun to work", hint="train in a process of its own"
        ) from None


class OneDevice(Strategy, type="one_device"):
    """One process, one device: the first GPU, or the CPU with all its cores."""

    def start(self) -> Devices:
        """Takes hold of the devices; to be called before anything else is done with TensorFlow."""
        return Devices()


class Mirrored(Strategy, type="mirrored"):
    """One process, several devices with a copy of the weights each; every batch is cut by rows.

    On CPU the cores are divided into so many logical devices, which is for trying things out. Several GPUs in one
    process are refused: they return corrupted buffers now and then (github.com/tensorflow/tensorflow/issues/119013).
    """

    num_devices: PositiveInt = param(default=2, doc="How many devices.")

    def sharing(self, declaration: Any) -> Sharing:
        """Every device has all weights and a part of the rows."""
        return Sharing(self.num_devices, self.num_devices)

    def start(self) -> Devices:
        """Raises UserError on GPUs, or when TensorFlow is already at work."""
        if self.num_devices > 1 and tf.config.list_physical_devices("GPU"):
            raise UserError(
                "training.strategy: several GPUs in one process return corrupted results in this version of TensorFlow",
                hint="use {type: multi_worker} with one process per GPU, also on one machine",
            )
        divide_cpu(self.num_devices)
        return Replicated(tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(self.num_devices)]))


class MultiWorker(Strategy, type="multi_worker"):
    """Several processes, on one machine or many, with a copy of the weights each; every batch is cut by rows.

    Start the same command once per process. Who takes part is read from TF_CONFIG, from SLURM or from a Kubernetes
    indexed job. The run directory and the prepared data must be reachable by all; the first process writes the run.
    When a process dies or its machine stands still, the others end with code 75 within a minute, and when it only waits for
    something, after `patience_seconds`; the same commands go on from the newest checkpoint, with the same bits.
    """

    spans_processes = True

    cluster: Literal["auto", "tf_config", "slurm", "kubernetes"] = param(
        default="auto", doc="Where addresses come from; auto takes the first that is there.", affects="nothing"
    )
    port: Port = param(default=12355, doc="Port of the first process on a machine; further ones count on from it.", affects="nothing")
    meeting_seconds: PositiveFloat = param(default=120.0, doc="How long processes wait for one another at the start.", affects="nothing")

    patience_seconds: PositiveFloat = param(
        default=1800.0,
        is_later=True,
        doc="How long steps_per_call updates may take, others' validation included, before a process gives up waiting for the others.",
        affects="nothing",
    )

    def process(self) -> int:
        return cluster.find(self.cluster, self.port).index

    def start(self) -> Devices:
        """Raises UserError when addresses are missing or wrong, a port is taken, or a process does not come in time.

        Processes meet again when TensorFlow is loaded, which may take one of them long: so that its own start is short for all.
        """
        found = cluster.find(self.cluster, self.port)
        meet(found, self.meeting_seconds)
        gpus = tf.config.list_physical_devices("GPU")
        meet(found, self.meeting_seconds, again=True)
        implementation = tf.distribute.experimental.CommunicationImplementation
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec({"worker": list(found.addresses)}), task_type="worker", task_id=found.index, rpc_layer="grpc"
        )
        options = tf.distribute.experimental.CommunicationOptions(implementation=implementation.NCCL if gpus else implementation.RING)
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        with patience(self.meeting_seconds, "TensorFlow has not begun", "meeting_seconds"):
            strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver, communication_options=options)
        for number, handler in handlers.items():  # TensorFlow's coordination puts itself in their place
            signal.signal(number, handler)
        return Replicated(strategy, process=found.index, addresses=found.addresses, patience_seconds=self.patience_seconds)


class Unavailable(Strategy):
    """A strategy of TensorFlow's that a recipe cannot use; says so instead of failing in the middle of a run."""

    why: ClassVar[str] = ""

    def check(self):
        yield "type", self.why, "use multi_worker for several devices"


class TPU(Unavailable, type="tpu"):
    """Refused: there is no TPU build of the TensorFlow release that seqcfg needs."""

    why = "needs tensorflow-tpu, whose newest release, 2.20, is older than the TensorFlow that seqcfg needs"


class ParameterServer(Unavailable, type="parameter_server"):
    """Refused: workers that update weights whenever they are ready make a step depend on timing."""

    why = "updates weights in an order that depends on timing, so no run could be resumed or repeated exactly"
