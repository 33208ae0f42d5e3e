"""IPTC's vocabulary of digital source types: which terms mean a generative model, and each in plain words.

Source: https://cv.iptc.org/newscodes/digitalsourcetype/ and, for `trainedAlgorithmicData`, the C2PA specification.
"""

from __future__ import annotations

from detectors.text import clean

# `algorithmicMedia` and `algorithmicallyEnhanced` are excluded: by definition no trained generator made the content.
SYNTHETIC = {
    "trainedalgorithmicmedia": "made by generative AI",
    "compositewithtrainedalgorithmicmedia": "edited with generative AI",
    "compositesynthetic": "a composite that includes parts made by generative AI",
    "trainedalgorithmicdata": "made by a trained model",
}
OTHER = {
    "digitalcapture": "taken with a digital camera",
    "computationalcapture": "taken with a camera that combines exposures",
    "screencapture": "a screenshot",
    "negativefilm": "scanned from a negative",
    "positivefilm": "scanned from a slide",
    "print": "scanned from a print",
    "minorhumanedits": "a photo with minor edits by a person",
    "humanedits": "edited by a person",
    "algorithmicallyenhanced": "enhanced by software, without generative AI",
    "algorithmicmedia": "made by software, without a trained model",
    "softwareimage": "made with software",
    "digitalart": "drawn with a computer",
    "digitalcreation": "created by a person with a computer",
    "datadrivenmedia": "drawn from data",
    "virtualrecording": "recorded from a virtual scene",
    "composite": "a composite of several pictures",
    "compositecapture": "a composite of several photos",
}


def term(untrusted: str) -> str:
    """The last part of a source type's address, or the value itself when it is only a term; bounded and clean."""
    value = clean(untrusted, 300).rstrip("/")
    return value.rpartition("/")[2].rpartition(":")[2]


def is_synthetic(untrusted: str) -> bool:
    """Whether a source type (address or bare term, any case) says that a generative model was used."""
    return term(untrusted).lower() in SYNTHETIC


def describe(untrusted: str) -> str:
    """A source type in plain words; an unknown term is quoted as it is."""
    key = term(untrusted).lower()
    return SYNTHETIC.get(key) or OTHER.get(key) or f'"{clean(key, 60)}"'
