// Real proxies in front of a real server, with the configurations of tools/proxy: two clients chat over
// TLS through each, and the server knows them by their own addresses.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const { WebSocket } = await import("ws").catch(() => ({}));
const { io } = await import("socket.io-client").catch(() => ({}));
const PARLEYD = process.env.PARLEYD ?? "build/release/parleyd";
const CONFIGS = fileURLToPath(new URL("../../tools/proxy/", import.meta.url));
const CLIENT = "127.0.0.9";   // of loopback, yet another one than the proxy's
const TIMEOUT_MS = 30e3;

const isThere = (program) => spawnSync(program, ["-v"], { stdio: "ignore" }).error === undefined;
const needs = (...programs) => !WebSocket ? "npm's ws is not installed"
  : programs.map((p) => isThere(p) ? false : `${p} is not installed`).find(Boolean) ?? false;

let folder, certificate;

before(() => {
  if (needs("openssl")) return;
  folder = mkdtempSync(join(tmpdir(), "parley-proxy-"));
  chmodSync(folder, 0o711);   // nginx leaves root, and must reach the socket
  const [key, chain, both] = ["key.pem", "fullchain.pem", "both.pem"].map((name) => join(folder, name));
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
    "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", chain], { stdio: "ignore" });
  certificate = readFileSync(chain);
  writeFileSync(both, Buffer.concat([certificate, readFileSync(key)]));
});

after(() => folder && rmSync(folder, { recursive: true }));

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Ends with the test, by its own process id. */
function start(t, program, args) {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "exit");
  const process = { text: "", child };
  child.stderr.on("data", (chunk) => { process.text += chunk; });
  t.after(async () => { child.kill("SIGTERM"); await ended; });
  return process;
}

/** Waits until the process has printed this. */
async function printed(process, pattern) {
  for (;;) {
    const found = pattern.exec(process.text);
    if (found) return found;
    assert.equal(process.child.exitCode, null, `it ended: ${process.text}`);
    await once(process.child.stderr, "data", { signal: AbortSignal.timeout(TIMEOUT_MS) });
  }
}

/** The proxy's configuration with the ports, paths and certificates of this test. */
function configure(name, replacements) {
  let text = readFileSync(join(CONFIGS, name), "utf8");
  for (const [from, to] of [...replacements, ["/etc/ssl/chat/", `${folder}/`]]) {
    assert.ok(text.includes(from), `${name} does not hold ${from}`);
    text = text.replaceAll(from, to);
  }
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

/** Waits until the proxy takes connections. */
async function reachable(process, port) {
  for (;;) {
    assert.equal(process.child.exitCode, null, `it ended: ${process.text}`);
    const socket = net.connect(port, "127.0.0.1");
    const open = await Promise.race([once(socket, "connect").then(() => true), once(socket, "error").then(() => false)])
      .catch(() => false);
    socket.destroy();
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function token(user) {
  const secret = join(folder, "data/secret");
  return execFileSync(join(dirname(PARLEYD), "parley-token"), ["--secret-file", secret, user], { encoding: "utf8" }).trim();
}

/** A client over TLS, from an address of its own, that claims to be somebody else. */
async function register(port, user) {
  const socket = new WebSocket(`wss://localhost:${port}/chat`, {
    ca: certificate, localAddress: CLIENT, family: 4, origin: `https://localhost:${port}`,
    headers: { "X-Forwarded-For": "192.0.2.66" },
  });
  const arrived = [], waiting = [];
  socket.on("message", (data) => waiting.length ? waiting.shift()(JSON.parse(data)) : arrived.push(JSON.parse(data)));
  await once(socket, "open");
  const client = {
    socket,
    next: () => arrived.length ? Promise.resolve(arrived.shift()) : new Promise((resolve) => waiting.push(resolve)),
    send: (event, data) => socket.send(JSON.stringify({ event, data })),
  };
  client.send("registerMessages", { token: token(user) });
  assert.equal((await client.next()).data, "OK");
  return client;
}

/** The same over Socket.IO, by polling, and from there to a WebSocket. */
async function chatBySocketio(port, how) {
  const socket = io(`https://localhost:${port}`, { auth: { token: token("carol") }, ca: certificate, family: 4, reconnection: false, ...how });
  try {
    await Promise.race([once(socket, "connect"), once(socket, "connect_error").then(([error]) => { throw error; })]);
    const { engine } = socket.io;
    if (!how.transports && engine.transport.name === "polling")
      await new Promise((resolve) => engine.once("upgrade", resolve));
    for (let i = 0; i < 10; i++)
      assert.deepEqual(await socket.timeout(10_000).emitWithAck("message", { to: "alice", content: "x".repeat(10_000) }), { success: true });
    assert.equal((await socket.timeout(10_000).emitWithAck("conversation", { id: "alice", limit: 10 })).messages.length, 10);
  } finally {
    socket.close();
  }
}

async function chat(server, port) {
  const alice = await register(port, "alice"), bob = await register(port, "bob");
  const content = "over TLS é 😀".repeat(500);
  alice.send("message", { to: "bob", content });
  assert.deepEqual((await alice.next()).data, { success: true });
  assert.equal((await bob.next()).data.content, content);
  for (const { socket } of [alice, bob]) {
    socket.close(1000);
    assert.equal((await once(socket, "close"))[0], 1000);
  }
  await printed(server, new RegExp(`parleyd: debug: ${CLIENT}: connected\n.*parleyd: debug: ${CLIENT}: connected\n`, "s"));
  assert.doesNotMatch(server.text, /192\.0\.2\.66/);
  for (const how of io ? [{}, { transports: ["polling"] }] : [])
    await chatBySocketio(port, how);
}

const startServer = (t, ...options) =>
  start(t, PARLEYD, ["--data", join(folder, "data"), "--log-level", "debug", ...options]);

test("two users chat through nginx, over a unix socket with X-Forwarded-For",
  { skip: needs("nginx", "openssl"), timeout: TIMEOUT_MS }, async (t) => {
    const socket = join(folder, "socket"), port = await freePort();
    const server = startServer(t, "--listen", `unix:${socket}`, "--trusted-proxy", "unix");
    await printed(server, /listening on /);
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((name) => `${name}_temp_path ${folder}/temporary;`).join(" ");
    const file = configure("nginx.conf", [["listen 443 ssl", `listen 127.0.0.1:${port} ssl`],
      ["unix:/run/parley/socket", `unix:${socket}`], ["http {", `http { access_log off; ${temporary}`]]);
    const proxy = start(t, "nginx", ["-c", file, "-g", `daemon off; pid ${folder}/nginx.pid; error_log stderr;`]);
    await reachable(proxy, port);
    await chat(server, port);
  });

async function chatOverTcp(t, name, listens, program, args) {
  const server = startServer(t, "--listen", "127.0.0.1:0", "--trusted-proxy", "127.0.0.1"), port = await freePort();
  const [, parley] = await printed(server, /listening on 127\.0\.0\.1:(\d+)\n/);
  const file = configure(name, [["127.0.0.1:8080", `127.0.0.1:${parley}`], listens(port)]);
  const proxy = start(t, program, args(file));
  await reachable(proxy, port);
  await chat(server, port);
}

test("two users chat through HAProxy, with the PROXY protocol version 2",
  { skip: needs("haproxy", "openssl"), timeout: TIMEOUT_MS }, (t) =>
    chatOverTcp(t, "haproxy.cfg", (port) => ["bind :443", `bind 127.0.0.1:${port}`], "haproxy", (file) => ["-f", file]));

test("two users chat through stunnel, with the PROXY protocol version 1",
  { skip: needs("stunnel", "openssl"), timeout: TIMEOUT_MS }, (t) =>
    chatOverTcp(t, "stunnel.conf", (port) => ["[parley]\naccept   = 443", `foreground = yes\npid =\n[parley]\naccept = 127.0.0.1:${port}`],
      "stunnel", (file) => [file]));
