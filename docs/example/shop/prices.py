import os, sys
from typing import Dict, Optional


def gross(net: float, rate: float = 0.2) -> float:
    result = net * (1 + rate)
    return result


def label(name: str, price: Optional[float] = None) -> str:
    if price == None:
        return "%s: ask us" % name
    else:
        return "%s: %.2f" % (name, price)


def total(prices: Dict[str, float]) -> float:
    sum = 0.0
    for name in prices.keys():
        sum += prices[name]
    return sum
