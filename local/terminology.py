"""Makes the functions' tables of names from the ministry's CSV files, before they are built.

python -m local.terminology [folder]      default: ../shared/data/terminology

A file is named `<OID>_<version>.csv` as nsi.rosminzdrav.ru gives it out. The tables go into
functions/kernel/tables, which git ignores: their texts are not ours to publish.
"""

import csv
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TABLES = ROOT / "functions" / "kernel" / "tables"
GIVEN = ROOT.parent / "shared" / "data" / "terminology"
_NAME = re.compile(r"(?P<oid>[0-9.]+)_(?P<version>[0-9.]+)")
# The columns of a code and of its name, as different tables call them.
_COLUMNS = (("MKB_CODE", "MKB_NAME"), ("CODE", "NAME"))


def build(folder: Path, target: Path = TABLES) -> list[Path]:
    """Make a table of each CSV of a folder, and drop the others; the tables made."""
    made = []
    for path in sorted(folder.glob("*.csv")):
        found = _NAME.fullmatch(path.stem)
        if found is None:
            continue
        table = {**found.groupdict(), "names": names(path)}
        target.mkdir(exist_ok=True)
        written = target / f"{path.stem}.json"
        text = json.dumps(table, ensure_ascii=False, separators=(",", ":"))
        # Unchanged files stay untouched, so that nothing is built anew because of them.
        if not written.exists() or written.read_text("utf-8") != text:
            written.write_text(text, "utf-8")
        made.append(written)
    for old in target.glob("*.json"):
        if old not in made:
            old.unlink()
    return made


def names(path: Path) -> dict[str, str]:
    """Code -> name of a CSV; rows that are not in force any more count where no other names it."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    code, name = next(pair for pair in _COLUMNS if rows and pair[0] in rows[0])
    # ACTUAL is 1 for what is in force; later rows win.
    rows.sort(key=lambda row: row.get("ACTUAL", "1") == "1")
    return {row[code].strip().upper(): row[name].strip() for row in rows if row[code]}


if __name__ == "__main__":
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else GIVEN
    for table in build(given):
        print(f"{table.relative_to(ROOT)}: {table.stat().st_size:,} bytes")
