#!/usr/bin/env python3
"""An agent speaks only to a server that its CA signed for the name it dialled: 0 bytes otherwise."""
import socket
import ssl
import threading

from harness import bundle
from harness.case import StackTest, main
from harness.stack import Agent


class Listener:
    """A TLS server with a certificate of our choice that counts what comes after the handshake."""

    def __init__(self, host, cert, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.socket = socket.create_server((host, 0))
        self.port = self.socket.getsockname()[1]
        self.dialled = self.application_bytes = 0
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            self.dialled += 1
            peer.settimeout(5)
            try:
                with self.context.wrap_socket(peer, server_side=True) as tls:
                    self.application_bytes += len(tls.recv(4096))
            except OSError:
                pass
            finally:
                peer.close()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(5)


class TrustTest(StackTest):
    def edited_bundle(self, **fields):
        """A good bundle, with its servers or its CA replaced."""
        return bundle.edit(self.stack.bundle(), **fields)

    def dial(self, host, tls):
        listener = Listener(host, tls / "server.crt", tls / "server.key")
        self.addCleanup(listener.close)
        edited = self.edited_bundle(server=f"wss://{host}:{listener.port}")
        agent = Agent(self.stack, f"dial-{listener.port}")
        reply = agent.enrol(edited, expect=None, more=["--timeout", "5"])
        self.assertNotEqual(reply.status, 0, reply)
        self.assertGreater(listener.dialled, 0, reply)
        return listener, reply

    def test_the_right_certificate_gets_the_upgrade(self):
        """The control: without it, 0 bytes would prove nothing."""
        listener, _ = self.dial("127.0.0.1", self.stack.fleet / "server/tls")
        self.assertGreater(listener.application_bytes, 0)

    def test_a_certificate_of_another_ca_gets_nothing(self):
        other = self.stack.dir / "other-ca"
        self.stack.run("holdfast", "init", "--dir", other, "--server", "wss://127.0.0.1:1")
        listener, reply = self.dial("127.0.0.1", other / "server/tls")
        self.assertEqual(listener.application_bytes, 0)
        self.assertRegex(reply.err, "(?i)trust|certificate")

    def test_a_certificate_for_another_name_gets_nothing(self):
        other = self.stack.fleet / "server/tls"  # names 127.0.0.1; dialled as 127.0.0.2
        listener, reply = self.dial("127.0.0.2", other)
        self.assertEqual(listener.application_bytes, 0)
        self.assertRegex(reply.err, "(?i)trust|certificate|name")

    def test_the_real_server_is_refused_by_an_agent_with_another_ca(self):
        other = self.stack.dir / "other-ca-2"
        self.stack.run("holdfast", "init", "--dir", other, "--server", "wss://127.0.0.1:1")
        before = self.stack.metrics().get("holdfast_links_opened_total", 0)
        agent = Agent(self.stack, "wrong-ca")
        reply = agent.enrol(self.edited_bundle(ca=(other / "server/tls/ca.crt").read_bytes()),
                            expect=None, more=["--timeout", "5"])
        self.assertNotEqual(reply.status, 0, reply)
        self.assertEqual(self.stack.metrics().get("holdfast_links_opened_total", 0), before)

    def test_a_token_works_as_often_as_it_says(self):
        once = self.stack.bundle("--uses", "1")
        Agent(self.stack, "first").enrol(once)
        refused = Agent(self.stack, "second").enrol(once, expect=None)
        self.assertNotEqual(refused.status, 0, refused)
        self.assertRegex(refused.err, "(?i)token")
        self.assertIn("holdfast enrol token", refused.err)  # what to do about it


if __name__ == "__main__":
    main()
