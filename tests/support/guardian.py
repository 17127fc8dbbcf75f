"""`python -m tests.support.guardian FOLDER`: waits until the test run is over, then ends its programs and clears up.

The controller of the run holds a lock. The system lets go of it when that process ends, in whatever way, so that no
server and no folder is left behind by a crash.
"""

import fcntl
import shutil
import sys
from pathlib import Path

from tests.support.processes import end_all


def main(folder: Path) -> None:
    """Wait for the lock, end every program written down, remove the folder."""
    with (folder / "alive").open() as alive:
        fcntl.flock(alive, fcntl.LOCK_SH)
    # From here on a worker that has not noticed yet cannot start another program.
    end_all((folder / "programs").rename(folder / "programs-to-end"))
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
