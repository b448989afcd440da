"""Writes what is expected from what is measured now: ``python -m tests.pins [NAME …]``."""

import json
import sys

from tests.pins.measured import MEASURES, expected_file

for name in sys.argv[1:] or MEASURES:
    text = json.dumps(MEASURES[name](), indent=1, sort_keys=True, ensure_ascii=False)
    expected_file(name).write_text(f"{text}\n", encoding="utf-8")
    sys.stdout.write(f"{expected_file(name).name}\n")
