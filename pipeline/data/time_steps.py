"""Steps of time between the rows of series: usual ones, gaps, doubled moments; findings on them."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from pipeline.data.findings import some
from pipeline.data.samples import Finding

MEASURED = 10_000  # steps of a series by which the usual one is found
GAP = 1.5  # times the usual step, beyond which rows are missing


@dataclass
class Steps:
    """The steps of one file, while it is read for the first time."""

    last: float | None = None
    steps: list[float] = field(default_factory=list)

    def add(self, at: float) -> None:
        """Take in the moment of a row, in seconds."""
        if self.last is not None and at > self.last and len(self.steps) < MEASURED:
            self.steps.append(at - self.last)
        self.last = at

    @property
    def usual(self) -> float | None:
        """Return the median step in seconds; None where time never goes forward."""
        return median(self.steps) if self.steps else None


@dataclass
class Odd:
    """What is counted while windows are cut."""

    unlabeled: int = 0
    unknown: int = 0
    mixed: int = 0
    """Windows with rows of several labels."""
    crossing: int = 0
    dropped: int = 0
    gaps: list[tuple[float, str]] = field(default_factory=list)
    """Length in seconds, and the place after it."""
    usual: float | None = None
    doubled: list[str] = field(default_factory=list)
    backwards: list[str] = field(default_factory=list)
    short: list[str] = field(default_factory=list)

    def see_step(self, step: float, usual: float | None, place: str) -> None:
        """Take in the seconds from one row to the next of a series."""
        if step < 0:
            self.backwards.append(place)
        elif step == 0:
            self.doubled.append(place)
        elif usual is not None and step > GAP * usual:
            self.usual = usual
            self.gaps.append((step, place))

    def takes(self, moments: Sequence[float], usual: float | None, longest: float | None) -> bool:
        """Count a window by its longest step; tell whether it is kept.

        Args:
            moments: of its rows, in seconds.
            usual: step of its series.
            longest: step that is allowed; None: any.
        """
        step = max((b - a for a, b in itertools.pairwise(moments)), default=0.0)
        if longest is not None and step > longest:
            self.dropped += 1
            return False
        self.crossing += usual is not None and step > GAP * usual
        return True

    def findings(self) -> Iterator[Finding]:
        """Yield the findings."""
        if self.unknown:
            text = f"{self.unknown} values are missing: the median of train stands in."
            yield Finding("info", "missing_values", text, self.unknown)
        if self.unlabeled:
            text = f"{self.unlabeled} windows have no target and were left out."
            yield Finding("info", "windows_without_answer", text, self.unlabeled)
        if self.backwards:
            text = f"rows are older than the row before, the first at {self.backwards[0]}."
            yield _finding("backwards_in_time", len(self.backwards), text)
        if self.doubled:
            text = f"rows have the moment of the row before, the first at {self.doubled[0]}."
            yield _finding("doubled_moments", len(self.doubled), text)
        yield from self._of_gaps()
        if self.mixed:
            text = (
                "windows hold rows of several labels and are named after their last row; "
                "data.source.series starts a new series where a column changes."
            )
            yield _finding("mixed_windows", self.mixed, text)
        if self.short:
            text = f"series are too short for a window: {some(self.short)}."
            yield _finding("short_series", len(self.short), text)

    def _of_gaps(self) -> Iterator[Finding]:
        if self.gaps and self.usual is not None:
            longest, place = max(self.gaps)
            text = (
                f"steps are longer than {GAP:g} times the usual {self.usual:g} s, the longest "
                f"{longest:,.6g} s before {place}; {self.crossing} windows cross one. "
                "data.source.max_gap_s leaves such windows out."
            )
            yield _finding("gaps_in_time", len(self.gaps), text)
        if self.dropped:
            text = f"{self.dropped} windows reach across a gap and were left out."
            yield Finding("info", "windows_across_gaps", text, self.dropped)


def _finding(code: str, count: int, text: str) -> Finding:
    return Finding("warning", code, f"{count} {text}", count)
