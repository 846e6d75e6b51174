"""Numbers of things in words."""


def counted(number: int, what: str) -> str:
    """Return "1 file", "2 files": the number with its noun."""
    return f"{number} {what}{'' if number == 1 else 's'}"
