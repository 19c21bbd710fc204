import re


class Column:
    """Comparing a column makes a condition for the database, as SQLAlchemy's do."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> str:  # type: ignore[override]
        return "{} IS NULL".format(self.name) if other is None else "{} = {!r}".format(self.name, other)

    __hash__ = None  # type: ignore[assignment]


SOLD_AT = Column("sold_at")


def unsold() -> str:
    return SOLD_AT == None
