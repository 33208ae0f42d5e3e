"""XMP packets as plain name-value pairs, parsed so that a hostile packet can do no more than fail."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

# Real packets are a few KB; Photoshop histories reach some hundred. More is not worth parsing.
MAX_CHARS = 2_000_000
MAX_VALUES = 20_000

NAMES = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://www.tc260.org.cn/ns/AIGC/1.0/": "TC260",
}
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


class XmpUnreadable(ValueError):
    """The packet is too large, not well-formed XML, or declares a document type."""


def properties(untrusted_packet: str) -> list[tuple[str, str]]:
    """All (name, value) pairs of a packet, attribute or element form alike, in document order.

    A name is `prefix:local` for the namespaces in NAMES, whatever prefix the packet uses, else the local name alone.
    Items of a list come under the name of the list's property. Raises XmpUnreadable.
    """
    packet = untrusted_packet.strip("\x00\ufeff \t\r\n")
    if len(packet) > MAX_CHARS:
        raise XmpUnreadable("too large")
    # XMP never needs a document type (XMP part 1, 7.1); entities are how XML expands without bound.
    if "<!DOCTYPE" in packet or "<!ENTITY" in packet:
        raise XmpUnreadable("declares a document type")
    try:
        root = ElementTree.fromstring(packet)  # noqa: S314 - bounded above, and document types are refused
    except (ElementTree.ParseError, ValueError) as error:
        raise XmpUnreadable("not well-formed") from error
    found: list[tuple[str, str]] = []
    for pair in _walk(root):
        found.append(pair)
        if len(found) >= MAX_VALUES:
            break
    return found


def _walk(root: ElementTree.Element) -> Iterator[tuple[str, str]]:
    stack: list[tuple[ElementTree.Element, str]] = [(root, "")]
    while stack:
        element, owner = stack.pop()
        name = owner if element.tag.startswith(_RDF) else _short(element.tag)
        for key, value in element.attrib.items():
            if key == _RDF + "resource":
                yield name, value
            elif not key.startswith((_RDF, "{http://www.w3.org/XML/")):
                yield _short(key), value
        if element.text and element.text.strip():
            yield name, element.text.strip()
        stack += [(child, name) for child in reversed(element)]


def _short(tag: str) -> str:
    namespace, _, local = tag.rpartition("}")
    prefix = NAMES.get(namespace.lstrip("{"))
    return f"{prefix}:{local}" if prefix else local
