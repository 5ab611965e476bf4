// A real parleyd for the tests: a folder of its own, port 0, ended by its own handle.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const base64url = (value) => Buffer.from(value).toString("base64url");

/** A token as any back end would make it. */
export function sign(secret, claims) {
  const text = `${base64url('{"alg":"HS256","typ":"JWT"}')}.${base64url(JSON.stringify(claims))}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

/** Started, with these further options; what is still running at the test's end is stopped. */
export async function startParleyd(t, ...options) {
  const folder = mkdtempSync(join(tmpdir(), "parley-sio-"));
  const server = { port: 0, url: "", child: null };

  server.start = async () => {
    server.child = spawn(process.env.PARLEYD ?? "build/release/parleyd",
      ["--listen", `127.0.0.1:${server.port}`, "--data", join(folder, "data"), "--rate", "0", ...options],
      { stdio: ["ignore", "ignore", "pipe"] });
    let text = "";
    server.exit = once(server.child, "exit").then((status) => { server.child = null; return [status, text]; });
    server.child.stderr.setEncoding("latin1");
    await new Promise((resolve, reject) => {
      server.child.stderr.on("data", (chunk) => {
        text += chunk;
        server.port = Number(/listening on 127\.0\.0\.1:(\d+)\n/.exec(text)?.[1] ?? server.port);
        if (text.includes("listening on")) resolve();
      });
      server.exit.then(() => reject(new Error(`parleyd did not start: ${text}`)));
    });
    server.url = `http://127.0.0.1:${server.port}`;
    server.secret = readFileSync(join(folder, "data/secret"), "latin1").replace(/\n+$/, "");
  };
  server.end = async (signal) => {
    server.child?.kill(signal);
    const [status, text] = await server.exit;
    assert.deepEqual(status, signal === "SIGKILL" ? [null, signal] : [0, null], text);
  };
  server.token = (user, more) => sign(server.secret, { sub: user, ...more });

  t.after(async () => {
    await server.end("SIGTERM"); // or it has ended as it should
    rmSync(folder, { recursive: true });
  });
  await server.start();
  return server;
}
