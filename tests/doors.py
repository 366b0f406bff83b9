"""Ports that a command opens, as anybody on the machine sees them."""

import psutil

Address = tuple[str, int]


def listening(pid: int) -> set[Address]:
    """Addresses that a process and all below it listen on, by TCP."""
    first = psutil.Process(pid)
    return {
        tuple(connection.laddr)
        for process in (first, *first.children(recursive=True))
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
