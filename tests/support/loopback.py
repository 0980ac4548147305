"""A shell word for a new network namespace, whose loopback is down at first. No program of iproute2 is needed."""
# SIOCSIFFLAGS: IFF_UP | IFF_RUNNING.
UP = ("import fcntl, socket, struct; "
      "fcntl.ioctl(socket.socket(), 0x8914, struct.pack(\"16sh14x\", b\"lo\", 0x41))")
