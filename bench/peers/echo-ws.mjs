// An echo server with npm's ws, as its documentation has it. Node.
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false, maxPayload: 1 << 24 });
server.on("listening", () => console.log(`listening on 127.0.0.1:${server.address().port}`));
server.on("connection", (socket) => {
    socket.on("message", (message, binary) => socket.send(message, { binary }));
    socket.on("error", () => {});
});
