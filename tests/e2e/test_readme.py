"""The README's journey, pasted into a shell, against the system that `make run` starts."""

import re
import subprocess
from pathlib import Path

import pypdf

from local import stack

README = Path(__file__).parents[2] / "README.md"


def test_the_journey_works_as_it_is_written(running: stack.Running, tmp_path: Path) -> None:
    (script,) = re.findall(r"```bash\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    first, _, rest = script.partition("\n")
    assert first == "API=http://127.0.0.1:8080"
    walked = subprocess.run(
        ["bash", "-euo", "pipefail"],
        input=f"API={running.base_url}\n{rest}",
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert walked.returncode == 0, walked.stdout[-2000:] + walked.stderr[-2000:]
    assert "Нет вашего согласия на обработку медицинских данных." in walked.stdout
    assert "\nactive\n" in walked.stdout
    text = "\n".join(p.extract_text() for p in pypdf.PdfReader(tmp_path / "extract.pdf").pages)
    assert "Смирнова Ольга Николаевна" in text
