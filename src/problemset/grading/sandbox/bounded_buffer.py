"""A buffer for a stream whose length somebody else decides."""

import dataclasses
from dataclasses import dataclass


@dataclass
class BoundedBuffer:
    """The first or the last bytes of a stream."""

    limit: int
    last: bool = False
    content: bytearray = dataclasses.field(default_factory=bytearray)
    left_out: int = 0

    def add(self, chunk: bytes) -> None:
        """Append a chunk, within the limit."""
        self.content += chunk
        over = max(0, len(self.content) - self.limit)
        self.left_out += over
        del self.content[slice(over) if self.last else slice(self.limit, None)]

    def text(self) -> str:
        """Decode the content; a first line says how many bytes were left out."""
        before = f"[{self.left_out} bytes left out]\n" if self.left_out else ""
        return before + self.content.decode("utf-8", "replace")
