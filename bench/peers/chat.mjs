// The chat server that one would write in an afternoon: registration by a token, messages stored in
// SQLite and delivered, pages of a conversation. Runs on Node (npm's ws, or its socket.io; node:sqlite) and on
// Bun (its own WebSockets and SQLite).
//
//   chat.mjs DATABASE SECRET_FILE full|off [socketio]     synchronous=FULL, or not
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

const [file, secretFile, sync, framing] = process.argv.slice(2);
const bun = typeof Bun !== "undefined";
const secret = readFileSync(secretFile, "utf8").replace(/\n+$/, "");

const db = bun ? new (await import("bun:sqlite")).Database(file, { create: true })
               : new (await import("node:sqlite")).DatabaseSync(file);
db.exec("PRAGMA journal_mode=WAL");
db.exec(`PRAGMA synchronous=${sync}`);
db.exec(`CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, pair TEXT NOT NULL, sender TEXT NOT NULL,
         recipient TEXT NOT NULL, content TEXT NOT NULL, date INTEGER NOT NULL)`);
db.exec("CREATE INDEX IF NOT EXISTS of_pair ON messages (pair, id)");
const insert = db.prepare("INSERT INTO messages (pair, sender, recipient, content, date) VALUES (?, ?, ?, ?, ?)");
const page = db.prepare(`SELECT id, sender AS "from", recipient AS "to", content, date FROM messages
                         WHERE pair = ? ORDER BY id DESC LIMIT ?`);

const pairOf = (a, b) => (a < b ? `${a}\n${b}` : `${b}\n${a}`);
const online = new Map(); // user: set of connections

function verify(token) {
    const [head, body, mark] = token.split(".");
    const expected = createHmac("sha256", secret).update(`${head}.${body}`).digest();
    const given = Buffer.from(mark, "base64url");
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
    const claims = JSON.parse(Buffer.from(body, "base64url"));
    return claims.exp * 1000 > Date.now() ? claims.sub : null;
}

const answer = framing ? (socket, event, data) => socket.emit(event, data)
                       : (connection, event, data) => connection.send(JSON.stringify({ event, data }));

const events = {
    registerMessages(connection, { token }) {
        const user = verify(token);
        if (!user) return answer(connection, "info", "bad token");
        connection.user = user;
        if (!online.has(user)) online.set(user, new Set());
        online.get(user).add(connection);
        answer(connection, "registerMessages", "OK");
    },
    message(connection, { to, content }) {
        const date = Date.now(), from = connection.user;
        const id = Number(insert.run(pairOf(from, to), from, to, content, date).lastInsertRowid);
        answer(connection, "message", { success: true });
        const stored = { id, from, to, content, date }, text = JSON.stringify({ event: "message", data: stored });
        for (const user of new Set([from, to]))
            for (const other of online.get(user) ?? [])
                if (other !== connection) framing ? other.emit("message", stored) : other.send(text);
    },
    conversation(connection, { id, limit = 500 }) {
        answer(connection, "conversation", { id, messages: page.all(pairOf(connection.user, id), limit).reverse() });
    },
};

function onMessage(connection, text) {
    const { event, data } = JSON.parse(text);
    onEvent(connection, event, data);
}

function onEvent(connection, event, data) {
    if (!events[event] || (!connection.user && event !== "registerMessages")) answer(connection, "info", "no");
    else events[event](connection, data);
}

function onClose(connection) {
    const all = online.get(connection.user);
    if (all?.delete(connection) && all.size === 0) online.delete(connection.user);
}

if (bun) {
    const server = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        fetch: (request, server) => (server.upgrade(request) ? undefined : new Response("no", { status: 400 })),
        websocket: { perMessageDeflate: false, message: onMessage, close: onClose },
    });
    console.log(`listening on 127.0.0.1:${server.port}`);
} else if (framing) {
    const { Server } = await import("socket.io");
    const http = (await import("node:http")).createServer();
    const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false });
    io.on("connection", (socket) => {
        for (const event of Object.keys(events)) socket.on(event, (data) => onEvent(socket, event, data));
        socket.on("disconnect", () => onClose(socket));
    });
    http.listen(0, "127.0.0.1", () => console.log(`listening on 127.0.0.1:${http.address().port}`));
} else {
    const { WebSocketServer } = await import("ws");
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
    server.on("listening", () => console.log(`listening on 127.0.0.1:${server.address().port}`));
    server.on("connection", (socket) => {
        socket.on("message", (text) => onMessage(socket, text));
        socket.on("close", () => onClose(socket));
        socket.on("error", () => {});
    });
}
