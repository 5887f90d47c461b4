"""Configuration of Sphinx; the build needs no network."""

import inspect
import re
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

import skunmix
from skunmix.datasets import fetch_jasper_ridge, fetch_usgs_library

EXAMPLES = Path(__file__).parent.parent / "examples"

project = "skunmix"
author = "The skunmix developers"
copyright = author
release = version = skunmix.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "numpydoc",
    "myst_parser",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "conftest.py"]
nitpicky = False  # types such as "array-like" are not cross-references

autosummary_generate = True
toc_object_entries_show_parents = "hide"  # `fit()`, as the page names the class
autodoc_typehints = "none"  # the docstrings describe the parameters
numpydoc_show_class_members = False  # the class template lists them
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True


def skip_what_is_not_ours(app, what, name, obj, skip, options):
    """Skip members that come from scikit-learn, which documents them."""
    function = obj.fget if isinstance(obj, property) else obj
    if not callable(function):
        return skip
    module = getattr(inspect.unwrap(function), "__module__", None) or ""
    return skip or not module.startswith("skunmix")


def write_inline_math(translator, node):
    """Write a formula within a line as MathML, which browsers draw themselves."""
    translator.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def write_math(translator, node):
    """Write a formula on lines of its own as MathML, with several lines aligned."""
    formula = node.astext()
    if re.search(r"&.*\\\\", formula, re.DOTALL) and r"\begin" not in formula:
        formula = rf"\begin{{aligned}}{formula}\end{{aligned}}"
    translator.body.append('<div class="formula">' + tex2mathml(formula, as_block=True) + "</div>")
    raise nodes.SkipNode


def setup(app):
    """Connect the functions above."""
    app.connect("autodoc-skip-member", skip_what_is_not_ours)
    # without a script, so that pages show their formulas without a network
    app.add_html_math_renderer("mathml", (write_inline_math, None), (write_math, None))


# The gallery


def missing_data():
    """Return the names of the fetchers whose files are missing."""
    missing = []
    for fetch in (fetch_jasper_ridge, fetch_usgs_library):
        try:
            fetch(download_if_missing=False)
        except (OSError, ImportError):
            missing.append(fetch.__name__)
    return missing


def pattern_of_scripts_to_run():
    """Return a pattern that matches the scripts to run: those whose data are present.

    The others are shown without output, so that links to them work.
    """
    missing = missing_data()
    left_out = [
        path.stem
        for path in sorted(EXAMPLES.rglob("plot_*.py"))
        if any(name in path.read_text(encoding="utf-8") for name in missing)
    ]
    if not left_out:
        return r"plot_\w+\.py"
    print(f"Not run, because their data are not in SKUNMIX_DATA: {', '.join(left_out)}")
    return rf"/(?!(?:{'|'.join(map(re.escape, left_out))})\.py)plot_\w+\.py"


sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": pattern_of_scripts_to_run(),
    "ignore_pattern": r"quickstart\.py",
    "doc_module": ("skunmix",),
    "reference_url": {"skunmix": None},
    "backreferences_dir": "generated/backreferences",
    "subsection_order": [
        "../examples/first_steps",
        "../examples/extraction",
        "../examples/paper",
        "../examples/preprocessing",
        "../examples/model_selection",
        "../examples/uncertainty",
        "../examples/applications",
        "*",
    ],
    "within_subsection_order": "FileNameSortKey",
    "remove_config_comments": True,
    # of scripts that were not run
    "default_thumb_file": str(Path(__file__).parent / "images" / "jasper_ridge.png"),
    "show_memory": False,
    "write_computation_times": False,  # a page that needs a network
    "plot_gallery": "True",
    "parallel": 2,
}

# Appearance

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "skunmix"
html_context = {"default_mode": "auto"}
html_static_path = ["_static"]
html_css_files = ["skunmix.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "skunmix"},
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
html_sidebars = {"whats_new": [], "glossary": []}
