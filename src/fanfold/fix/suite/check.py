"""What a tree breaks of the project's suite, in as few runs of all of it as can be; flaky tests don't count."""

from __future__ import annotations

from dataclasses import dataclass, field

from fanfold.fix.landing.candidate import Red, breaks
from fanfold.fix.suite.tested import Part, Tester, comparable


@dataclass
class SuiteCheck:
    """Judges trees by the suite, each beside the tip that it is on.

    Args:
        paths: all files of the base, among which the tests' own are looked for.
        flaky: tests that failed without the change, too, or passed the second time.
    """

    tester: Tester
    paths: frozenset[str]
    flaky: dict[str, None] = field(default_factory=dict)
    _doubt: Part | None = None

    async def ready(self) -> float:
        """Wait until it is known how the suite goes on the base; about how many seconds one run takes."""
        await self.tester.whole()
        return self.tester.whole_s

    async def judges(self) -> bool:
        """Whether the suite says anything at all."""
        return comparable((await self.tester.whole()).base)

    async def examine(self, tree: str, tip: str) -> Red | None:
        """What speaks against a tree: by what was red a moment ago first, which takes less than all."""
        if self._doubt is not None and (names := await self.tester.broken_by(tree, self._doubt)):
            return Red("tests", breaks(names), names, self._doubt)
        names = await self.tester.broken_by(tree)
        red = await self._really(names, tree, tip) if names else None
        self._doubt = red.part if red is not None and red.narrow else None
        return red

    async def shows(self, red: Red, tree: str) -> Red | None:
        """Whether the part of the suite that was red is so on another tree."""
        names = await self.tester.broken_by(tree, red.part)
        return Red("tests", breaks(names), names, red.part) if names else None

    async def confirms(self, tree: str, tip: str | None) -> bool:
        """Run a suite that doesn't divide once more on a red tree, and on its tip: whether it is red by the change.

        Args:
            tip: None = it is known to be green still.
        """
        again = await self.tester.broken_by(tree, again=True)
        if again and (tip is None or not await self.tester.broken_by(tip, again=True)):
            return True
        self.flaky[self.tester.suite.command] = None
        self.tester.correct(tree, ())
        return False

    async def _really(self, names: tuple[str, ...], tree: str, tip: str) -> Red | None:
        """What is left of a red run without the flaky tests."""
        part = await self.tester.part(names, self.paths, to_the_end=True)
        if not self.tester.divides(part):
            return Red("tests", breaks(names), names, part, narrow=False)
        again = await self.tester.broken_by(tree, part, again=True)
        without = await self.tester.broken_by(tip, part, again=True)
        real = tuple(name for name in names if name in again and name not in without)
        narrow = bool(real)
        if not narrow and (left := set(names) - set(without)):
            # What fails only after other tests is as real, and no part shows it.
            real = tuple(name for name in await self.tester.broken_by(tree, again=True) if name in left)
        self.flaky.update(dict.fromkeys(name for name in names if name not in real))
        self.tester.correct(tree, real)
        return Red("tests", breaks(real), real, part if narrow else await self.tester.whole(), narrow) if real else None
