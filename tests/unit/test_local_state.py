"""What `make run` keeps from one start to the next."""

import json
import os
import subprocess
from pathlib import Path

from local.stack import PLATFORM_PYTHON

# A function adds to a table while its state is written.
WRITE = """
import threading
from ministack import app
from ministack.services import dynamodb
from local.emulator import save_what_still_changes

save_what_still_changes()
table = {"items": {str(n): {"k": {"S": "v" * 50}} for n in range(3000)}}
dynamodb._tables.set_scoped("000000000000", "eu-central-1", "t", table)
stop = threading.Event()

def add():
    n = 0
    while not stop.wait(0.0001) and n < 5000:
        table["items"][f"new{n}"] = {}
        n += 1

adding = threading.Thread(target=add)
adding.start()
threading.Timer(0.5, stop.set).start()
app.save_all({"dynamodb": dynamodb.get_state})
stop.set()
adding.join()
"""


def test_state_that_changes_while_it_is_written_is_kept(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(PLATFORM_PYTHON), "-c", WRITE],
        cwd=Path(__file__).parents[2],
        env={"PATH": os.defpath, "PERSIST_STATE": "1", "STATE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads((tmp_path / "dynamodb.json").read_text())["payload"]) > 0
    assert '"2999"' in (tmp_path / "dynamodb.json").read_text()
