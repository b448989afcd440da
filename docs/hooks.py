"""What the build of the documentation does beside rendering pages.

It runs every script of docs/examples in a fresh process and folder. Pages take in what a script printed, as
``--8<-- "output/NAME.txt"``, and show what it drew, as ``examples/NAME.svg``. It also writes the page of the
command line. Nothing of this is committed.
"""

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from typer.testing import CliRunner

from flows.cli.commands import app

_EXAMPLES = Path(__file__).parent / "examples"
_STORE = Path(__file__).parent / "store.py"
_SCRATCH = tempfile.TemporaryDirectory(prefix="mistworks-docs-")
_SHOWN = {".csv", ".png", ".svg"}
_TAGS = "script|img|iframe|source|link rel=.(?:stylesheet|preconnect)."
_LOADED = re.compile(rf"<(?:{_TAGS})[^>]*(?:src|href)=.(?:https?:)?//[^>]*>")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Run the examples, two at a time, and let pages take in what they printed."""
    scratch = Path(_SCRATCH.name)
    (scratch / "output").mkdir(exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(_run, sorted(_EXAMPLES.glob("*.py"))))
    (scratch / "output" / "command-line.md").write_text(_command_line(), encoding="utf-8")
    config["mdx_configs"]["pymdownx.snippets"]["base_path"].append(_SCRATCH.name)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files that the examples wrote to the site."""
    for path in sorted(Path(_SCRATCH.name, "run").glob("*/*")):
        if path.suffix in _SHOWN:
            files.append(File.generated(config, f"examples/{path.name}", abs_src_path=str(path)))
    return files


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Refuse a page that would load anything from the network.

    Raises:
        PluginError: it would.
    """
    if loaded := _LOADED.findall(output):
        raise PluginError(f"Expected {page.file.src_uri} to load its own files only, got {loaded[0]}.")
    return output


def _run(script: Path) -> None:
    """Run one example, and the shell commands beside it if there are any, in a folder of their own.

    Raises:
        PluginError: it fails, or warns.
    """
    folder = Path(_SCRATCH.name, "run", script.stem)
    folder.mkdir(parents=True, exist_ok=True)
    if script.stem == "read_store":
        _capture([sys.executable, str(_STORE)], folder, _STORE.stem)
    _capture([sys.executable, str(script)], folder, script.stem)
    commands = script.with_suffix(".sh")
    if commands.exists():
        _capture(["sh", "-e", str(commands)], folder, f"{script.stem}-commands")


def _capture(command: list[str], folder: Path, name: str) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "MPLBACKEND": "Agg", "COLUMNS": "100", "PATH": path}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode or done.stderr:
        raise PluginError(f"Expected {' '.join(command)} to run without a word, got:\n{done.stderr}")
    Path(_SCRATCH.name, "output", f"{name}.txt").write_text(done.stdout, encoding="utf-8")


def _command_line() -> str:
    """Every command with its help, as a page."""
    commands = [*app.registered_commands]
    names = [command.name or command.callback.__name__ for command in commands if command.callback]
    return "\n\n".join([_help(), *(f"## {name}\n\n{_help(name)}" for name in names)]) + "\n"


def _help(*command: str) -> str:
    shown = CliRunner(env={"COLUMNS": "100"}).invoke(app, [*command, "--help"], prog_name="mistworks")
    if shown.exit_code:
        raise PluginError(f"Expected the help of {command}, got:\n{shown.output}")
    return f"```text\n{shown.output.strip()}\n```"
