// The same API on npm's socket.io, in memory: what the stock server does, to compare with and to measure.
//
//   node reference.mjs SECRET     listens on a free port of 127.0.0.1, which it prints
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

/** The user of a token, or an error with its code. */
function verify(secret, token) {
  const [head, claims, signature] = String(token).split(".");
  const expected = createHmac("sha256", secret).update(`${head}.${claims}`).digest("base64url");
  if (signature !== expected)
    throw Object.assign(new Error("the token's signature is wrong"), { data: { code: "bad_token" } });
  return JSON.parse(Buffer.from(claims, "base64url")).sub;
}

export async function startReference(secret, options = {}) {
  const { Server } = await import("socket.io");
  const http = createServer();
  const io = new Server(http, { pingInterval: 25000, pingTimeout: 20000, maxHttpBufferSize: 65536, serveClient: false, ...options });
  const conversations = new Map();
  let last = 0;
  const conversation = (a, b) => {
    const key = JSON.stringify([a, b].sort());
    if (!conversations.has(key)) conversations.set(key, []);
    return conversations.get(key);
  };
  const register = (socket, token) => {
    socket.data.user = verify(secret, token);
    socket.join(socket.data.user);
    return ["OK", { user: socket.data.user, last: 0 }];
  };

  io.use((socket, next) => {
    try {
      if (socket.handshake.auth.token !== undefined)
        socket.data.registered = register(socket, socket.handshake.auth.token);
      next();
    } catch (error) {
      next(error);
    }
  });
  io.on("connection", (socket) => {
    if (socket.data.registered) socket.emit("registerMessages", ...socket.data.registered);
    /* What a handler returns is the answer: through the acknowledgement, or on the channel. */
    const on = (name, handle) => socket.on(name, (...args) => {
      const ack = typeof args.at(-1) === "function" ? args.pop() : (...answer) => socket.emit(name, ...answer);
      if (!socket.data.user && name !== "registerMessages") {
        const text = "register first: send registerMessages with a token", error = { code: "unregistered", event: name };
        socket.emit("info", text, error);
        if (ack.length === 0 && args.length) ack(null, { ...error, message: text });
        return;
      }
      const answer = handle(args[0] ?? {});
      if (answer) ack(...answer);
    });
    on("registerMessages", ({ token }) => register(socket, token));
    on("message", ({ to, content }) => {
      const message = { id: ++last, from: socket.data.user, to, content, date: Date.now() };
      conversation(message.from, to).push(message);
      socket.to([message.from, to]).emit("message", message);
      return [{ success: true }, { id: message.id, date: message.date }];
    });
    on("conversation", ({ id, limit = 500 }) =>
      [{ id, messages: conversation(socket.data.user, id).slice(-limit) }, { more: false }]);
    on("startWriting", ({ id }) => { socket.to(id).emit("startWriting", { id: socket.data.user }); return [{ success: true }]; });
    on("stopWriting", ({ id }) => { socket.to(id).emit("stopWriting", { id: socket.data.user }); return [{ success: true }]; });
  });
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  return { port: http.address().port, close: () => io.close() };
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  console.log((await startReference(process.argv[2])).port);
