// The seed's protocol on ws.
//
//   node ws_server.mjs MODULES PORT      MODULES: where npm installed ws
import { createRequire } from 'node:module';

const [modules, port] = process.argv.slice(2);
const { WebSocketServer } = createRequire(modules + '/')('ws');

const answer = (c) => `{"c":${c},"ts":${Math.floor(Date.now() / 1000)}}`;

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: Number(port),
  backlog: 4096, // all clients of a round connect at once
  perMessageDeflate: false,
  skipUTF8Validation: true, // no server here does it
  clientTracking: false,
});
server.on('connection', (socket) => {
  socket.on('message', (data) => socket.send(answer(JSON.parse(data).c)));
  socket.send(answer(0));
});
