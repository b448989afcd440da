"""Which columns of a table to keep: a greedy, redundancy-aware selection that stops by itself.

`mistworks.selection.selector` has it as a transformer of scikit-learn.
"""

from mistworks.selection.function import select
from mistworks.selection.result import SelectedColumn, Selection

__all__ = ["SelectedColumn", "Selection", "select"]
