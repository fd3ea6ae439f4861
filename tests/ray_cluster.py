"""A Ray cluster of this machine, in a process of its own: told what to do by lines of its standard input.

``grow NUMBER`` adds nodes up to so many, ``kill`` ends the oldest. It answers each with a line, and first of all with
the cluster's address. Everything it writes is below ``RAY_TMPDIR``.
"""

import os
import sys
from pathlib import Path
from typing import Final

from ray._private.node import Node
from ray.cluster_utils import Cluster

_MEMORY: Final = 80_000_000
"""Bytes of a node's object store; nothing goes through it."""


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ray prints what it likes
    (Path(os.environ["RAY_TMPDIR"]) / "ray").mkdir()  # where `ray_current_cluster` is written
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": _MEMORY}
    )
    nodes: list[Node] = []
    try:
        print(cluster.address, file=answers, flush=True)
        for line in sys.stdin:
            match line.split():
                case ["grow", most]:
                    while len(nodes) < int(most):
                        nodes.append(cluster.add_node(num_cpus=1, resources={"voices": 1}, object_store_memory=_MEMORY))
                case ["kill"]:
                    cluster.remove_node(nodes.pop(0), allow_graceful=False)
            print("done", file=answers, flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
