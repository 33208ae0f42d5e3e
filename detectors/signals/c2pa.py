"""Content Credentials (C2PA manifests): what a signed note attached to the picture says about how it was made.

The only module that imports the c2pa library. That library fetches a manifest from the web when a picture merely
points to one, so it is only ever used through `_context()`, with fetching off: opening a picture must not tell the
person who sent it that it was opened.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from detectors.finding import Finding, Profile, Role, State
from detectors.source_types import describe, is_synthetic, term
from detectors.text import clean, quoted

if TYPE_CHECKING:
    from c2pa import Context

    from detectors.intake.picture import Picture

# Settings of c2pa-rs: https://github.com/contentauth/c2pa-rs/blob/main/docs/context-settings.md. No trust list is
# shipped or fetched, so every signer counts as unknown; `allowed_network_hosts` empty refuses what might be left.
SETTINGS = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True},
    "core": {"allowed_network_hosts": [], "allow_redirects": False},
}
MIME = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
    "HEIF": "image/heif",
    "AVIF": "image/avif",
}
# Failures that say nothing against the picture or the signature: nobody checked who the signer is, or the
# certificate has run out since (as all of a generator's do after a year or two when no time stamp was added).
TOLERATED = frozenset(
    {
        "signingCredential.untrusted",
        "signingCredential.expired",
        "timeStamp.untrusted",
        "cawg.x509.credential.untrusted",
        "cawg.x509.signingCredential.untrusted",
    }
)
PROBLEMS = {
    "assertion.dataHash.mismatch": "the picture was changed after they were signed",
    "assertion.bmffHash.mismatch": "the picture was changed after they were signed",
    "assertion.boxesHash.mismatch": "the picture was changed after they were signed",
    "assertion.hashedURI.mismatch": "a part of them was changed after they were signed",
    "claimSignature.mismatch": "their signature does not match",
    "signingCredential.revoked": "the signer's certificate was withdrawn",
    "signingCredential.invalid": "the signer's certificate is not a valid one",
}
MOST_MANIFESTS = 64


class _C2pa:
    """Reads Content Credentials. Score 1.0: they say that a generative model made or altered the picture."""

    name = "c2pa"
    role = Role.DECLARED

    def find(self, picture: Picture, profile: Profile) -> Finding:  # noqa: ARG002 - the same in every profile
        """The finding for one picture; a manifest that cannot be relied on is inconclusive, never absent."""
        mime = MIME.get(picture.media.format)
        if mime is None:
            return self._finding(
                State.NOT_APPLICABLE, None, f"{picture.media.format} files cannot carry Content Credentials."
            )
        if not may_carry(picture):
            return self._absent()
        import c2pa  # loads 23 MB of code, which few pictures need

        try:
            with c2pa.Reader(mime, io.BytesIO(picture.data), context=_context()) as reader:
                store = json.loads(reader.json())
                state = reader.get_validation_state() or ""
        except c2pa.C2paError.ManifestNotFound:
            return self._absent()
        except c2pa.C2paError as error:
            return self._unread(str(error))
        except (ValueError, RecursionError):
            return self._unread("the manifest could not be parsed")
        return self._judge(store, state)

    def _judge(self, store: Mapping[str, Any], state: str) -> Finding:
        manifests = store.get("manifests") or {}
        active = manifests.get(store.get("active_manifest")) or {}
        codes = sorted({str(s.get("code")) for s in store.get("validation_status") or ()})
        details = _details(active, manifests, state, codes)
        signer = quoted(details["issuer"] or "an unnamed signer", 60)
        fatal = [c for c in codes if c not in TOLERATED]
        ai_types = [t for t in details["digital_source_types"] if is_synthetic(t)]
        ai_inside = bool(details["ingredients_synthetic"])
        if fatal or (state == "Invalid" and not codes):
            why = next((PROBLEMS[c] for c in fatal if c in PROBLEMS), "they do not pass the checks")
            claim = " They claim that AI made or altered it." if ai_types or ai_inside else ""
            says = f"Content Credentials are attached but can't be relied on: {why}.{claim}"
            return self._finding(State.INCONCLUSIVE, None, says, details)
        if ai_types:
            score, what = 1.0, f"say: {describe(ai_types[0])}"
        elif details["generator_assertion"]:
            score, what = 1.0, "say that a generative AI tool was used"
        elif ai_inside:
            score, what = 1.0, f"say of a picture it was made from: {describe(details['ingredients_synthetic'][0])}"
        else:
            types = details["digital_source_types"]
            score, what = 0.0, f"say: {describe(types[0])}" if types else "do not say that AI was used"
        says = f"Content Credentials signed by {signer} {what}{_trust(state, codes)}."
        return self._finding(State.OK, score, says, details)

    def _absent(self) -> Finding:
        says = "No Content Credentials are attached. Most pictures have none, so this proves nothing."
        return self._finding(State.OK, 0.0, says, {"present": False})

    def _unread(self, error: str) -> Finding:
        if error.startswith("Remote"):
            # The library puts the address into its message; it is shown as a fact, never opened.
            address = clean(error.rpartition(" url ")[2], 300) if " url " in error else ""
            says = (
                "The picture points to Content Credentials kept on a website. They were deliberately not fetched: "
                "that would tell the website that the picture was opened."
            )
            return self._finding(State.INCONCLUSIVE, None, says, {"present": True, "remote": True, "address": address})
        says = "Content Credentials are attached but could not be read, so they say nothing either way."
        return self._finding(State.INCONCLUSIVE, None, says, {"present": True, "error": clean(error, 300)})

    def _finding(
        self, state: State, score: float | None, says: str, details: Mapping[str, Any] | None = None
    ) -> Finding:
        return Finding(self.name, self.role, state, score, says, details=details or {})


def _trust(state: str, codes: list[str]) -> str:
    """What was not checked about the signer, in words."""
    trust = "" if state == "Trusted" else "this build does not check whether the signer is who they say"
    expired = "the signer's certificate has run out since" if "signingCredential.expired" in codes else ""
    notes = ", and ".join(n for n in (trust, expired) if n)
    return f" ({notes})" if notes else ""


def may_carry(picture: Picture) -> bool:
    """Whether the bytes can hold a manifest or a pointer to one; cheap, and wrong only towards True.

    Every manifest store is a JUMBF box labelled `c2pa`, uncompressed (C2PA specification 2.1, 11.1.4). In a JPEG it
    lies in the marker segments, so the entropy-coded part need not be searched.
    """
    head = _jpeg_head(picture.data) if picture.media.format == "JPEG" else picture.data
    return b"c2pa" in head or b":provenance" in head or ":provenance" in (picture.untrusted_xmp or "")


def _jpeg_head(data: bytes) -> bytes:
    """The bytes before the first scan, or all of them when the markers make no sense. (JPEG: ITU-T T.81, B.1.)"""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == 0xDA:
            return data[:at]
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data


@cache
def _context() -> Context:
    import c2pa

    return c2pa.Context(c2pa.Settings.from_json(json.dumps(SETTINGS)))


def _details(active: Mapping[str, Any], manifests: Mapping[str, Any], state: str, codes: list[str]) -> dict[str, Any]:
    """The facts of a manifest store as bounded plain values, for the window and the report."""
    signature = active.get("signature_info") or {}
    info = active.get("claim_generator_info") or [{}]
    first = info[0] if isinstance(info, list) and info and isinstance(info[0], dict) else {}
    generator = " ".join(clean(first[k], 80) for k in ("name", "version") if first.get(k))
    inside = [t for m in _ingredients(active, manifests) for t in _source_types(m) if is_synthetic(t)]
    return {
        "present": True,
        "validation_state": clean(state, 20),
        "validation_codes": [clean(c, 80) for c in codes[:20]],
        "issuer": clean(signature.get("issuer") or "", 120),
        "common_name": clean(signature.get("common_name") or "", 120),
        "signed_at": clean(signature.get("time") or "", 40),
        "on_trust_list": state == "Trusted",
        "generator": generator or clean(active.get("claim_generator") or "", 160),
        "digital_source_types": _source_types(active),
        "actions": [clean(a.get("action"), 60) for a in _actions(active)][:40],
        "generator_assertion": any(
            a.get("label") == "com.adobe.generative-ai" for a in active.get("assertions") or ()
        ),  # Adobe's form before IPTC's vocabulary had one: https://github.com/contentauth/c2pa-js
        "ingredients": [clean(i.get("title") or "untitled", 120) for i in active.get("ingredients") or ()][:20],
        "ingredients_synthetic": inside[:20],
    }


def _actions(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for assertion in manifest.get("assertions") or ():
        if str(assertion.get("label", "")).startswith("c2pa.actions"):
            data = assertion.get("data")
            actions = data.get("actions") if isinstance(data, dict) else None
            yield from (a for a in (actions if isinstance(actions, list) else ()) if isinstance(a, dict))


def _source_types(manifest: Mapping[str, Any]) -> list[str]:
    """The digital source terms that a manifest declares, synthetic ones first, each once."""
    found = [term(str(a["digitalSourceType"])) for a in _actions(manifest) if a.get("digitalSourceType")]
    for assertion in manifest.get("assertions") or ():
        data = assertion.get("data")
        if isinstance(data, dict):
            found += [term(str(v)) for k, v in data.items() if k.rpartition(":")[2].lower() == "digitalsourcetype"]
    return sorted(dict.fromkeys(t for t in found if t and t != "empty"), key=lambda t: not is_synthetic(t))[:20]


def _ingredients(active: Mapping[str, Any], manifests: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The manifests of everything that the picture was made from, at any depth; each once."""
    seen: dict[str, Mapping[str, Any]] = {}
    queue = [active]
    while queue and len(seen) < MOST_MANIFESTS:
        for ingredient in queue.pop().get("ingredients") or ():
            label = ingredient.get("active_manifest")
            if label in manifests and label not in seen:
                seen[label] = manifests[label]
                queue.append(manifests[label])
    return list(seen.values())


detector = _C2pa()
