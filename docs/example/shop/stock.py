from typing import Union


def count(path: str) -> Union[int, None]:
    try:
        with open(path, "r") as lines:
            return len(lines.readlines())
    except Exception:
        return None
