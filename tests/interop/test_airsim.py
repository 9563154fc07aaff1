"""A third-party package that says `import msgpackrpc`: AirSim's client, unchanged; a `Service` is its simulator."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from elsewhere.rpc import Service
from tests.interop.peers import BOUND
from tests.require import require

PROGRAM = """
import sys, airsim, msgpackrpc
assert msgpackrpc.__name__ == "elsewhere.msgpackrpc"
client = airsim.MultirotorClient(port=int(sys.argv[1]), timeout_value=20)
client.confirmConnection()
client.enableApiControl(True)
client.takeoffAsync().join()
pose = client.simGetVehiclePose()
assert pose.position.x_val == 1.5, pose
pose.position.x_val += 1
client.simSetVehiclePose(pose, True)
(image,) = client.simGetImages([airsim.ImageRequest("0", airsim.ImageType.Scene, False, False)])
assert len(image.image_data_uint8) == 640 * 480 * 3 and set(image.image_data_uint8) == {255}
(depth,) = client.simGetImages([airsim.ImageRequest("0", airsim.ImageType.DepthPerspective, True)])
assert depth.image_data_float == [0.5] * 1000
try:
    client.simGetGroundTruthKinematics()
except msgpackrpc.error.RPCError as error:
    print("error:", error)
print("well")
"""


def vector(x: float) -> dict[str, float]:
    return {"x_val": x, "y_val": 0.0, "z_val": 0.0}


def simulator(calls: list[tuple[str, Any]]) -> Service:
    """As much of one as the program asks for."""
    service = Service()

    def ping() -> bool:
        return True

    def takeoff(*args: Any) -> bool:
        calls.append(("takeoff", args))
        return True

    def pose(name: str) -> dict[str, Any]:
        return {"position": vector(1.5), "orientation": {"w_val": 1.0, **vector(0.0)}}

    def images(requests: list[dict[str, Any]], *rest: Any) -> list[dict[str, Any]]:
        floats = requests[0]["pixels_as_float"]
        return [
            {
                "image_data_uint8": b"" if floats else b"\xff" * (640 * 480 * 3),
                "image_data_float": [0.5] * 1000 if floats else [],
                "camera_position": vector(0.0),
                "camera_name": "0",
                "camera_orientation": {"w_val": 1.0, **vector(0.0)},
                "time_stamp": 2**60,
                "message": "",
                "pixels_as_float": floats,
                "compress": False,
                "width": 640,
                "height": 480,
                "image_type": 0,
            }
        ]

    service.register(ping)
    for name in ("getServerVersion", "getMinRequiredClientVersion", "getMinRequiredServerVersion", "getClientVersion"):
        service.register(lambda: 1, name)
    service.register(takeoff)
    service.register(lambda *args: calls.append(("enableApiControl", args)), "enableApiControl")
    service.register(pose, "simGetVehiclePose")
    service.register(lambda *args: calls.append(("simSetVehiclePose", args)), "simSetVehiclePose")
    service.register(images, "simGetImages")
    return service


def test_the_client_of_airsim_runs_unchanged(tmp_path):
    folder = require(file=".venv-msgpackrpc/airsim/.ready", install=".ci/peers airsim").parent
    require(module="numpy", install="pip install numpy")
    script = tmp_path / "fly.py"
    script.write_text(PROGRAM)
    calls: list[tuple[str, Any]] = []
    with simulator(calls).start("tcp://127.0.0.1:0") as running:
        done = subprocess.run(
            [sys.executable, "-m", "elsewhere.msgpackrpc", script, running.addresses[0].rpartition(":")[2]],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
            capture_output=True,
            text=True,
            check=False,
            timeout=BOUND,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["error: 'simGetGroundTruthKinematics' method not found", "well"]
    assert [name for name, _ in calls] == ["enableApiControl", "takeoff", "simSetVehiclePose"]
    assert calls[2][1][0]["position"]["x_val"] == 2.5
