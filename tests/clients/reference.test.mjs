// Side by side with the reference server, npm's socket.io: the same requests and packets to both, and the same
// transcript of answers: status, headers and body of every response, every packet, every close. Where
// the transcripts differ, the row says what parley does and why.
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { test } from "node:test";
import { startParleyd } from "./parleyd.mjs";
import { startReference } from "./reference.mjs";

const { WebSocket } = await import("ws").catch(() => ({}));
const present = WebSocket && await import("socket.io").then(() => true, () => false);
const skip = present ? false : "npm packages are missing: run npm install in tests/clients";

const SID = /(?<="sid":")[\w-]{20,22}(?=")/g;
/* Headers that decide what a client, a page or a cache does with an answer; the others are each server's own. Parley
   forbids to store errors, too, and names a type where nothing follows: both are left out. */
const told = ({ statusCode, headers }, text) => Object.fromEntries(Object.entries(headers)
  .filter(([name]) => /^(content-type|cache-control|vary|access-control-.*)$/.test(name))
  .filter(([name]) => name !== "cache-control" || statusCode === 200)
  .filter(([name]) => name !== "content-type" || text)
  .map(([name, value]) => [name, value.toLowerCase()]));
const POLL = "EIO=4&transport=polling", SOCKET = "EIO=4&transport=websocket";

/** One of the two servers, and what it answers. */
class Peer {
  constructor(port, token) {
    Object.assign(this, { port, token, transcript: [], sockets: [] });
  }

  note(...what) {
    this.transcript.push(what.map((x) => typeof x === "string" ? x.replace(SID, "<sid>").replaceAll(this.sid, "<sid>") : x));
  }

  /* A request; its answer goes to the transcript, and is returned. */
  http(method, query, { body, headers = {}, path = "/socket.io/", quiet = false } = {}) {
    return new Promise((resolve, reject) => {
      const r = request({ host: "127.0.0.1", port: this.port, method, path: `${path}?${query}`, headers, agent: false }, (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (chunk) => { text += chunk; });
        answer.on("end", () => {
          if (!quiet) this.note(method, answer.statusCode, told(answer, text), text);
          resolve({ status: answer.statusCode, text, headers: answer.headers });
        });
      });
      r.on("error", (error) => { if (!quiet) this.note(method, error.code); resolve({ error }); });
      r.end(body);
    });
  }

  get(query = `${POLL}&sid=${this.sid}`, options) { return this.http("GET", query, options); }
  post(body, options) { return this.http("POST", `${POLL}&sid=${this.sid}`, { body, ...options }); }

  /* A polling session; connected to the namespace, and registered. */
  async open() {
    const { text } = await this.http("GET", POLL, { quiet: true });
    this.sid = JSON.parse(text.slice(1)).sid;
  }
  async connect() {
    await this.open();
    await this.http("POST", `${POLL}&sid=${this.sid}`, { body: `40${JSON.stringify({ token: this.token })}`, quiet: true });
    let text = "";
    while (!text.includes("registerMessages"))
      text += (await this.http("GET", `${POLL}&sid=${this.sid}`, { quiet: true })).text;
  }

  /* A WebSocket: what it says, to its close, goes to the transcript. */
  async socket(query = SOCKET, options) {
    const ws = new WebSocket(`ws://127.0.0.1:${this.port}/socket.io/?${query}`, options);
    this.sockets.push(ws);
    const arrived = [], waiting = [];
    const put = (x) => waiting.length ? waiting.shift()(x) : arrived.push(x);
    ws.on("message", (data) => put(String(data)));
    ws.on("unexpected-response", (r, answer) => { put(`status ${answer.statusCode}`); r.destroy(); });
    ws.on("close", () => put("closed"));
    ws.on("error", () => {});
    const take = () => arrived.length ? arrived.shift() : new Promise((resolve) => waiting.push(resolve));
    return { ws, send: (data) => ws.send(data), take, note: async () => this.note(await take()) };
  }
  /* The same, connected and registered. */
  async connectedSocket() {
    const socket = await this.socket();
    await socket.take();
    socket.send(`40${JSON.stringify({ token: this.token })}`);
    await socket.take();
    await socket.take();
    return socket;
  }
}

/* ---- situations ---- */

const query = (q, method = "GET", options) => (p) => p.http(method, q, options);
/* A request on a session that is open; how the session stands afterwards. */
const onSession = (method, suffix, options) => async (p) => {
  await p.open();
  await p.http(method, `${suffix.replace("SID", p.sid)}`, options);
  await p.http("POST", `${POLL}&sid=${p.sid}`, { body: "3" });
};
/* A POST to a session that is connected; then what a GET brings, and whether it lives. */
const posted = (body, options) => async (p) => {
  await p.connect();
  await p.post(body, options);
  await p.post("3");
};
const answered = (body) => async (p) => {
  await p.connect();
  await p.post(body);
  await p.get();
};
/* The same over a WebSocket that has not been connected to the namespace, or has. */
const said = (...packets) => async (p) => {
  const s = await p.socket();
  await s.take();
  for (const packet of packets) s.send(packet);
  await s.note();
};
const saidConnected = (...packets) => async (p) => {
  const s = await p.connectedSocket();
  for (const packet of packets) s.send(packet);
  await s.note();
};

/* What stands in the transcript for it. */
const answer = (method, status, type, text, more = {}) =>
  [method, status, { ...type && { "content-type": type }, ...status === 200 && { "cache-control": "no-store" }, ...more }, text];

const rows = [
  // the handshake
  ["polling handshake", query(POLL)],
  ["polling handshake with b64 and t", query(`${POLL}&t=abc&b64=1`)],
  ["websocket handshake", async (p) => (await p.socket()).note()],
  ["unknown transport", query("EIO=4&transport=flash")],
  ["no transport", query("EIO=4")],
  ["no query", query("")],
  ["webtransport without one", query("EIO=4&transport=webtransport")],
  ["transport in capitals", query("EIO=4&transport=POLLING")],
  ["EIO=3", query("EIO=3&transport=polling")],
  ["no EIO", query("transport=polling")],
  ["EIO=5", query("EIO=5&transport=polling")],
  ["EIO=04", query("EIO=04&transport=polling")],
  ["EIO=3 by websocket", async (p) => (await p.socket("EIO=3&transport=websocket")).note(),
    [["status 400"]],
    "the reference has upgraded by then, and writes the 400 into the WebSocket"],
  ["unknown transport by websocket", async (p) => (await p.socket("EIO=4&transport=flash")).note()],
  ["POST without sid", query(POLL, "POST", { body: "4" })],
  ["PUT without sid", query(POLL, "PUT")],
  ["DELETE without sid", query(POLL, "DELETE")],
  ["websocket without an upgrade", query(SOCKET)],
  ["empty sid", query(`${POLL}&sid=`)],
  ["unknown sid", query(`${POLL}&sid=nonsense`)],
  ["unknown sid, POST", query(`${POLL}&sid=nonsense`, "POST", { body: "3" })],
  ["unknown sid by websocket", async (p) => (await p.socket(`${SOCKET}&sid=nonsense`)).note()],
  ["__proto__ as sid", query(`${POLL}&sid=__proto__`)],
  ["unknown transport before unknown sid", query("EIO=4&transport=flash&sid=nonsense")],
  ["unknown sid before the method", query(`${POLL}&sid=nonsense`, "PUT")],
  ["the method before the version", query("EIO=3&transport=polling", "POST", { body: "" })],
  ["JSONP", query(`${POLL}&j=0`),
    [answer("GET", 400, "application/json", "{\"code\":3,\"message\":\"Bad request\"}")],
    "the reference still wraps answers in script: parley has no JSONP, whose clients are gone"],
  // requests of a session
  ["another transport on a session", onSession("GET", "EIO=4&transport=websocket&sid=SID")],
  ["another EIO on a session", onSession("GET", "EIO=3&transport=polling&sid=SID")],
  ["no EIO on a session", onSession("GET", "transport=polling&sid=SID")],
  ["PUT on a session", onSession("PUT", `${POLL}&sid=SID`),
    [answer("PUT", 405, "text/plain; charset=utf-8", "Only GET and POST are known here.\n"), answer("POST", 200, "text/html", "ok")],
    "the reference says 500, as if it had failed itself"],
  ["HEAD on a session", onSession("HEAD", `${POLL}&sid=SID`),
    [answer("HEAD", 405, "", ""), answer("POST", 200, "text/html", "ok")],
    "as PUT"],
  ["a second GET", async (p) => {
    await p.open();
    const first = p.get(undefined, { quiet: true });
    await new Promise((resolve) => setTimeout(resolve, 100)); // nothing tells that a GET waits
    await p.get();
    p.note((await first).text);
    await p.post("3");
  }],
  ["a GET that is given up", async (p) => {
    await p.open();
    const r = request({ host: "127.0.0.1", port: p.port, path: `/socket.io/?${POLL}&sid=${p.sid}` }).on("error", () => {});
    r.end();
    await new Promise((resolve) => setTimeout(resolve, 100));
    r.destroy();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await p.get();
  }],
  ["a POST of binary type", posted("4", { headers: { "content-type": "application/octet-stream" } })],
  ["a POST of any other type", posted("3", { headers: { "content-type": "application/xml" } })],
  ["an empty POST", posted("")],
  ["a POST at maxPayload", posted("6" + "x".repeat(65535))],
  ["a POST over maxPayload", async (p) => { await p.connect(); await p.post("6" + "x".repeat(65536)); },
    [answer("POST", 413, "text/plain; charset=utf-8", "The body is over the limit.\n")],
    "the same status; the reference says nothing more"],
  ["a chunked POST", async (p) => { await p.connect(); await p.post("3", { headers: { "transfer-encoding": "chunked" } }); },
    [answer("POST", 411, "text/plain; charset=utf-8", "A body is taken with a Content-Length only.\n")],
    "no client of Socket.IO sends chunks, and proxies and servers have disagreed about them"],
  // Engine.IO's packets
  ["pong", posted("3")],
  ["noop", posted("6")],
  ["open from the client", posted("0{}")],
  ["upgrade without a probe", posted("5")],
  ["ping from the client", posted("2")],
  ["close", posted("1")],
  ["close, and a GET that waits", async (p) => {
    await p.connect();
    const waits = p.get();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await p.post("1");
    await waits;
  }, [answer("POST", 200, "text/html", "ok"), answer("GET", 200, "text/plain; charset=utf-8", "1")],
    "the reference ends it with a noop and answers the next one with an unknown sid; parley says that it is closed"],
  ["a packet of unknown type", posted("7")],
  ["a letter", posted("x")],
  ["two packets", posted("3\x1e6")],
  ["a good packet and a bad one", posted("3\x1e9")],
  ["a separator at the end", posted("3\x1e")],
  ["a separator alone", posted("\x1e")],
  ["base64, that is binary", posted("bAQID")],
  ["ping from the client by websocket", saidConnected("2")],
  ["a packet of unknown type by websocket", saidConnected("9")],
  ["an empty packet by websocket", saidConnected("")],
  ["a binary frame", saidConnected(Buffer.from([4, 1, 2]))],
  ["a frame over maxPayload", saidConnected("4" + "x".repeat(65536))],
  ["close by websocket", async (p) => { const s = await p.connectedSocket(); s.send("1"); s.send("7"); await s.note(); }],
  // the upgrade
  ["the probe is answered", async (p) => {
    await p.connect();
    const s = await p.socket(`${SOCKET}&sid=${p.sid}`);
    await once(s.ws, "open");
    s.send("2probe");
    await s.note();
    await p.get(); // ended with a noop
    s.send("5");
    s.send("421[\"startWriting\",{\"id\":\"bob\"}]");
    await s.note();
  }],
  ["a session that was upgraded and polls", async (p) => {
    await p.connect();
    const s = await p.socket(`${SOCKET}&sid=${p.sid}`);
    await once(s.ws, "open");
    s.send("2probe");
    await s.take();
    s.send("5");
    s.send("421[\"startWriting\",{\"id\":\"bob\"}]");
    await s.take();
    await p.get();
  }, [answer("GET", 400, "application/json", "{\"code\":1,\"message\":\"Session ID unknown\"}")],
    "code 3 in the reference; parley forgets the sid of a session that needs it no more"],
  ["a probe that says something else", async (p) => {
    await p.connect();
    const s = await p.socket(`${SOCKET}&sid=${p.sid}`);
    await once(s.ws, "open");
    s.send("2other");
    await s.note();
    await p.post("3");
  }],
  ["a second probe", async (p) => {
    await p.connect();
    const first = await p.socket(`${SOCKET}&sid=${p.sid}`);
    await once(first.ws, "open");
    await (await p.socket(`${SOCKET}&sid=${p.sid}`)).note();
    first.send("2probe");
    await first.note();
  }],
  ["transport=polling in an upgrade", async (p) => (await p.socket(POLL)).note(),
    [["status 400"]],
    "the reference upgrades and closes at once"],
  // Socket.IO's packets
  ["CONNECT", said("40")],
  ["CONNECT with an empty object", said("40{}")],
  ["CONNECT with the namespace spelled out", said("40/,")],
  ["CONNECT with an array", said("40[]")],
  ["CONNECT with a string", said("40\"x\"")],
  ["CONNECT with broken JSON", said("40{")],
  ["CONNECT to another namespace", said("40/admin,")],
  ["CONNECT to another namespace without a comma", said("40/admin")],
  ["CONNECT to another namespace with a payload", said("40/admin,{\"token\":\"x\"}")],
  ["CONNECT to another namespace with a query", said("40/admin?x=y,")],
  ["CONNECT with a bad token", said("40{\"token\":\"x.y.z\"}"),
    [["44{\"message\":\"the token is malformed\",\"data\":{\"code\":\"bad_token\"}}"]],
    "the same form; the text is each server's own"],
  ["a second CONNECT", saidConnected("40")],
  ["an EVENT before the CONNECT", said("42[\"message\",{}]")],
  ["an ACK before the CONNECT", said("430[]")],
  ["CONNECT_ERROR from the client", saidConnected("44{\"message\":\"x\"}")],
  ["an EVENT of another namespace", saidConnected("42/admin,[\"x\"]")],
  ["a packet of unknown type in a message", saidConnected("49")],
  ["an empty message", saidConnected("4")],
  ["an EVENT that is an object", saidConnected("42{\"a\":1}")],
  ["an EVENT of nothing", saidConnected("42[]")],
  ["an EVENT without a name", saidConnected("42[{}]")],
  ["an EVENT with broken JSON", saidConnected("42[\"x\"")],
  ["an EVENT with something behind it", saidConnected("42[\"x\"]x")],
  ["an EVENT without a payload", saidConnected("42", "421[\"startWriting\",{\"id\":\"bob\"}]"),
    [["closed"]],
    "the reference takes it for an event without a name and drops it"],
  ["an EVENT whose name is a number", saidConnected("42[1]", "421[\"startWriting\",{\"id\":\"bob\"}]"),
    [["closed"]],
    "the reference drops it; no event of this API has a number for its name"],
  ["an EVENT with a name that the protocol keeps", saidConnected("42[\"connect\"]"),
    [["42[\"info\",\"there is no event \\\"connect\\\"\",{\"code\":\"unknown_event\",\"event\":\"connect\"}]"]],
    "the reference closes, since it would take it for its own; to parley it is one that there is not"],
  ["an EVENT with an acknowledgement", saidConnected("4217[\"startWriting\",{\"id\":\"bob\"}]")],
  ["an EVENT with the namespace spelled out", saidConnected("42/,17[\"startWriting\",{\"id\":\"bob\"}]")],
  ["an ACK that nobody asked for", saidConnected("435[1]", "421[\"startWriting\",{\"id\":\"bob\"}]")],
  ["a binary EVENT without a count", saidConnected("45[\"x\"]")],
  ["a binary EVENT", saidConnected("451-[\"message\",{\"_placeholder\":true,\"num\":0}]", Buffer.from([1]), "421[\"startWriting\",{\"id\":\"bob\"}]"),
    [["closed"]],
    "the contract has no binary data"],
  ["an unknown EVENT", saidConnected("421[\"nonsense\",{}]", "422[\"startWriting\",{\"id\":\"bob\"}]"),
    [["42[\"info\",\"there is no event \\\"nonsense\\\"\",{\"code\":\"unknown_event\",\"event\":\"nonsense\"}]"]],
    "the reference drops what nobody listens to; parley tells"],
  ["DISCONNECT", async (p) => { const s = await p.connectedSocket(); s.send("41"); s.send("7"); await s.note(); }],
  ["an EVENT by polling", answered("4217[\"startWriting\",{\"id\":\"bob\"}]")],
  ["two EVENTs by polling", answered("421[\"startWriting\",{\"id\":\"bob\"}]\x1e422[\"stopWriting\",{\"id\":\"bob\"}]")],
  ["an EVENT that cannot be read by polling", answered("42{"),
    [answer("POST", 200, "text/html", "ok"), answer("GET", 200, "text/plain; charset=utf-8", "1")],
    "the reference says a noop in front of the close"],
];

/* Pages of another origin, which both servers were told of, or were not. */
const APP = "http://app.example", page = { headers: { origin: APP } };
const rowsOfPages = [
  ["polling handshake of a page", query(POLL, "GET", page)],
  ["GET and POST of a page", async (p) => {
    p.sid = JSON.parse((await p.http("GET", POLL, { ...page, quiet: true })).text.slice(1)).sid;
    await p.post("40", page);
    await p.get(undefined, page);
  }],
  ["a refused request of a page", query("EIO=4&transport=flash", "GET", page)],
  ["a preflight", query(POLL, "OPTIONS", { headers: { origin: APP, "access-control-request-method": "POST", "access-control-request-headers": "X-Own" } }),
    [answer("OPTIONS", 200, "", "", { "access-control-allow-origin": APP, vary: "origin", "access-control-allow-methods": "get, post", "access-control-allow-headers": "x-own" })],
    "204 in the reference, with methods that it does not know either"],
  ["a page of an origin that is not allowed", query(POLL, "GET", { headers: { origin: "http://evil.example" } }),
    [answer("GET", 403, "application/json", "{\"code\":4,\"message\":\"Forbidden\"}")],
    "the reference opens a session, and leaves it to the browser to keep the answer from the page"],
  ["a WebSocket of an origin that is not allowed", async (p) => (await p.socket(SOCKET, { origin: "http://evil.example" })).note(),
    [["status 403"]],
    "the reference lets any page in: CORS knows no WebSockets"],
];

test("parley and the reference", { skip, timeout: 120_000 }, async (t) => {
  assert.ok(rows.length >= 60);
  const origins = [[rows, [], {}], [rowsOfPages, ["--origin", APP], { cors: { origin: [APP] } }]];
  for (const [situations, ours, theirs] of origins) {
    const parleyd = await startParleyd(t, ...ours), reference = await startReference(parleyd.secret, theirs);
    t.after(() => reference.close());
    await compare(t, situations, [parleyd, reference], parleyd.token("alice"));
  }
});

async function compare(t, situations, servers, token) {
  for (const [name, run, ours, why] of situations) {
    await t.test(name, { timeout: 20_000 }, async () => {
      const peers = servers.map(({ port }) => new Peer(port, token));
      await Promise.all(peers.map((p) => run(p)));
      const [mine, theirs] = peers.map((p) => p.transcript);
      peers.forEach((p) => p.sockets.forEach((ws) => ws.terminate()));
      if (why) {
        assert.deepEqual(mine, ours, why);
        assert.notDeepEqual(mine, theirs, "it does not differ any more");
      } else {
        assert.deepEqual(mine, theirs);
      }
    });
  }
}
