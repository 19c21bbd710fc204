from shop.orders.prices import total
from shop.prices import gross, label
from shop.search import unsold


def test_label_without_a_price():
    assert label("tea") == "tea: ask us"


def test_gross_adds_the_tax():
    assert gross(10) == 12


def test_total_is_gross():
    assert total([10, 20]) == 36


def test_unsold_is_a_condition():
    assert unsold() == "sold_at IS NULL"
