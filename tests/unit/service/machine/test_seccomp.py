"""The filter of system calls, run by an interpreter of its instructions."""

from __future__ import annotations

import errno
import struct

import pytest

from buntime.service.machine.seccomp import ABSENT, FORBIDDEN, seccomp_filter

ALLOWED = 0x7FFF0000
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINES = pytest.mark.parametrize(("machine", "column"), [("x86_64", 0), ("aarch64", 1)])


def result_of(machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """Return the result of a machine's filter for a system call."""
    values = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number, ARCH[machine] if arch is None else arch, 0, *values)
    program = list(struct.iter_unpack("<HBBI", seccomp_filter(machine)))
    register = at = 0
    while True:
        operation, if_true, if_false, operand = program[at]
        at += 1
        if operation == 0x20:
            (register,) = struct.unpack_from("<I", data, operand)
        elif operation == 0x06:
            return int(operand)
        else:
            holds = {
                0x15: register == operand,
                0x35: register >= operand,
                0x45: bool(register & operand),
            }[operation]
            at += if_true if holds else if_false


def failure(code: int) -> int:
    """Return the result of the filter for a call that fails with an error."""
    return 0x00050000 | code


@MACHINES
def test_every_listed_call_is_rejected(machine: str, column: int) -> None:
    """All others are allowed: those that check an argument are tested without one."""
    expected = dict.fromkeys(range(600), ALLOWED)
    expected[(41, 198)[column]] = failure(errno.EAFNOSUPPORT)
    for calls, code in ((FORBIDDEN, errno.EPERM), (ABSENT, errno.ENOSYS)):
        expected.update(
            {numbers[column]: failure(code) for numbers in calls.values() if numbers[column] >= 0}
        )

    assert expected == {number: result_of(machine, number) for number in range(600)}


@MACHINES
def test_sockets_have_allowed_families(machine: str, column: int) -> None:
    """Unix, IPv4, IPv6 and netlink; not vsock, which leads to the host of a virtual machine."""
    socket = (41, 198)[column]
    families = [family for family in range(50) if result_of(machine, socket, family) == ALLOWED]

    assert [1, 2, 10, 16] == families


@MACHINES
def test_clone_creates_threads_but_no_namespaces(machine: str, column: int) -> None:
    """Whatever its other arguments."""
    clone = (56, 220)[column]

    assert result_of(machine, clone, 0x3D0F00) == ALLOWED
    for flag in (0x20000, *(1 << bit for bit in range(25, 31))):
        assert result_of(machine, clone, flag | 0x11) == failure(errno.EPERM)


@MACHINES
def test_no_input_is_inserted_into_a_terminal(machine: str, column: int) -> None:
    """Other requests of ioctl are allowed."""
    ioctl = (16, 29)[column]

    assert [failure(errno.EPERM)] * 2 == [
        result_of(machine, ioctl, 0, request) for request in (0x5412, 0x541C)
    ]
    assert result_of(machine, ioctl, 0, 0x5401) == ALLOWED


@MACHINES
def test_memory_of_no_process(machine: str, column: int) -> None:
    """Huge pages and swapped pages count for no process; other flags are allowed."""
    mmap, shmget, madvise = ((9, 29, 28), (222, 194, 233))[column]

    assert failure(errno.ENOMEM) == result_of(machine, mmap, 0, 4096, 3, 0x40022)
    assert failure(errno.EPERM) == result_of(machine, shmget, 1, 4096, 0o4600)
    assert failure(errno.EPERM) == result_of(machine, madvise, 0, 4096, 21)
    for allowed in ((mmap, 0, 4096, 3, 0x22), (shmget, 1, 4096, 0o600), (madvise, 0, 4096, 14)):
        assert result_of(machine, *allowed) == ALLOWED


def test_calls_of_another_architecture_do_not_exist() -> None:
    """Their numbers have another meaning: i386 and x32 on x86-64, 32 bits on ARM."""
    assert failure(errno.ENOSYS) == result_of("x86_64", 39, arch=0x40000003)
    assert failure(errno.ENOSYS) == result_of("x86_64", 0x40000000 + 39)
    assert failure(errno.ENOSYS) == result_of("aarch64", 20, arch=0x40000028)


def test_aliases_of_the_machines() -> None:
    """Python reports them by different names."""
    assert seccomp_filter("x86_64") == seccomp_filter("amd64")
    assert seccomp_filter("aarch64") == seccomp_filter("arm64")


def test_an_unknown_machine() -> None:
    """It has no filter, and therefore no sandbox."""
    with pytest.raises(KeyError):
        seccomp_filter("riscv64")
