"""A cluster of two nodes, with a CPU each: the same table to the bit, whatever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from checkpoints import write_checkpoint

import paddleprune
from paddleprune.errors import ConfigError
from paddleprune.sensitivity import SensitivityTable

sys.path.insert(0, str(Path(__file__).parent))

pytest.importorskip("ray")

from ray.cluster_utils import Cluster
from ray_data import Noise

WHOLE = ("features.[3-9].*", "features.1[0-4].*")
HOW: dict[str, Any] = {"ratios": (0.3, 0.6), "batch_size": 16, "exclude": WHOLE}
WORDS = ("--ratios", "0.3,0.6", "--batch-size", "16", "--exclude", ",".join(WHOLE))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One of two nodes."""
    with pytest.MonkeyPatch.context() as patch:  # of what the nodes inherit
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        patch.setenv("RAY_worker_niceness", "0")  # on a busy machine the actors would starve
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        cluster.add_node(num_cpus=1)
        yield cluster
        cluster.shutdown()


@pytest.fixture(scope="module")
def address(cluster: Cluster) -> str:
    """Of the cluster."""
    address: str = cluster.address
    return address


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "dense"
    options = {"num_classes": 3, "input_size": 32, "scale": 0.25}
    return write_checkpoint(folder, "classification", "mobilenet_v2", options)


@pytest.fixture(scope="module")
def images(shapes: Path, model: Path) -> dict[str, str]:
    """The small real data set, under the model's names of the classes."""
    lines = [
        f"{image} {label}\n"
        for label, folder in enumerate(sorted((shapes / "val").iterdir()))
        for image in sorted(folder.iterdir())
    ]
    (model.parent / "list.txt").write_text("".join(lines))
    (model.parent / "labels.txt").write_text("".join(f"class {number}\n" for number in range(3)))
    names = {"file_list": "list.txt", "label_list": "labels.txt"}
    return {"data_dir": str(model.parent), **{field: str(model.parent / name) for field, name in names.items()}}


@pytest.fixture(scope="module")
def table(model: Path, images: dict[str, str]) -> bytes:
    """As this process measures it."""
    file = model.parent / "table.json"
    paddleprune.analyze(model, eval_dataset=images, save_file=file, **HOW)
    return file.read_bytes()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_table_is_that_of_one_process_to_the_bit(
    workers: int, address: str, model: Path, images: dict[str, str], table: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "table.json"
    where = {"executor": "ray", "address": address, "workers": workers}
    paddleprune.analyze(model, eval_dataset=images, save_file=file, **where, **HOW)
    assert file.read_bytes() == table


def measured(file: Path) -> int:
    """How many groups are in a table."""
    return sum(map(bool, SensitivityTable.load(file).groups.values())) if file.exists() else 0


def test_what_a_killed_actor_was_at_goes_elsewhere(
    address: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The data is an open dataset, that Ray carries to the actors; the third of them has no CPU before one dies."""
    seen, file = tmp_path / "seen", tmp_path / "table.json"
    seen.mkdir()
    options = {"num_classes": 2, "input_size": 32, "scale": 0.25}
    model = write_checkpoint(tmp_path / "dense", "classification", "mobilenet_v2", options)
    local = tmp_path / "local.json"
    paddleprune.analyze(model, eval_dataset=Noise(seen), save_file=local, **HOW)
    killed = list[int]()

    def kill() -> None:
        while not killed:
            time.sleep(0.01)
            actors = [int(one.name) for one in seen.iterdir() if int(one.name) != os.getpid()]
            if len(actors) == 2 and measured(file) >= 2:
                killed.append(actors[0])
                os.kill(actors[0], signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    where = {"executor": "ray", "address": address, "workers": 3}
    paddleprune.analyze(model, eval_dataset=Noise(seen), save_file=file, **where, **HOW)
    thread.join(5)
    assert killed
    assert "they are measured again" in capfd.readouterr().err
    assert file.read_bytes() == local.read_bytes()


def test_what_a_lost_node_was_at_goes_elsewhere(
    cluster: Cluster, model: Path, images: dict[str, str], table: bytes, tmp_path: Path
) -> None:
    node, file = next(iter(cluster.worker_nodes)), tmp_path / "table.json"

    def lose() -> None:
        while measured(file) < 2:
            time.sleep(0.01)
        cluster.remove_node(node, allow_graceful=False)

    thread = threading.Thread(target=lose, daemon=True)
    thread.start()
    where = {"executor": "ray", "address": cluster.address, "workers": 2}
    paddleprune.analyze(model, eval_dataset=images, save_file=file, **where, **HOW)
    thread.join(30)
    assert node not in cluster.worker_nodes
    cluster.add_node(num_cpus=1)
    assert file.read_bytes() == table


def test_the_table_of_a_killed_command_goes_on(
    address: str, model: Path, images: dict[str, str], table: bytes, tmp_path: Path
) -> None:
    file, run_file = tmp_path / "table.json", tmp_path / "run.yaml"
    run_file.write_text("eval_dataset:\n" + "".join(f"  {name}: {value}\n" for name, value in images.items()))
    command = [sys.executable, "-m", "paddleprune", "analyze", str(model), "--config", str(run_file), *WORDS]
    command += ["--executor", "ray", "--address", address, "--workers", "2", "--save-file", str(file)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while process.poll() is None and measured(file) < 2:
        time.sleep(0.01)
    process.kill()
    process.wait()
    before = measured(file)
    assert 2 <= before < len(SensitivityTable.load(file).groups)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "continuing" in done.stderr
    assert file.read_bytes() == table


def test_a_cluster_that_is_not_there_is_named(model: Path, images: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no Ray cluster at 127.0.0.1:1 .*refused.*; `ray start --head`"):
        paddleprune.analyze(
            model,
            eval_dataset=images,
            save_file=tmp_path / "table.json",
            executor="ray",
            address="127.0.0.1:1",
            **HOW,
        )
