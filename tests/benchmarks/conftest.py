import sys
from pathlib import Path

# Benchmarks are scripts: they import one another by their plain names.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
