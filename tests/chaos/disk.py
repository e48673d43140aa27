"""A disk of its own whose power can be cut; needs root on Linux.

The disk is an ext4 file system in a file (a loop device). Cutting its power is the shutdown
that the kernel's own file-system tests use (xfstests, ``src/godown``): from that moment
nothing more reaches the disk, and what stood only in memory is gone once it is unmounted.
Mounting it again replays the journal, as a machine does that starts after a power failure.
"""

import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32) in fs/ext4/ext4.h."""
_NO_LOG_FLUSH = struct.pack("I", 2)
"""EXT4_GOING_FLAGS_NOLOGFLUSH: not even the journal is written."""


class NoDisk(Exception):
    """No such disk can be made here; the text says why."""


@dataclass(frozen=True)
class Disk:
    """An image and where it is mounted."""

    image: Path
    mounted_at: Path

    def cut_power(self) -> None:
        """From now on nothing reaches the disk."""
        handle = os.open(self.mounted_at, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _SHUTDOWN, _NO_LOG_FLUSH)
        finally:
            os.close(handle)

    def start_again(self) -> None:
        """Forget what was in memory, and mount what is on the disk."""
        _do("umount", str(self.mounted_at))
        _do("mount", "-o", "loop", str(self.image), str(self.mounted_at))


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[Disk]:
    """A new disk, gone afterwards.

    Raises:
        NoDisk: this needs root, loop devices and e2fsprogs.
    """
    made = Disk(folder / "disk.img", folder / "disk")
    made.mounted_at.mkdir(parents=True)
    with made.image.open("wb") as image:
        image.truncate(megabytes * 1024 * 1024)
    try:
        _do("mkfs.ext4", "-q", str(made.image))
        _do("mount", "-o", "loop", str(made.image), str(made.mounted_at))
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoDisk(
            f"cutting the power of a disk needs root, loop devices and e2fsprogs: {error}"
        ) from error
    try:
        yield made
    finally:
        _do("umount", str(made.mounted_at))
        made.image.unlink()


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
