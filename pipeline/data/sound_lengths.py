"""How much of the recordings of a set is seen, where each is cut to one length."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.data.findings import some
from pipeline.data.samples import Finding

MUCH = 0.1  # of all sound that is cut off, from which on it is a warning


@dataclass
class SoundLengths:
    """The lengths of recordings, while they are read."""

    seconds: float
    """Of a recording that are seen."""
    recordings: int = 0
    total: float = 0.0
    """Seconds of all recordings."""
    lost: float = 0.0
    """Seconds that are cut off."""
    longest: float = 0.0
    cut: list[str] = field(default_factory=list)

    def see(self, path: str, name: str) -> None:
        """Take in a recording that was read, by what its file says of its length."""
        import soundfile

        try:
            length = float(soundfile.info(path).duration)
        except (soundfile.LibsndfileError, OSError):
            return  # of a form that only our own reader knows
        self.recordings += 1
        self.total += length
        self.longest = max(self.longest, length)
        if length > self.seconds * (1 + 1e-6):
            self.lost += length - self.seconds
            self.cut.append(name)

    def findings(self) -> Iterator[Finding]:
        """Yield a finding where recordings were cut."""
        if not self.cut:
            return
        part = self.lost / self.total
        text = (
            f"{len(self.cut)} of {self.recordings} recordings are longer than {self.seconds:g} s "
            f"(the longest {self.longest:,.1f} s) and were cut: {self.lost:,.1f} of "
            f"{self.total:,.1f} s are not seen ({part:.0%}), such as of {some(self.cut)}. "
            "data.source.stride_s cuts them into windows; sound.seconds is the length."
        )
        yield Finding("warning" if part >= MUCH else "info", "cut_recordings", text, len(self.cut))
