"""What the documentation promises about itself."""

import ast
import importlib
import re
import runpy
import shlex
import tomllib
from pathlib import Path

import pytest

from skunmix.cli import main

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path
    for path in (ROOT / "docs").rglob("*.rst")
    if not {"_build", "_templates", "auto_examples", "generated"} & set(path.parts)
    and path.name != "sg_execution_times.rst"
)
SCRIPTS = sorted((ROOT / "examples").rglob("plot_*.py"))
PUBLIC = [
    "skunmix",
    *(
        f"skunmix.{room}"
        for room in (
            "metrics",
            "model_selection",
            "datasets",
            "extraction",
            "plotting",
            "preprocessing",
            "scenes",
            "solvers",
        )
    ),
]


def names(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_python_in_pages_is_run(page):
    """Blocks of Python are doctests; other blocks are for the shell, or what a command prints.

    Lines of code are not longer than the column of the page.
    """
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"\.\. code-block:: *(\S*)", text)) <= {"bash", "text"}
    lines = [line.strip() for line in text.splitlines()]
    code = [line.removesuffix("  # doctest: +SKIP") for line in lines if line[:3] in (">>>", "...")]
    assert not [line for line in code if len(line) > 4 + 96]
    # a :: that is no directive's begins a literal block, which nobody runs
    assert not [line for line in lines if line.endswith("::") and not line.startswith(".. ")]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "CHANGELOG.md", "docs/whats_new.md"])
def test_pages_that_are_not_run_have_no_python(page):
    """The README's is run below."""
    assert set(re.findall(r"^```(\w+)", (ROOT / page).read_text("utf-8"), re.MULTILINE)) <= {"bash"}


@pytest.mark.parametrize("module", PUBLIC)
def test_all_that_is_public_is_in_the_api(module):
    api = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")
    missing = [
        name
        for name in importlib.import_module(module).__all__
        if not re.search(rf"^(   |\.\. py:data:: ){name}$", api, re.MULTILINE)
    ]
    assert not missing, f"docs/api.rst lacks {missing} of {module}"


def test_the_front_page_needs_ten_lines_at_most():
    text = (ROOT / "docs" / "index.rst").read_text(encoding="utf-8")
    _, block = text.split(".. front page: at most ten lines\n\n")
    lines = block.split("\n\n")[0].splitlines()
    assert all(line.startswith((">>> ", "... ")) for line in lines)
    assert len(lines) <= 10


@pytest.mark.parametrize("script", SCRIPTS, ids=names)
def test_scripts_say_what_they_download(script):
    tree = ast.parse(script.read_text(encoding="utf-8"))
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    for name in called & {"fetch_jasper_ridge", "fetch_usgs_library"}:
        assert "downloaded once" in ast.get_docstring(tree)
        assert name in ast.get_docstring(tree)


@pytest.mark.parametrize("script", sorted((ROOT / "examples/paper").glob("*.py")), ids=names)
def test_scripts_of_measured_results_run_in_any_folder(script, tmp_path, monkeypatch):
    if "fetch_" in script.read_text(encoding="utf-8"):
        pytest.skip("downloads a scene")
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script))


def test_quickstart_says_in_one_sentence_that_a_download_failed(monkeypatch):
    monkeypatch.setattr("sys.argv", ["quickstart.py", "--jasper"])
    module = runpy.run_path(str(ROOT / "examples/quickstart.py"))

    def offline():
        raise OSError("jasper_ridge.mat could not be downloaded")

    monkeypatch.setitem(module["load"].__globals__, "fetch_jasper_ridge", offline)
    with pytest.raises(
        SystemExit, match=r"quickstart.py: jasper_ridge.mat could not be downloaded"
    ):
        module["main"]()


def test_release_notes_are_those_of_the_change_log():
    notes = runpy.run_path(str(ROOT / ".ci/release_notes.py"))
    assert notes["section"]("Unreleased").startswith("### Added")
    with pytest.raises(SystemExit, match='section "## 0.0.0"'):
        notes["section"]("0.0.0")


def test_mistakes_of_built_pages_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<p id="here"></p><a href="b.html#there"></a><a href="#here"></a><a href="c.html"></a>'
        '<a href="https://example.org"></a><script src="https://example.org/maths.js"></script>'
        "<pre>where ``x`` is</pre>",
        encoding="utf-8",
    )
    (tmp_path / "b.html").write_text('<img src="b.png">', encoding="utf-8")
    check = runpy.run_path(str(ROOT / ".ci/check_pages.py"))
    assert list(check["mistakes"](tmp_path)) == [
        "a.html: b.html#there has no such place",
        "a.html: c.html does not exist",
        "a.html: loads https://example.org/maths.js from a network",
        "a.html: shows backticks in 'where ``x`` is'",
        "b.html: b.png does not exist",
    ]


def test_the_second_example_needs_five_lines_at_most():
    text = (ROOT / "docs" / "index.rst").read_text(encoding="utf-8")
    lines = text.split(".. second example: at most five lines\n\n")[1].split("\n\n")[0].splitlines()
    assert all(line.startswith(">>> ") for line in lines)
    assert len(lines) <= 5


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("page", ["docs/index.rst", "docs/guide/files_to_maps.rst"])
def test_commands_of_the_front_pages_run(folder_of_files, monkeypatch, page):
    """All commands of a page, in their order; where one repeats an output, it replaces it."""
    pytest.importorskip("rasterio")
    monkeypatch.chdir(folder_of_files)
    text = (ROOT / page).read_text(encoding="utf-8")
    commands = re.findall(r"^ *skunmix ((?:info|endmembers|unmix|train) .*)$", text, re.MULTILINE)
    first = "unmix scene.hdr -o maps.tif --endmembers library.sli --quicklook maps.png"
    assert commands[0] == first
    for command in commands:
        arguments = shlex.split(command)
        arguments += [] if arguments[0] == "info" else ["--overwrite"]
        arguments += ["--epochs", "2"] if arguments[0] == "train" else []
        assert main(arguments) == 0
    assert (folder_of_files / "maps.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.filterwarnings("ignore:FigureCanvasAgg", "ignore::UserWarning:rasterio")
def test_blocks_of_the_readme_run_as_printed(folder_of_files, monkeypatch):
    """From top to bottom in one session; `.ci/run` runs what installs and tests the package.

    `.ci/run package` runs this test with the wheel.
    """
    pytest.importorskip("rasterio")
    monkeypatch.chdir(folder_of_files)
    text = (ROOT / "README.md").read_text("utf-8")
    session = {}
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        if language == "python":
            exec(block, session)
        elif block.startswith("skunmix "):
            for command in block.splitlines():
                assert main(shlex.split(command)[1:]) == 0
        else:
            assert block.startswith(("pip install ", "python -m venv "))
    assert session["abundances"].columns.tolist() == ["soil", "tree", "water"]
    assert session["network"].predict(session["pixels"]).shape == (5400, 3)


def test_addresses_in_the_readme_are_absolute():
    """So that it reads well on a package index; each is of a file that exists."""
    text = (ROOT / "README.md").read_text("utf-8")
    addresses = re.findall(r"\]\((.*?)\)", text)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    repository = project["urls"]["Repository"]
    raw = repository.replace("https://github.com", "https://raw.githubusercontent.com") + "/main/"
    for address in addresses:
        assert address.startswith((raw, f"{repository}/blob/main/"))
        assert (ROOT / address.removeprefix(raw).removeprefix(f"{repository}/blob/main/")).exists()
