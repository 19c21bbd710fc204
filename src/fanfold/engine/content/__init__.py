"""What a value says, apart from which object says it: a hash, a JSON form that comes back equal, a difference.

Content is data: its types, its values, its names. Where two objects stand for one, or in which order a dict or set
was filled, is no content. What has no stable content (a lock, a socket, an object that prints its address) is
refused, naming where it is.
"""

from fanfold.engine.content.codec import Codec
from fanfold.engine.content.difference import MISSING, Difference, first_difference
from fanfold.engine.content.hashing import content_hash
from fanfold.engine.content.shapes import ContentError

__all__ = ["MISSING", "Codec", "ContentError", "Difference", "content_hash", "first_difference"]
