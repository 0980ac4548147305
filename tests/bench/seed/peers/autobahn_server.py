#!/usr/bin/python3
"""The seed's protocol on autobahn, over asyncio.

    autobahn_server.py PORT [--uvloop]
"""
import asyncio
import json
import sys
import time

from autobahn.asyncio.websocket import WebSocketServerFactory, WebSocketServerProtocol

BACKLOG = 4096  # all clients of a round connect at once


class SeedProtocol(WebSocketServerProtocol):
    def onOpen(self):
        self.answer(0)

    def onMessage(self, payload, isBinary):
        self.answer(json.loads(payload)["c"])

    def answer(self, c):
        self.sendMessage(b'{"c":%d,"ts":%d}' % (c, time.time()))


async def main():
    factory = WebSocketServerFactory()
    factory.protocol = SeedProtocol
    # No other server here checks UTF-8 in Python, and none gives up on a client that waits its turn.
    factory.setProtocolOptions(utf8validateIncoming=False, openHandshakeTimeout=0)
    server = await asyncio.get_running_loop().create_server(
        factory, "127.0.0.1", int(sys.argv[1]), backlog=BACKLOG)
    await server.serve_forever()


if __name__ == "__main__":
    if "--uvloop" in sys.argv:
        import uvloop
        uvloop.install()
    asyncio.run(main())
