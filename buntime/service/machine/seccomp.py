"""The system calls that are refused in a sandbox, as a program for the kernel's seccomp filter.

A sandbox has no capability and no view of the host's files, processes and network. What remains of the kernel
that namespaces do not divide is closed here: key rings, AF_VSOCK, calls that few programs need but that had
many holes, and memory that would not count for the session: huge pages, and pages that a program swaps out
itself. They fail as forbidden (``EPERM``) or, if programs have another way, as absent (``ENOSYS``).
"""

from __future__ import annotations

import errno
import struct

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_NAMES = {"amd64": "x86_64", "arm64": "aarch64"}
_X32 = 0x40000000


def _calls(table: str) -> dict[str, tuple[int, int]]:
    """Read names, each with its numbers on x86-64 and on aarch64; -1 if there is none."""
    words = table.split()
    return {name: (int(x86), int(arm)) for name, x86, arm in zip(words[::3], words[1::3], words[2::3])}


# By line: kernel objects that no namespace divides; programs and counters in the kernel; memory that is in no
# process; other processes; namespaces; mounts; files by handle; the machine itself.
FORBIDDEN = _calls("""
add_key 248 217  request_key 249 218  keyctl 250 219
bpf 321 280  userfaultfd 323 282  perf_event_open 298 241
vmsplice 278 75  process_madvise 440 440
ptrace 101 117  process_vm_readv 310 270  process_vm_writev 311 271  kcmp 312 272  pidfd_getfd 438 438
unshare 272 97  setns 308 268  chroot 161 51  pivot_root 155 41
mount 165 40  umount2 166 39  mount_setattr 442 442  open_tree 428 428  open_tree_attr 467 467
move_mount 429 429  fsopen 430 430  fsconfig 431 431  fsmount 432 432  fspick 433 433
name_to_handle_at 303 264  open_by_handle_at 304 265  lookup_dcookie 212 18
init_module 175 105  finit_module 313 273  delete_module 176 106  kexec_load 246 104  kexec_file_load 320 294
reboot 169 142  syslog 103 116  swapon 167 224  swapoff 168 225  acct 163 89  vhangup 153 58
quotactl 179 60  quotactl_fd 443 443  clock_settime 227 112  settimeofday 164 170  iopl 172 -1  ioperm 173 -1
""")
"""The calls that fail with ``EPERM``."""

# io_uring goes past this filter; clone3 hides its flags in memory, and libraries fall back to clone; a memfd
# holds memory that belongs to no process until it is mapped.
ABSENT = _calls("""
io_uring_setup 425 425  io_uring_enter 426 426  io_uring_register 427 427
clone3 435 435  memfd_create 319 279  memfd_secret 447 447
""")
"""The calls that fail with ``ENOSYS``."""

_CLONE, _SOCKET, _IOCTL = (56, 220), (41, 198), (16, 29)
_MMAP, _SHMGET, _MADVISE = (9, 222), (29, 194), (28, 233)
_MAP_HUGETLB, _SHM_HUGETLB, _MADV_PAGEOUT = 0x40000, 0o4000, 21
_NAMESPACES = 0x7E020000  # all of CLONE_NEW* that clone takes
_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX

_LOAD, _RETURN, _EQUAL, _AT_LEAST, _ANY_BIT = 0x20, 0x06, 0x15, 0x35, 0x45
_NUMBER, _ARCH = 0, 4  # offsets in struct seccomp_data
_FIRST_ARGUMENT, _SECOND_ARGUMENT, _THIRD_ARGUMENT, _FOURTH_ARGUMENT = 16, 24, 32, 40
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000


def seccomp_filter(machine: str) -> bytes:
    """Return the filter for a machine, as ``bwrap --seccomp`` takes it.

    ``machine`` is as ``platform.machine()`` names it; ``KeyError`` for one whose calls are not known.
    """
    machine = _NAMES.get(machine, machine)
    arch, column = _AUDIT_ARCH[machine], list(_AUDIT_ARCH).index(machine)
    forbidden, absent = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
    program = [_step(_LOAD, _ARCH), _step(_EQUAL, arch, 1), _step(_RETURN, absent), _step(_LOAD, _NUMBER)]
    if machine == "x86_64":
        program += _if(_AT_LEAST, _X32, absent)
    for calls, result in ((FORBIDDEN, forbidden), (ABSENT, absent)):
        for numbers in calls.values():
            program += _if(_EQUAL, numbers[column], result) if numbers[column] >= 0 else []
    program += _block(_MMAP[column], _FOURTH_ARGUMENT, _if(_ANY_BIT, _MAP_HUGETLB, _ERRNO | errno.ENOMEM))
    program += _block(_SHMGET[column], _THIRD_ARGUMENT, _if(_ANY_BIT, _SHM_HUGETLB, forbidden))
    program += _block(_MADVISE[column], _THIRD_ARGUMENT, _if(_EQUAL, _MADV_PAGEOUT, forbidden))
    program += _block(_CLONE[column], _FIRST_ARGUMENT, _if(_ANY_BIT, _NAMESPACES, forbidden))
    program += _block(
        _IOCTL[column],
        _SECOND_ARGUMENT,
        [step for request in _TERMINAL_INPUT for step in _if(_EQUAL, request, forbidden)],
    )
    program += _block(
        _SOCKET[column],
        _FIRST_ARGUMENT,
        [step for family in _FAMILIES for step in _if(_EQUAL, family, _ALLOW)]
        + [_step(_RETURN, _ERRNO | errno.EAFNOSUPPORT)],
    )
    return b"".join([*program, _step(_RETURN, _ALLOW)])


def _step(operation: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", operation, if_true, if_false, operand)


def _if(operation: int, operand: int, result: int) -> list[bytes]:
    return [_step(operation, operand, 0, 1), _step(_RETURN, result)]


def _block(number: int, argument: int, steps: list[bytes]) -> list[bytes]:
    """Return the steps for one call's argument; the call is allowed after them."""
    steps = [_step(_LOAD, argument), *steps, _step(_RETURN, _ALLOW)]
    return [_step(_EQUAL, number, 0, len(steps)), *steps]
