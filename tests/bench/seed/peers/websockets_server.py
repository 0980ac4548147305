#!/usr/bin/python3
"""The seed's protocol on websockets.

    websockets_server.py PORT [--uvloop]
"""
import asyncio
import json
import sys
import time

import websockets

BACKLOG = 4096  # all clients of a round connect at once


async def serve(socket):
    try:
        await socket.send('{"c":0,"ts":%d}' % time.time())
        async for message in socket:
            await socket.send('{"c":%d,"ts":%d}' % (json.loads(message)["c"], time.time()))
    except websockets.ConnectionClosed:
        pass  # else a page of traceback for each client that leaves


async def main():
    # Without compression and pings of its own: nobody here has them.
    async with websockets.serve(serve, "127.0.0.1", int(sys.argv[1]), compression=None,
                                ping_interval=None, backlog=BACKLOG):
        await asyncio.Future()


if __name__ == "__main__":
    if "--uvloop" in sys.argv:
        import uvloop
        uvloop.install()
    asyncio.run(main())
