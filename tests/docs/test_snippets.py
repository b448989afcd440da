"""What README and the first page of the site show runs as it stands, in the core installation."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mistworks import native
from tests.mistworks.test_core_install import PROJECT, REFUSE, REFUSED

PAGES = ["README.md", "docs/index.md"]


def snippets(page: str) -> str:
    text = (PROJECT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert blocks
    return "\n".join(blocks)


@pytest.mark.skipif(not native.available(), reason="without compiled statistics torch computes them")
@pytest.mark.parametrize("page", PAGES)
def test_python_runs(page: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", REFUSE + snippets(page), ",".join(REFUSED)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("page", PAGES)
def test_every_installation_has_its_size_and_torch_may_come_without_cuda(page: str) -> None:
    text = (PROJECT / page).read_text(encoding="utf-8")
    for target in (".", "'.[torch]'", "'.[pipeline]'"):
        (row,) = re.findall(rf"^\|.*`pip install {re.escape(target)}`.*$", text, re.MULTILINE)
        assert re.search(r"\d (MB|GB)", row)
    assert "`pip install torch --index-url https://download.pytorch.org/whl/cpu`" in text
