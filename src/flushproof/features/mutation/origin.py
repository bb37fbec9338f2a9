"""Where a variant came from, so that an edited text of it can be read in the same way.

In: the path a user names and the choices. Out: the set-up, and a set-up for any edited text.
"""

from __future__ import annotations

from pathlib import Path

from flushproof.frontend.kernel.choices import Choices
from flushproof.frontend.kernel.library import Surroundings
from flushproof.frontend.kernel.recognise import reduce_kernel_file
from flushproof.frontend.setup import Setup
from flushproof.frontend.spec.resolve import from_text
from flushproof.support.record import Record, field, replace
from flushproof.support.source import Source
from flushproof.verify.open_input import Opened


class SetupOrigin(Record, frozen=True):
    """A set-up and how it was made: under a spec, by the default one, or from a kernel file."""

    setup: Setup
    spec: str | None
    kernel: bool = False
    choices: Choices = field(default_factory=Choices)
    around: Surroundings = field(default_factory=Surroundings)

    def again(self, edited: Source) -> Setup:
        """Return the set-up with one of its files edited.

        Raises:
            InputError: the edited text is not accepted.
        """
        place = Path(self.setup.variant.name)
        if not self.kernel:
            made = from_text(edited, self.spec)
        elif edited.name == self.setup.variant.name:
            made = reduce_kernel_file(edited, self.choices, place, None, self.around).setup
        else:
            texts = {Path(edited.name): edited.text}
            main = self.setup.variant
            made = reduce_kernel_file(main, self.choices, place, texts, self.around).setup
        return replace(made, bounds=self.setup.bounds, memory=self.setup.memory)

    def under(self, setup: Setup) -> SetupOrigin:
        """Return the origin with the bounds and the memory model of a set-up."""
        return replace(self, setup=setup)


def origin_of(path: str, spec: str | None, opened: Opened, choices: Choices) -> SetupOrigin:
    """Return where a set-up that was made before came from."""
    if not opened.profile:
        return SetupOrigin(opened.setup, path if path.endswith(".spec") else spec)
    return SetupOrigin(opened.setup, None, kernel=True, choices=choices)
