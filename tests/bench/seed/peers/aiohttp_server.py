#!/usr/bin/python3
"""The seed's protocol on aiohttp.

    aiohttp_server.py PORT [--uvloop]
    gunicorn -k aiohttp.GunicornUVLoopWebWorker aiohttp_server:app
"""
import json
import sys
import time

from aiohttp import WSMsgType, web

BACKLOG = 4096  # all clients of a round connect at once


async def serve(request):
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    await socket.send_str('{"c":0,"ts":%d}' % time.time())
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str('{"c":%d,"ts":%d}' % (json.loads(message.data)["c"], time.time()))
    return socket


def app():
    application = web.Application()
    application.router.add_get("/", serve)
    return application


if __name__ == "__main__":
    if "--uvloop" in sys.argv:
        import uvloop
        uvloop.install()
    web.run_app(app(), host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None, backlog=BACKLOG)
else:
    app = app()
