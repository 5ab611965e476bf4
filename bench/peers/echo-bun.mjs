// An echo server on Bun, whose WebSockets are those of uWebSockets.
const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, server) => (server.upgrade(request) ? undefined : new Response("no", { status: 400 })),
    websocket: {
        perMessageDeflate: false,
        message: (socket, message) => { socket.send(message); },
    },
});
console.log(`listening on 127.0.0.1:${server.port}`);
