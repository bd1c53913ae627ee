"""What is called where nobody asked to be told, and where nobody can ask to stop."""


def ignore(*_: object) -> None:
    """Take what is told, and do nothing."""


def never() -> bool:
    """Do not stop."""
    return False
