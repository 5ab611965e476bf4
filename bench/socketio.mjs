// parleyd beside npm's socket.io, both in memory only and in the same run: chat messages a second from end to end over
// WebSockets, and memory for each connection that is registered and idle.
//
//   node bench/socketio.mjs [SECONDS [IDLE]]     after npm install in tests/clients
//
// The load is raw frames, written once and sent as they are, so that what is measured is the servers: each of 8
// users sends 200 messages at a time to another one, and goes on when all have come.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sign } from "../tests/clients/parleyd.mjs";

const SECONDS = Number(process.argv[2] ?? 5), IDLE = Number(process.argv[3] ?? 1000), ROUNDS = 3;
const PAIRS = 8, BATCH = 200;
const secret = "a secret of at least thirty-two bytes";
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

function frame(text) {
  const body = Buffer.from(text), wide = body.length > 125;
  const head = Buffer.alloc(wide ? 8 : 6); // the masking key is zeros: the payload stands as it is
  head[0] = 0x81;
  head[1] = 0x80 | (wide ? 126 : body.length);
  if (wide) head.writeUInt16BE(body.length, 2);
  return Buffer.concat([head, body]);
}

/** A connection that is registered; onEvents(n) tells how many messages have come. */
async function connect(port, user, onEvents = () => {}) {
  const socket = createConnection(port, "127.0.0.1").setNoDelay();
  socket.on("error", (error) => { throw error; });
  socket.write("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  let text = "";
  await new Promise((resolve) => {
    let sent = false;
    socket.on("data", function hear(chunk) {
      text += chunk.toString("latin1");
      if (!sent && text.includes("0{\"sid\"")) {
        sent = true;
        socket.write(frame(`40${JSON.stringify({ token: sign(secret, { sub: user }) })}`));
      }
      if (text.endsWith("}]")) { socket.off("data", hear); resolve(); }
    });
  });
  /* Frames of the server are not masked: heads tell where the next one is. */
  let skip = 0, rest = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    let at = skip, n = 0;
    if (rest.length) { chunk = Buffer.concat([rest, chunk]); rest = Buffer.alloc(0); }
    while (at + 4 <= chunk.length) {
      const size = chunk[at + 1] < 126 ? chunk[at + 1] : chunk.readUInt16BE(at + 2);
      at += size + (chunk[at + 1] < 126 ? 2 : 4);
      n++;
    }
    if (at < chunk.length) { rest = Buffer.from(chunk.subarray(at)); at = chunk.length; }
    skip = at - chunk.length;
    onEvents(n);
  });
  return socket;
}

async function measureThroughput(port) {
  let received = 0, running = true;
  const ended = [], sockets = [];
  for (let i = 0; i < PAIRS; i++) {
    const batch = Buffer.concat(Array(BATCH).fill(frame(`42["message",{"to":"r${i}","content":"${"x".repeat(40)}"}]`)));
    let left = 0, answers = 0, end;
    ended.push(new Promise((resolve) => { end = resolve; }));
    const next = () => {
      if (left || answers) return;
      if (!running) return end();
      left = answers = BATCH;
      sender.write(batch);
    };
    const receiver = await connect(port, `r${i}`, (n) => { left -= n; received += n; next(); });
    const sender = await connect(port, `s${i}`, (n) => { answers -= n; next(); });
    sockets.push(receiver, sender);
    next();
  }
  const begun = process.hrtime.bigint(), before = received;
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
  const rate = (received - before) / (Number(process.hrtime.bigint() - begun) / 1e9);
  running = false;
  await Promise.all(ended);
  sockets.forEach((socket) => socket.destroy());
  return rate;
}

const resident = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`))[1]) * 1024;

async function measureMemory({ port, child }) {
  await connect(port, "warm"); // what is made for the first one is no connection's
  const before = resident(child.pid), sockets = [];
  for (let i = 0; i < IDLE; i++) sockets.push(await connect(port, `i${i}`));
  const each = (resident(child.pid) - before) / IDLE;
  sockets.forEach((socket) => socket.destroy());
  return each;
}

async function start(command, args, pattern, stream) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  const port = await new Promise((resolve) => child[stream].on("data", (chunk) => {
    text += chunk;
    const found = pattern.exec(text);
    if (found) resolve(Number(found[1]));
  }));
  return { child, port };
}

const folder = mkdtempSync("/dev/shm/parley-bench-");
let round = 0;
const servers = {
  parley: () => start(process.env.PARLEYD ?? here("../build/release/parleyd"),
    ["--listen", "127.0.0.1:0", "--data", join(folder, `${round++}`), "--secret-file", join(folder, "secret"), "--sync", "none",
      "--rate", "0", "--max-user-connections", "100000", "--log-level", "error"], /listening on 127\.0\.0\.1:(\d+)\n/, "stderr"),
  "socket.io": () => start(process.execPath, [here("../tests/clients/reference.mjs"), secret], /^(\d+)\n/, "stdout"),
};

writeFileSync(join(folder, "secret"), secret);
const results = Object.fromEntries(Object.keys(servers).map((name) => [name, { rates: [], each: [] }]));
try {
  for (let i = 0; i < ROUNDS; i++)
    for (const [name, begin] of Object.entries(servers)) {
      const server = await begin();
      const each = await measureMemory(server), rate = await measureThroughput(server.port);
      results[name].each.push(each);
      results[name].rates.push(rate);
      console.log(`${name.padEnd(10)} ${Math.round(rate).toLocaleString("en").padStart(9)} messages/s ${Math.round(each).toLocaleString("en").padStart(8)} bytes/idle connection`);
      const exit = once(server.child, "exit");
      server.child.kill("SIGKILL");
      await exit;
    }
} finally {
  rmSync(folder, { recursive: true });
}
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
const [p, s] = [results.parley, results["socket.io"]].map(({ rates, each }) => ({ rate: median(rates), each: median(each) }));
console.log(`throughput: ${(p.rate / s.rate).toFixed(1)} times that of socket.io (goal 5)`);
console.log(`memory for an idle connection: 1/${(s.each / p.each).toFixed(1)} (goal 1/10)`);
process.exit(p.rate >= 5 * s.rate && p.each * 10 <= s.each ? 0 : 1);
