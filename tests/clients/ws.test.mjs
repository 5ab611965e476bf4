// npm's `ws`, a client that nobody here wrote, against a real server.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

const WebSocket = await import("ws").then((m) => m.WebSocket, () => null);
const skip = WebSocket ? false : "npm's ws is not installed";
const options = { skip, timeout: 60_000 };
let server, port, folder, secret;

before(async () => {
  if (skip) return;
  folder = await mkdtemp(join(tmpdir(), "parley-ws-"));
  server = spawn(process.env.PARLEYD ?? "build/release/parleyd",
    ["--listen", "127.0.0.1:0", "--data", join(folder, "data"), "--rate", "0"], { stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  for await (const chunk of server.stderr) {
    text += chunk;
    port = /listening on 127\.0\.0\.1:(\d+)\n/.exec(text)?.[1];
    if (port) break;
  }
  secret = (await readFile(join(folder, "data/secret"), "latin1")).replace(/\n+$/, "");
});

after(async () => {
  if (skip) return;
  server.kill("SIGTERM");
  const [status] = await once(server, "exit");
  await rm(folder, { recursive: true });
  assert.equal(status, 0);
});

const base64url = (value) => Buffer.from(value).toString("base64url");

function token(user, header = { alg: "HS256", typ: "JWT" }) {
  const text = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify({ sub: user }))}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

/** A connection whose events can be awaited one by one. */
async function connect(options = {}) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, options);
  const arrived = [], waiting = [];
  socket.on("message", (data, binary) => {
    assert.equal(binary, false);
    const event = JSON.parse(data);
    const resolve = waiting.shift();
    if (resolve) resolve(event); else arrived.push(event);
  });
  await once(socket, "open");
  return {
    socket,
    next: () => arrived.length ? Promise.resolve(arrived.shift()) : new Promise((resolve) => waiting.push(resolve)),
    send: (event, data, ref) => socket.send(JSON.stringify({ event, data, ref })),
    close: async () => { socket.close(1000); await once(socket, "close"); },
  };
}

async function register(user, options) {
  const client = await connect(options);
  client.send("registerMessages", { token: token(user) });
  const answer = await client.next();
  assert.equal(answer.data, "OK");
  assert.equal(answer.meta.user, user);
  return client;
}

test("two users chat, see each other write, and read their conversation", options, async () => {
  const alice = await register("alice"), bob = await register("bob");
  alice.send("startWriting", { id: "bob" });
  assert.deepEqual(await bob.next(), { event: "startWriting", data: { id: "alice" } });
  alice.send("message", { to: "bob", content: "hé 😀\n\0\"" }, "r1");
  const ack = await alice.next(), message = await bob.next();
  assert.deepEqual(ack, { event: "message", data: { success: true }, ref: "r1", meta: { id: message.data.id, date: message.data.date } });
  assert.deepEqual(message, { event: "message", data: { id: ack.meta.id, from: "alice", to: "bob", content: "hé 😀\n\0\"", date: ack.meta.date } });
  bob.send("conversation", { id: "alice" });
  assert.deepEqual((await bob.next()).data, { id: "alice", messages: [message.data] });
  bob.send("snippets");
  assert.deepEqual((await bob.next()).data, { id: "alice", message: message.data });
  await Promise.all([alice.close(), bob.close()]);
});

test("compression is offered by the client and not negotiated", options, async () => {
  const client = await connect({ perMessageDeflate: true });
  assert.equal(client.socket.extensions, "");
  await client.close();
});

test("a ping is answered with the same payload", options, async () => {
  const client = await connect();
  const payload = randomBytes(125);
  client.socket.ping(payload);
  const [echo] = await once(client.socket, "pong");
  assert.deepEqual(echo, payload);
  await client.close();
});

test("a message in fragments is one message", options, async () => {
  const client = await connect();
  const text = JSON.stringify({ event: "snippets", ref: "in pieces é 😀" });
  const bytes = Buffer.from(text);
  for (let i = 0; i < bytes.length; i++)
    client.socket.send(bytes.subarray(i, i + 1), { fin: i === bytes.length - 1, binary: false });
  const answer = await client.next();
  assert.equal(answer.meta.code, "unregistered");
  assert.equal(answer.ref, "in pieces é 😀");
  await client.close();
});

test("close codes come back, and a binary frame is closed with 1003", options, async () => {
  const client = await connect();
  client.socket.close(4321, "bye");
  assert.equal((await once(client.socket, "close"))[0], 4321);
  const binary = await connect();
  binary.socket.send(Buffer.from([1]));
  assert.equal((await once(binary.socket, "close"))[0], 1003);
});

test("a frame over the limit is closed with 1009", options, async () => {
  const client = await connect();
  client.socket.on("error", () => {}); // the server may be gone before all was sent
  client.socket.send("x".repeat(64 * 1024 + 1));
  assert.equal((await once(client.socket, "close"))[0], 1009);
});

test("a page of another origin is refused with 403", options, async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, { origin: "http://evil.example" });
  const [, response] = await once(socket, "unexpected-response");
  assert.equal(response.statusCode, 403);
  socket.on("error", () => {});
  socket.terminate();
});

test("a token with another algorithm is refused", options, async () => {
  const client = await connect();
  client.send("registerMessages", { token: token("alice", { alg: "HS512" }) });
  assert.equal((await client.next()).meta.code, "bad_token");
  await client.close();
});

test("a thousand messages in flight arrive in order, each once", options, async () => {
  const carol = await register("carol"), dave = await register("dave");
  for (let i = 0; i < 1000; i++) carol.send("message", { to: "dave", content: String(i) }, i);
  let last = 0;
  for (let i = 0; i < 1000; i++) {
    const { data } = await dave.next();
    assert.equal(data.content, String(i));
    assert.ok(data.id > last);
    last = data.id;
    assert.equal((await carol.next()).ref, i);
  }
  dave.send("conversation", { id: "carol", limit: 1000 });
  assert.equal((await dave.next()).data.messages.length, 1000);
  await Promise.all([carol.close(), dave.close()]);
});
