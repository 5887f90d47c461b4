"""Metadata of products in XML."""

import xml.etree.ElementTree as ElementTree


def parse(path):
    """Return the root of an XML file, without namespaces in its tags.

    Raises
    ------
    OSError
        If it cannot be parsed.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise OSError(
            f"{path} could not be parsed ({error}); it may be truncated: copy it again."
        ) from error
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    return root


def starts_with(path, *words):
    """Return whether one of these words is near the beginning of a file."""
    with open(path, "rb") as file:
        beginning = file.read(4096)
    return any(word.encode() in beginning for word in words)


def number(element, tag, path):
    """Return the number in a child of an element.

    Raises
    ------
    OSError
        If there is none.
    """
    text = element.findtext(tag)
    try:
        return float(text)
    except (TypeError, ValueError):
        raise OSError(
            f"{path.name} has {text!r} as {tag}, expected a number; it may be damaged."
        ) from None
