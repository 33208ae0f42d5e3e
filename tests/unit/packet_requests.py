"""Full requests for the tests, about people who do not exist."""

from __future__ import annotations

import datetime
from typing import Any

from desktop.packets.request import (
    Depicted,
    Earlier,
    Gate,
    RecipientOverride,
    Request,
    RequestItem,
    RequestSighting,
    Sender,
    Signature,
    Statements,
    Texts,
)

NAME = "Amina Okoro-Lindqvist"
AGENT = "Jonas Bekele"
CREATED = datetime.datetime(2026, 11, 28, 12, tzinfo=datetime.UTC)

# An address of one post, as the platform writes them. Everything else gets a page under .example.
POSTS = {
    "x": "https://x.com/example_account/status/1899999999999999999",
    "facebook": "https://www.facebook.com/example.account/posts/100000000000001",
    "instagram": "https://www.instagram.com/p/Cexample001/",
    "threads": "https://www.threads.net/@example_account/post/Cexample001",
    "tiktok": "https://www.tiktok.com/@example_account/video/7300000000000000001",
    "youtube": "https://www.youtube.com/watch?v=exampleid01",
    "reddit": "https://www.reddit.com/r/example/comments/abc123/example/",
    "telegram": "https://t.me/example_channel/12345",
    "bluesky": "https://bsky.app/profile/account.example/post/3kexample001",
}


def country_for(facts: Any, law_id: str, platform_id: str) -> str:
    """A country in which the law holds and the platform can be asked; Kenya where both are for everybody."""
    from desktop.packets.facts import countries_of

    wanted = [law.countries for law in [facts.laws.get(law_id)] if law] + [facts.platforms[platform_id].countries]
    groups = [countries_of(codes) for codes in wanted if "*" not in codes]
    common = frozenset.intersection(*groups) if groups else frozenset(["KE"])
    return min(common or groups[0])


def post_on(facts: Any, platform_id: str) -> str:
    """The address of one post on the platform, or of a page under .example where it has no addresses of its own."""
    platform = facts.platforms[platform_id]
    if platform_id in POSTS:
        return POSTS[platform_id]
    if platform.kind in ("platform", "messenger", "adult", "model_host", "code_host") and platform.hosts:
        return f"https://{platform.hosts[0]}/example/12345"
    return "https://pictures.example/albums/12345"


def full_request(
    facts: Any, law_id: str, platform_id: str, role: str = "depicted", *, channel: str = "", country: str = ""
) -> Request:
    """A request that lacks nothing, whatever the law and the platform ask. `law_id` may be empty."""
    country = country or country_for(facts, law_id, platform_id)
    sender = AGENT if role in ("agent", "guardian", "anyone") else NAME
    return Request(
        created_at=CREATED,
        law=law_id,
        platform=platform_id,
        channel=channel,
        gate=Gate(age="adults", intimate=True, satire=False, news=False),
        depicted=Depicted(name=NAME, legal_name=NAME, office="Member of the city council", country=country),
        sender=Sender(
            role=role,
            name=sender,
            organisation="Bekele Advocates" if sender == AGENT else "",
            email="desk@chambers.example",
            phone="+254 20 555 0100",
            address="12 Example Road\n00100 Exampletown",
            country=country,
            authority={"agent": "attorney", "guardian": "parent"}.get(role, "none"),
            authority_note="Letter of authority of 27 November 2026" if role == "agent" else "",
            authority_date=datetime.date(2026, 11, 27) if role == "agent" else None,
            identity="withhold",
        ),
        signature=Signature(kind="typed", text=sender, date=CREATED.date()),
        statements=Statements(
            nonconsent=True,
            good_faith=True,
            accurate=True,
            intimate=True,
            perjury=True,
            unauthorised_use=True,
            ownership=True,
        ),
        texts=Texts(
            reason="It shows her as if naked. It was made with software from a portrait, and she never agreed to it.",
            relevant_information="She never posed for it. The face was taken from her portrait on the council’s page.",
            circumstances="It appeared on 27 November 2026 in one post, and was passed on by two more accounts.",
            jurisdiction_link="She lives in the country, and so do the people to whom it was shown.",
            remedial_action="Remove it, and keep copies of it from coming back.",
            right_infringed="Her rights to privacy and to dignity.",
            work="The portrait that she took of herself, first shown on her own page on 3 May 2025.",
            erasure_ground="She objects to this use of her likeness, and it was never lawful.",
            police_reference="OB 12/28/11/2026",
            prior_request="The platform was asked on 27 November 2026 under the number 4711. There was no answer.",
            prior_steps="A report was made to the police on 28 November 2026.",
            vulnerability="There are threats against her because of her office.",
            host_provider="Example Hosting Ltd",
        ),
        recipient=RecipientOverride(
            name="Example Hosting Ltd", address="1 Example Street, Exampletown", email="abuse@hosting.example"
        ),
        items=(RequestItem(id=1, identification="the picture in the post", made="made", sha256="a" * 64),),
        sightings=(
            RequestSighting(
                item=1,
                url=post_on(facts, platform_id),
                platform=facts.platforms[platform_id].name,
                handle="@example_account",
                seen_at="2026-11-27T18:30:00+03:00",
                time_zone="Africa/Nairobi",
                posted_at="2026-11-27",
            ),
        ),
        earlier=Earlier(platform="x", sent_at="2026-11-27", reference="4711"),
    )
