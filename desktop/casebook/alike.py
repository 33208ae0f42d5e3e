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
    # Of one picture against many views, and not the other way round: that is many times quicker.
    views = [(other.id, view) for other in others for view in other.views]
    found = near_duplicates.match_list([item], [(view.pdq, "", "") for _, view in views])
    matched = [(views[m.entry], m.view) for m in found if m.view is not None]
    return tuple(sorted({other for (other, theirs), mine in matched if not theirs.kind == mine.kind == "region"}))
