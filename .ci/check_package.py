"""Compare the files that describe the package: pyproject.toml, CITATION.cff, the recipe, a sdist.

    python .ci/check_package.py dist/skunmix-0.1.0.tar.gz

pyproject.toml is right. Exit with a sentence for each file that states something else.
"""

import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
CONDA_NAMES = {"torch": "pytorch"}  # names on PyPI that conda-forge has by another name
# what a checkout has and a sdist does not need, or has only once it is built
NOT_IN_SDIST = (".gitattributes", ".github/", ".pre-commit-config.yaml")


def recipe_mistakes(project, recipe):
    """Yield what the conda recipe and pyproject.toml state differently."""
    runs = [str(line) for line in recipe["requirements"]["run"]]
    found = {line.split()[0]: line.partition(" ")[2] for line in runs}
    python = found.pop("python").replace("${{ python_min }}", recipe["context"]["python_min"])
    wanted = {}
    for line in project["dependencies"]:
        requirement = Requirement(line)
        wanted[CONDA_NAMES.get(requirement.name, requirement.name)] = str(requirement.specifier)
    if found != wanted:
        yield f"conda/recipe.yaml: expected the run requirements {wanted}, got {found}"
    if python != project["requires-python"]:
        yield f"conda/recipe.yaml: expected python {project['requires-python']}, got {python}"
    about = recipe["about"]
    for what, value in {
        "summary": project["description"],
        "license": project["license"],
        "homepage": project["urls"]["Homepage"],
        "repository": project["urls"]["Repository"],
    }.items():
        if about[what] != value:
            yield f"conda/recipe.yaml: expected the {what} {value!r}, got {about[what]!r}"
    scripts = [f"{name} = {target}" for name, target in project["scripts"].items()]
    if recipe["build"]["python"]["entry_points"] != scripts:
        yield f"conda/recipe.yaml: expected the entry points {scripts}"


def citation_mistakes(project, version, citation):
    """Yield what CITATION.cff and pyproject.toml state differently."""
    for what, value in {
        "version": version,
        "license": project["license"],
        "repository-code": project["urls"]["Repository"],
        "keywords": project["keywords"],
    }.items():
        if citation.get(what) != value:
            yield f"CITATION.cff: expected {what} {value!r}, got {citation.get(what)!r}"


def sdist_mistakes(path):
    """Yield the files under version control that a sdist lacks."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    with tarfile.open(path) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    for name in listed.stdout.splitlines():
        if name not in inside and (ROOT / name).exists() and not name.startswith(NOT_IN_SDIST):
            yield f"{Path(path).name}: lacks {name}; add it to include in pyproject.toml"


def main(sdist):
    """Print all mistakes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    source = (ROOT / "skunmix/__init__.py").read_text(encoding="utf-8")
    version = re.search(r'^__version__ = "(.*)"', source, re.MULTILINE)[1]
    recipe, citation = (
        yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
        for name in ("conda/recipe.yaml", "CITATION.cff")
    )
    mistakes = [
        *recipe_mistakes(project, recipe),
        *citation_mistakes(project, version, citation),
        *sdist_mistakes(sdist),
    ]
    sys.exit("\n".join(mistakes) or None)


if __name__ == "__main__":
    main(*sys.argv[1:])
