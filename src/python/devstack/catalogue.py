"""The products that a new shop sells: a few hundred, the same in every shop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# category: (what is sold, its price in EUR cents), made (in what kinds, price in per cent)
_RANGE: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "Tea": (
        {"Green tea": 790, "Black tea": 690, "White tea": 1290, "Oolong": 1190, "Herbal infusion": 590},
        {"loose leaf": 100, "in bags": 80, "tin": 150, "gift box": 260, "trial size": 35},
    ),
    "Coffee": (
        {"Espresso roast": 1290, "Filter roast": 1390, "Decaf roast": 1190, "Single origin": 1690},
        {"whole bean": 100, "ground": 100, "in capsules": 130, "1 kg bag": 350, "trial size": 30},
    ),
    "Kitchen": (
        {"Teapot": 3490, "Mug": 1290, "Bowl": 1190, "Plate": 990, "Pitcher": 2990, "Mortar": 2490},
        {"stoneware": 100, "porcelain": 140, "glass": 90, "cast iron": 210, "enamel": 80},
    ),
    "Books": (
        {
            "Distributed systems": 4990,
            "Domain modelling": 4490,
            "Release engineering": 3990,
            "Databases": 5490,
        },
        {"paperback": 100, "hardcover": 140, "workbook": 70, "second edition": 120, "pocket guide": 45},
    ),
    "Garden": (
        {
            "Tomato seeds": 290,
            "Basil seeds": 250,
            "Watering can": 2490,
            "Hand trowel": 1490,
            "Plant pot": 990,
        },
        {"small": 80, "medium": 100, "large": 150, "set of three": 260, "for children": 70},
    ),
    "Office": (
        {"Notebook": 890, "Fountain pen": 3990, "Desk lamp": 5490, "Letter tray": 1890, "Ink": 990},
        {"black": 100, "blue": 100, "oak": 130, "recycled": 90, "refillable": 120},
    ),
    "Clothing": (
        {"T-shirt": 2490, "Jumper": 5990, "Socks": 1190, "Scarf": 2990, "Beanie": 1990},
        {"cotton": 100, "merino": 190, "linen": 130, "organic": 120, "striped": 105},
    ),
    "Bicycle": (
        {"Bell": 1290, "Pannier": 6990, "Lock": 5990, "Front light": 3990, "Saddle": 4990},
        {"classic": 100, "light": 130, "heavy duty": 150, "city": 95, "touring": 140},
    ),
    "Music": (
        {"Ukulele": 6990, "Harmonica": 3490, "Tambourine": 2490, "Metronome": 3990, "Music stand": 2990},
        {"beginner": 80, "concert": 150, "travel": 100, "walnut": 170, "maple": 160},
    ),
    "Games": (
        {"Chess set": 3990, "Go board": 5990, "Card game": 1290, "Puzzle": 1990, "Dominoes": 1590},
        {"travel": 70, "wooden": 150, "family": 100, "tournament": 180, "magnetic": 110},
    ),
    "Outdoor": (
        {"Water bottle": 1990, "Head torch": 3490, "Daypack": 7990, "Hammock": 4990, "Compass": 2990},
        {"ultralight": 160, "classic": 100, "winter": 130, "recycled": 110, "compact": 95},
    ),
    "Bath": (
        {"Soap": 590, "Shampoo bar": 990, "Towel": 1990, "Bath salts": 1290, "Hand cream": 890},
        {"lavender": 100, "unscented": 95, "cedar": 105, "citrus": 100, "rose": 110},
    ),
}

STOCK = 500
"""How many of each product are received."""


@dataclass(frozen=True)
class Item:
    """A product as an admin describes it; `price` is in EUR cents."""

    sku: str
    name: str
    description: str
    category: str
    price: int


def catalogue() -> Iterator[Item]:
    """Every product of the shop."""
    for category, (things, kinds) in _RANGE.items():
        for thing, base in things.items():
            for kind, per_cent in kinds.items():
                yield Item(
                    sku=_slug(f"{category} {thing} {kind}"),
                    name=f"{thing}, {kind}",
                    description=f"{thing} ({kind}) from our {category.lower()} range. "
                    "Made to last, sent within a day, taken back within thirty.",
                    category=category,
                    price=base * per_cent // 100,
                )


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
