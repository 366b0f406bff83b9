"""Reasons for which an object is left out."""

REASONS = {
    "license": "its license does not allow a changed copy to be passed on",
    "file_too_large": "the file, or one it refers to, is larger than the limit",
    "unreadable": "it cannot be read",
    "no_faces": "it holds no triangle",
    "not_finite": "a vertex is not a number",
    "no_area": "no triangle has an area",
    "too_few_faces": "fewer faces than the limit",
    "too_many_faces": "more faces than the limit",
    "too_many_components": "more separate pieces than the limit",
    "scale": "its size or its distance from the origin makes no sense",
    "flat": "it has no thickness",
    "no_texture": "it has neither a texture nor two colors",
    "texture_broken": "a base color image cannot be decoded",
    "texture_too_large": "an image claims more pixels than the limit; it was not decoded",
    "duplicate": "it is a copy of another object",
    "too_slow": "reading it took longer than the limit",
    "too_much_memory": "reading it took more memory than the limit",
    "crashed": "the process that read it died",
    "language_model": "a language model judged its picture unfit",
}
"""Every reason and its meaning."""


class Rejected(Exception):
    """An object that is left out.

    Attributes:
        reason: one of :data:`REASONS`.
        detail: findings on this object, in plain English.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


def require(holds: bool, reason: str, detail: str) -> None:
    """Raise Rejected unless a condition holds."""
    if not holds:
        raise Rejected(reason, detail)
