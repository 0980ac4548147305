"""Names: the agents' own /etc/hosts and name server, which can die.

Each agent runs in a mount namespace of its own, in which two files of the laboratory lie over /etc/hosts and
/etc/resolv.conf. Dead means: the name is in no file, and the name server takes questions and never answers.
"""
import socket

from . import kernel

NAME, SERVER = "holdfast.lab", "127.0.0.253"


class Names:
    def __init__(self, folder):
        kernel.need_root("mounting")
        self.hosts, resolver = folder / "hosts", folder / "resolv.conf"
        resolver.write_text(f"nameserver {SERVER}\n")
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((SERVER, 53))
        self.socket.setblocking(False)
        self.live()
        self.enter = ["unshare", "-m", "sh", "-c",
                      f"mount --bind {self.hosts} /etc/hosts && "
                      f"mount --bind {resolver} /etc/resolv.conf && exec \"$@\"", "sh"]

    def live(self):
        self._write(f"127.0.0.1 localhost {NAME}\n")

    def die(self):
        self._write("127.0.0.1 localhost\n")

    def _write(self, text):
        """In place: a new file would not be the one that is mounted."""
        with open(self.hosts, "w", encoding="ascii") as file:
            file.write(text)

    def asked(self):
        """Questions since the last time."""
        count = 0
        try:
            while self.socket.recv(4096):
                count += 1
        except BlockingIOError:
            return count

    def end(self):
        self.socket.close()
