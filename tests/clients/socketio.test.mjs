// socket.io-client, unchanged, of several versions, against a real server.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { startParleyd } from "./parleyd.mjs";

const { io } = await import("socket.io-client").catch(() => ({}));
const { WebSocket } = await import("ws").catch(() => ({}));
const skip = io && WebSocket ? false : "npm packages are missing: run npm install in tests/clients";
const options = { skip, timeout: 60_000 };

const transports = {
  "polling, then the upgrade": {},
  "websocket only": { transports: ["websocket"] },
  "polling only": { transports: ["polling"] },
};

/** A socket that has what came at hand: events as [name, ...args]. */
function open(t, server, auth, more = {}, client = io) {
  const socket = client(server.url, { auth, forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 100, ...more });
  t.after(() => socket.close());
  return watch(socket);
}

function watch(socket) {
  const arrived = [], waiting = [];
  socket.onAny((...event) => {
    const at = waiting.findIndex(({ name }) => name === event[0]);
    if (at < 0) arrived.push(event);
    else waiting.splice(at, 1)[0].resolve(event.slice(1));
  });
  /* The next event of that name: its arguments. */
  socket.next = (name) => {
    const at = arrived.findIndex((event) => event[0] === name);
    if (at >= 0) return Promise.resolve(arrived.splice(at, 1)[0].slice(1));
    return new Promise((resolve) => waiting.push({ name, resolve }));
  };
  socket.arrived = arrived;
  return socket;
}

/** All arguments of the acknowledgement. */
const ask = (socket, event, data) => new Promise((resolve) => socket.emit(event, data, (...args) => resolve(args)));

async function openAs(t, server, user, more, client) {
  const socket = open(t, server, { token: server.token(user) }, more, client);
  const [ok, meta] = await socket.next("registerMessages");
  assert.equal(ok, "OK");
  assert.equal(meta.user, user);
  return socket;
}

/** Waits for the upgrade, if there is one to come. */
async function settled(socket) {
  const { engine } = socket.io;
  if (engine.transport.name === "polling" && engine.transports.includes("websocket"))
    await new Promise((resolve) => engine.once("upgrade", resolve));
}

for (const [name, how] of Object.entries(transports)) {
  test(`the whole API works by ${name}`, options, async (t) => {
    const server = await startParleyd(t);
    const alice = await openAs(t, server, "alice", how), bob = await openAs(t, server, "bob", how);
    await settled(alice);
    assert.equal(alice.io.engine.transport.name, name === "polling only" ? "polling" : "websocket");
    assert.match(alice.id, /^[\w-]{22}$/);
    assert.notEqual(alice.id, alice.io.engine.id);

    const [done, sent] = await ask(alice, "message", { to: "bob", content: "hé 😀\n\0\"\x1e" });
    assert.deepEqual(done, { success: true });
    const message = { id: sent.id, from: "alice", to: "bob", content: "hé 😀\n\0\"\x1e", date: sent.date };
    assert.deepEqual(await bob.next("message"), [message]);
    alice.emit("message", { to: "bob", content: "without an acknowledgement" });
    assert.deepEqual((await alice.next("message"))[0], { success: true });
    await bob.next("message");

    assert.deepEqual(await ask(bob, "read", { id: "alice", upTo: sent.id }), [{ success: true }]);
    assert.deepEqual(await alice.next("read"), [{ id: "bob", with: "alice", upTo: sent.id }]);
    assert.deepEqual(await ask(bob, "conversation", { id: "alice", limit: 2, before: sent.id + 1 }),
      [{ id: "alice", messages: [message] }, { more: false }]);
    assert.deepEqual(await ask(bob, "snippets"), [{ count: 1 }]);
    const [snippet, meta] = await bob.next("snippets");
    assert.equal(snippet.id, "alice");
    assert.deepEqual(meta, { unread: 1, readUpTo: 0 });

    assert.deepEqual(await ask(alice, "presence", { ids: ["bob", "carol"] }), [{ count: 2 }]);
    assert.deepEqual(await alice.next("presence"), [{ id: "bob", online: true }]);
    assert.deepEqual(await alice.next("presence"), [{ id: "carol", online: false }]);
    assert.deepEqual(await ask(alice, "startWriting", { id: "bob" }), [{ success: true }]);
    assert.deepEqual(await bob.next("startWriting"), [{ id: "alice" }]);
    bob.close();
    assert.deepEqual(await alice.next("presence"), [{ id: "bob", online: false }]);
    assert.deepEqual(alice.arrived, []);
  });

  test(`a page of megabytes and what comes meanwhile arrive in order by ${name}`, options, async (t) => {
    const server = await startParleyd(t);
    const alice = await openAs(t, server, "alice", how), bob = await openAs(t, server, "bob", { transports: ["websocket"] });
    await settled(alice);
    const content = "€".repeat(5000);
    for (let i = 0; i < 200; i++) {
      await ask(bob, "message", { to: "alice", content: `${i} ${content}` });
      assert.equal((await alice.next("message"))[0].content, `${i} ${content}`);
    }
    const page = ask(alice, "conversation", { id: "bob", limit: 200 });
    await ask(bob, "message", { to: "alice", content: "meanwhile" });
    const [{ messages }] = await page;
    assert.equal(messages.length, 200);
    assert.ok(messages.every((m, i) => m.content.endsWith(content) || i === 199));
    assert.equal((await alice.next("message"))[0].content, "meanwhile");
  });

  test(`after a restart of the server the client comes back by ${name} and misses nothing`, options, async (t) => {
    const server = await startParleyd(t);
    const bob = await openAs(t, server, "bob", { transports: ["websocket"] });
    let since = 0;
    const alice = open(t, server, (give) => give({ token: server.token("alice"), since }), how);
    await alice.next("registerMessages");
    await ask(bob, "message", { to: "alice", content: "before" });
    since = (await alice.next("message"))[0].id;
    await settled(alice);
    bob.close();
    const gone = once(alice, "disconnect");
    alice.io.reconnection(false);
    await server.end("SIGKILL");
    assert.match((await gone)[0], /transport (close|error)/);
    await server.start();
    const again = await openAs(t, server, "bob");
    await ask(again, "message", { to: "alice", content: "meanwhile" });
    alice.io.reconnection(true);
    alice.connect();
    assert.deepEqual(await alice.next("registerMessages"), ["OK", { user: "alice", last: since + 1 }]);
    const [missed, meta] = await alice.next("message");
    assert.equal(missed.content, "meanwhile");
    assert.deepEqual(meta, { replay: true });
    await ask(again, "message", { to: "alice", content: "live" });
    assert.equal((await alice.next("message"))[0].content, "live");
  });
}

test("the client comes back by itself when the server restarts", options, async (t) => {
  const server = await startParleyd(t);
  const alice = await openAs(t, server, "alice");
  await settled(alice);
  await server.end("SIGTERM");
  assert.deepEqual(await alice.next("info"),
    ["the server is shutting down; connect again in a moment", { code: "going_away", event: null }]);
  await server.start();
  await alice.next("registerMessages");
});

test("two users chat, one natively and one on Socket.IO", options, async (t) => {
  const server = await startParleyd(t);
  const alice = await openAs(t, server, "alice");
  const native = new WebSocket(`ws://127.0.0.1:${server.port}/chat`), frames = [], waiting = [];
  t.after(() => native.terminate());
  native.on("message", (data) => waiting.length ? waiting.shift()(JSON.parse(data)) : frames.push(JSON.parse(data)));
  const next = () => frames.length ? frames.shift() : new Promise((resolve) => waiting.push(resolve));
  await once(native, "open");
  native.send(JSON.stringify({ event: "registerMessages", data: { token: server.token("bob") } }));
  assert.equal((await next()).data, "OK");
  const [, { id, date }] = await ask(alice, "message", { to: "bob", content: "to native" });
  assert.deepEqual(await next(), { event: "message", data: { id, from: "alice", to: "bob", content: "to native", date } });
  native.send(JSON.stringify({ event: "message", data: { to: "alice", content: "to Socket.IO" } }));
  assert.equal((await next()).meta.id, id + 1);
  assert.equal((await alice.next("message"))[0].content, "to Socket.IO");
});

test("errors come on info and in the acknowledgement", options, async (t) => {
  const server = await startParleyd(t);
  const alice = await openAs(t, server, "alice");
  const text = "\"content\" is missing; expected a string that is not empty";
  assert.deepEqual(await ask(alice, "message", { to: "bob" }), [null, { code: "bad_request", event: "message", message: text }]);
  assert.deepEqual(await alice.next("info"), [text, { code: "bad_request", event: "message" }]);
  alice.emit("nonsense");
  assert.equal((await alice.next("info"))[1].code, "unknown_event");
});

test("emitWithAck and its timeout work", options, async (t) => {
  const server = await startParleyd(t);
  const alice = await openAs(t, server, "alice");
  assert.deepEqual(await alice.timeout(5000).emitWithAck("message", { to: "bob", content: "hi" }), { success: true });
  server.child.kill("SIGSTOP");
  await assert.rejects(alice.timeout(100).emitWithAck("message", { to: "bob", content: "hi" }), /timed out/);
  server.child.kill("SIGCONT");
});

test("a bad token is a connect_error with its code; a good one on the same socket connects", options, async (t) => {
  const server = await startParleyd(t);
  let token = "nonsense";
  const alice = open(t, server, (give) => give({ token }));
  const [error] = await once(alice, "connect_error");
  assert.equal(error.data.code, "bad_token");
  assert.ok(error.message);
  token = server.token("alice", { exp: 1 });
  alice.connect();
  assert.equal((await once(alice, "connect_error"))[0].data.code, "token_expired");
  token = server.token("alice");
  alice.connect();
  await alice.next("registerMessages");
});

test("the registerMessages event registers as well", options, async (t) => {
  const server = await startParleyd(t);
  const alice = open(t, server, {});
  await once(alice, "connect");
  assert.equal((await ask(alice, "snippets"))[1].code, "unregistered");
  assert.deepEqual(await ask(alice, "registerMessages", { token: server.token("alice") }), ["OK", { user: "alice", last: 0 }]);
});

test("of too many connections the oldest is disconnected, and does not come back by itself", options, async (t) => {
  const server = await startParleyd(t, "--max-user-connections", "1");
  for (const how of Object.values(transports)) {
    const first = await openAs(t, server, "alice", how);
    await settled(first);
    const gone = once(first, "disconnect");
    const second = await openAs(t, server, "alice", how);
    assert.equal((await gone)[0], "io server disconnect");
    second.close();
  }
});

test("another namespace is refused", options, async (t) => {
  const server = await startParleyd(t);
  const socket = io(`${server.url}/admin`, { forceNew: true, reconnection: false });
  t.after(() => socket.close());
  assert.equal((await once(socket, "connect_error"))[0].message, "Invalid namespace");
});

test("a binary packet ends the connection", options, async (t) => {
  const server = await startParleyd(t);
  const alice = await openAs(t, server, "alice", { transports: ["websocket"], reconnection: false });
  let closed;
  alice.io.engine.transport.ws.addEventListener("close", (event) => { closed = event; });
  alice.emit("message", { to: "bob", content: Buffer.from("x") });
  await once(alice, "disconnect");
  assert.equal(closed.code, 1003);
  assert.match(closed.reason, /binary/);
});

test("the heartbeat keeps a quiet client connected", options, async (t) => {
  const server = await startParleyd(t, "--idle-timeout", "2");
  const sockets = await Promise.all(Object.values(transports).map((how) => openAs(t, server, "alice", { ...how, reconnection: false })));
  await Promise.all(sockets.map((socket) => new Promise((resolve) => {
    let pings = 0;
    socket.io.engine.on("ping", () => { if (++pings === 3) resolve(); });
  })));
  assert.ok(sockets.every((socket) => socket.connected));
});

for (const version of ["4.0", "3.1"]) {
  test(`a client of version ${version} works`, options, async (t) => {
    const older = (await import(`socket.io-client-${version}`)).default;
    const server = await startParleyd(t);
    for (const how of Object.values(transports)) {
      const alice = await openAs(t, server, "alice", how, older.io ?? older);
      await settled(alice);
      assert.deepEqual((await ask(alice, "message", { to: "bob", content: "hi" }))[0], { success: true });
      alice.close();
    }
  });
}

test("a client of version 2 is refused with the reference's answer", options, async (t) => {
  const older = (await import("socket.io-client-2")).default;
  const server = await startParleyd(t);
  const answer = await fetch(`${server.url}/socket.io/?EIO=3&transport=polling`);
  assert.equal(answer.status, 400);
  assert.deepEqual(await answer.json(), { code: 5, message: "Unsupported protocol version" });
  const refused = (how) => {
    const socket = older(server.url, { forceNew: true, reconnection: false, ...how });
    t.after(() => socket.close());
    return new Promise((resolve) => socket.on("connect_error", resolve));
  };
  const polling = await refused({ transports: ["polling"] });
  assert.equal(polling.message, "xhr poll error");
  assert.equal(polling.description, 400);
  const socket = await refused({ transports: ["websocket"] });
  assert.equal(socket.message, "websocket error");
  assert.match(socket.description.message, /Unexpected server response: 400/);
});
