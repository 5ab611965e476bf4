// The bundled socket.io-client in a real browser: on pages of the server's own origin, of one that is allowed, of one
// that is not.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startParleyd } from "./parleyd.mjs";

const { chromium } = await import("playwright-core").catch(() => ({}));
const CHROMIUM = process.env.CHROMIUM ?? ["chromium", "chromium-browser", "google-chrome"]
  .map((name) => spawnSync("which", [name], { encoding: "utf8" }).stdout?.trim()).find(Boolean);
const bundle = fileURLToPath(new URL("node_modules/socket.io-client/dist/socket.io.min.js", import.meta.url));
const skip = !chromium || !existsSync(bundle) ? "npm packages are missing: run npm install in tests/clients"
  : !CHROMIUM ? "no Chromium found: set CHROMIUM to its path" : false;

const transports = { "polling, then the upgrade": undefined, "websocket only": ["websocket"], "polling only": ["polling"] };

/** Connects, asks, hears of itself: what came. */
async function inPage({ url, token, transports }) {
  const socket = globalThis.io(url, { auth: { token }, transports, reconnection: false });
  try {
    await new Promise((resolve, reject) => {
      socket.on("connect", resolve);
      socket.on("connect_error", (error) => reject(new Error(`connect_error: ${error.message}`)));
    });
    const { engine } = socket.io;
    if (engine.transport.name === "polling" && !transports)
      await new Promise((resolve) => engine.once("upgrade", resolve));
    const answer = await socket.timeout(10_000).emitWithAck("message", { to: "alice", content: "hé 😀" });
    const page = await socket.timeout(10_000).emitWithAck("conversation", { id: "alice" });
    return { answer, contents: page.messages.map((m) => m.content), transport: engine.transport.name };
  } finally {
    socket.close();
  }
}

test("the bundled client works in a browser", { skip, timeout: 90_000 }, async (t) => {
  const elsewhere = createServer((request, response) => response.setHeader("content-type", "text/html").end("<title>x</title>"));
  elsewhere.listen(0, "127.0.0.1");
  await once(elsewhere, "listening");
  t.after(() => elsewhere.close());
  const { port } = elsewhere.address();
  const server = await startParleyd(t, "--demo", "--origin", `http://localhost:${port}`);
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
  t.after(() => browser.close());

  async function run(address, how) {
    const page = await browser.newPage();
    try {
      await page.goto(address);
      await page.addScriptTag({ path: bundle });
      return await page.evaluate(inPage, { url: server.url, token: server.token("alice"), transports: how });
    } finally {
      await page.close();
    }
  }
  let sent = 0;
  for (const [name, how] of Object.entries(transports)) {
    for (const [place, address] of [["its own origin", server.url], ["an allowed origin", `http://localhost:${port}/`]]) {
      await t.test(`by ${name}, on a page of ${place}`, async () => {
        const { answer, contents, transport } = await run(address, how);
        assert.deepEqual(answer, { success: true });
        assert.equal(contents.length, ++sent);
        assert.equal(contents.at(-1), "hé 😀");
        assert.equal(transport, how?.[0] ?? "websocket");
      });
    }
    await t.test(`by ${name}, not on a page of another origin`, async () => {
      await assert.rejects(run(`http://127.0.0.1:${port}/`, how), /connect_error/);
    });
  }
});
