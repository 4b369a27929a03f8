"""Become a command that the kernel kills as soon as its parent is gone.

Run as a file by `Child`, never imported: `tether.py <parent pid> <uid> <gid> <command> ...`. It replaces itself with
the command, so the command keeps this process's id and no process stands between parent and child.

Outside Linux there is no such signal; there a child outlives a parent that was killed with SIGKILL.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _die_with_parent(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent died before the line above
        sys.exit(1)


def _become(user: int, group: int) -> None:
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)


def main() -> None:
    """Read the arguments, drop to the user, tie to the parent, become the command."""
    parent, user, group, *command = sys.argv[1:]
    if int(user) != os.getuid():
        _become(int(user), int(group))
    if sys.platform == "linux":
        _die_with_parent(int(parent))  # after setuid, which clears the signal
    os.execvp(command[0], command)  # noqa: S606 - the command is the caller's own


if __name__ == "__main__":
    main()
