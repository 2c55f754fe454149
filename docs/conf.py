"""The settings of the site: Sphinx with Markdown pages and the theme Furo, and no network.

`build.py` builds it. Extensions of our own: `site_api` makes the API pages from the public names,
`site_pages` turns links between files into links between pages, and tutorials into notebooks.
"""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS)]  # the checkout comes before an installed copy

project = "fgrad"
author = "The fgrad authors"
project_copyright = "The fgrad authors"
html_title = "fgrad"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "site_api",
    "site_pages",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
default_role = "py:obj"  # `grad` in a docstring is a reference
myst_heading_anchors = 3
#: "repo" is what `site_pages` makes of links to files of the repository.
myst_url_schemes = {"http": None, "https": None, "repo": {"url": "{{path}}"}}
smartquotes_action = "D"  # dashes; a quotation mark on a page is one that can be typed
suppress_warnings = ["ref.python"]  # two modules have a CheckError; the first is meant

autodoc_typehints = "none"  # the sections Args and Returns say what is taken, shapes and dtypes too
autodoc_default_options = {"members": True, "undoc-members": False}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
python_maximum_signature_line_length = 88
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["style.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "monokai"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#9c3d1c", "color-brand-content": "#1f5f8b"},
    "dark_css_variables": {"color-brand-primary": "#ef9a76", "color-brand-content": "#7db8e0"},
}
