"""Part names are found by what people type: own names, synonyms, additions, near misses."""

import pytest
from review_store import Review, postgres_folder, review

from alignparts.core.errors import AlignPartsError

__all__ = ["postgres_folder", "review"]


def found(review: Review, query: str, category: str = "box", limit: int = 20) -> list[tuple[str, str | None]]:
    return [(hit.name, hit.synonym) for hit in review.store.names.search(query, category, limit)]


def test_own_names_synonyms_and_other_categories(review: Review) -> None:
    assert found(review, "") == [("body", None), ("lid", None)]
    assert found(review, "lid") == [("lid", None)]
    assert found(review, "cover") == [("lid", "cover"), ("lamp_cover", None)]
    assert found(review, "cover", "lamp") == [("lamp_cover", None), ("lid", "cover")]
    assert found(review, "Top Cover") == [("lid", "top_cover")]
    assert found(review, "cov", limit=1) == [("lid", "cover")]
    assert found(review, "shade", "a category of nobody") == [("lamp_cover", "shade")]
    assert found(review, "lidd") == [("lid", None)]  # a near miss
    assert found(review, "xyzzy") == []
    assert found(review, "%_\\'\"; DROP TABLE item") == []
    assert found(review, "l" * 10_000) == []


def test_names_that_people_add(review: Review) -> None:
    ann = review.annotator("Ann")
    for _ in range(2):
        review.store.names.add(ann, "Box", "Carrying  strap", "to carry it by")
    assert found(review, "strap") == [("Carrying strap", None)]
    assert ("Carrying strap", None) in found(review, "")
    again = review.reopen()
    assert again.names.search("carrying_strap", "box")[0].description == "to carry it by"
    again.close()
    review.store.names.add(ann, "rocket", "fin")
    assert found(review, "", "rocket") == [("fin", None)]
    for name, description in (("x" * 10_000, ""), ("\u200b", ""), ("fin", "x" * 10_000)):
        with pytest.raises(AlignPartsError, match="expected"):
            review.store.names.add(ann, "box", name, description)
