from typing import List
from shop.prices import gross
import json


def total(orders: List[float]) -> float:
    """Gross, and the same stem as shop/prices.py."""
    return sum([gross(order) for order in orders])
