"""What looks like an item and stays when it is deleted because someone in it may be under 18."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from desktop.casebook.casebook import Casebook


def alike_left(casebook: Casebook, item_id: int) -> tuple[int, ...]:
    """The other items, in any incident, that show the same picture as far as fingerprints show; ask before `item_id` is
    deleted, because its fingerprints go with it.

    Files with the same bytes are not among them: `Casebook.mark_maybe_minor` deletes those too. Nor is what a person
    marked as no match. A part of one picture is compared with whole ones alone. Raises no_such_record.
    """
    from detectors.fingerprints import near_duplicates

    item = casebook.item(item_id)
    if item.hashes is None or not item.views:
        return ()
    apart = {next(iter(pair - {item_id})) for pair in casebook.wrong_matches() if item_id in pair}
    others = [
        other
        for other in casebook.items()
        if other.id != item_id and other.hashes and other.hashes.sha256 != item.hashes.sha256 and other.id not in apart
    ]
    found = near_duplicates.match_list(others, [(view.pdq, "", "") for view in item.views])
    return tuple(
        dict.fromkeys(
            others[m.picture].id
            for m in found
            if m.view is not None and "region" not in {m.view.kind} & {item.views[m.entry].kind}
        )
    )
