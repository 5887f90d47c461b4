"""Check built pages: their internal links, what they take from a network, and backticks in blocks.

    python .ci/check_pages.py docs/_build/html

Exit with a sentence for each link to a page or a place that does not exist, each script, style or
picture that is not in the folder, and each literal block that shows the markup of inline code.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src"}


class Page(HTMLParser):
    """What one page holds: the ids of its places, its links, and the text of its literal blocks."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.loaded, self.blocks = set(), [], [], []
        self._in_block = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        """Keep ids and addresses."""
        attrs = dict(attrs)
        if attrs.get("id"):
            self.ids.add(attrs["id"])
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        if tag in LOADED and attrs.get(LOADED[tag]) and attrs.get("rel") != "canonical":
            self.loaded.append(attrs[LOADED[tag]])
        if tag == "pre":
            self._in_block = True
            self.blocks.append("")

    def handle_endtag(self, tag):
        """End a literal block."""
        self._in_block = self._in_block and tag != "pre"

    def handle_data(self, data):
        """Keep the text of a literal block."""
        if self._in_block:
            self.blocks[-1] += data


def mistakes(folder):
    """Yield a sentence for each mistake in the pages of a folder."""
    folder = folder.resolve()
    files = [path for path in sorted(folder.rglob("*.html")) if path.parent.name != "_static"]
    pages = {path: Page(path) for path in files}
    for path, page in pages.items():
        name = path.relative_to(folder)
        for address in page.links + page.loaded:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if address in page.loaded and parts.scheme != "data":
                    yield f"{name}: loads {address} from a network"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                yield f"{name}: {address} does not exist"
            elif parts.fragment and target in pages:
                place = unquote(parts.fragment)
                if place not in pages[target].ids:
                    yield f"{name}: {address} has no such place"
        for block in page.blocks:
            if "``" in block and not block.lstrip().startswith((">>>", "import", "from")):
                yield f"{name}: shows backticks in {block.strip()[:60]!r}"


if __name__ == "__main__":
    found = list(mistakes(Path(sys.argv[1])))
    print(*found, sep="\n")
    sys.exit(bool(found))
