/*
 * The web client in a real browser, against a real server.
 *
 *   PARLEYD    the server (default: build/release/parleyd)
 *   CHROMIUM   the browser (default: the first chromium or chrome in PATH)
 *
 * Each test has a server, a data folder and browser profiles of its own. Whatever a page logs as an
 * error, and every request to another host, fails its test.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const PARLEYD = process.env.PARLEYD ?? fileURLToPath(new URL("../../build/release/parleyd", import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? findProgram("chromium", "chromium-browser", "google-chrome");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update"];
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const TIMEOUT_MS = 20e3;        /* above the longest back-off of the client */

const { chromium } = await import("playwright-core").catch(() => ({}));
const { WebSocket } = await import("ws").catch(() => ({}));
const skip = !chromium || !WebSocket ? "npm packages are missing: run npm install in tests/clients"
    : !CHROMIUM ? "no Chromium found: set CHROMIUM to its path" : false;

let browser;

before(async () => {
    if (!skip)
        browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
});
after(() => browser?.close());

/* ---- the surroundings ---- */

function findProgram(...names) {
    const paths = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
    return names.flatMap((name) => paths.map((path) => join(path, name))).find((file) => {
        try {
            accessSync(file, constants.X_OK);
            return true;
        } catch {
            return false;
        }
    });
}

/* A server that can be killed and started again on the same port and folder. */
async function startServer(t) {
    const data = mkdtempSync(join(tmpdir(), "parley-browser-"));
    const server = { port: 0, child: null, pages: [], start, kill };
    t.after(async () => {
        for (const { context } of server.pages)     /* first, or they would miss the server */
            await context.close();
        await kill();
        rmSync(data, { recursive: true });
        assert.deepEqual(server.pages.flatMap(({ problems }) => problems), []);
    });

    async function start() {
        const args = ["--demo", "--listen", `127.0.0.1:${server.port}`, "--data", data];
        server.child = spawn(PARLEYD, args, { stdio: ["ignore", "ignore", "pipe"] });
        server.port = await readyPort(server.child);
        server.url = `http://127.0.0.1:${server.port}`;
    }

    async function kill(signal = "SIGKILL") {
        if (server.child.exitCode !== null || server.child.signalCode !== null)
            return;
        server.child.kill(signal);
        await once(server.child, "exit");
    }

    await start();
    return server;
}

/* The port of the ready line; what else the server says goes on to our standard error. */
function readyPort(child) {
    return new Promise((resolve, reject) => {
        child.on("error", reject);
        child.on("exit", (status) => reject(new Error(`${PARLEYD} ended early, status ${status}`)));
        createInterface(child.stderr).on("line", (line) => {
            const ready = /^parleyd: listening on 127\.0\.0\.1:(\d+)$/.exec(line);
            if (ready)
                resolve(Number(ready[1]));
            else
                console.error(line);
        });
    });
}

/* A page of a browser profile of its own. With `outage`, failing to connect is no error. */
async function openPage(server, { outage = false, ...options } = {}) {
    const context = await browser.newContext(options), problems = [];
    const watchRequest = (it) => {
        const url = new URL(it.url());
        if (url.protocol !== "data:" && url.host !== `127.0.0.1:${server.port}`)
            problems.push(`request to ${url}`);
    };
    context.setDefaultTimeout(TIMEOUT_MS);
    context.on("page", (page) => {
        page.on("request", watchRequest);
        page.on("websocket", watchRequest);
        page.on("pageerror", (error) => problems.push(error.stack));
        page.on("console", (message) => {
            const expected = outage && /^WebSocket connection to .* failed/.test(message.text());
            if (message.type() === "error" && !expected)
                problems.push(message.text());
        });
    });
    server.pages.push({ context, problems });
    return context.newPage();
}

async function enter(page, server, name) {
    await page.goto(server.url);
    await page.getByLabel("Your name").fill(name);
    await page.getByRole("button", { name: "Start chatting" }).click();
    await page.getByRole("heading", { name, exact: true }).waitFor();
}

async function openConversation(page, name) {
    await page.getByLabel("Find or start a conversation").fill(name);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 2, name, exact: true }).waitFor();
}

/* Two people, each with the conversation with the other open. */
async function pair(server, options) {
    const [alice, bob] = await Promise.all([openPage(server, options), openPage(server, options)]);
    await enter(alice, server, "alice");
    await enter(bob, server, "bob");
    await openConversation(alice, "bob");
    await openConversation(bob, "alice");
    return [alice, bob];
}

function field(page) {
    return page.getByRole("textbox", { name: "Message", exact: true });
}

async function write(page, text) {
    await field(page).fill(text);
    await field(page).press("Enter");
}

/* Sends, and waits for the mark that the server has stored it. */
async function send(page, text) {
    await write(page, text);
    await message(page, text).and(page.locator(".stored")).getByRole("img", { name: "Sent" }).waitFor();
}

/* The bubble with exactly this text. */
function message(page, text) {
    return page.locator(".msg").filter({ has: page.getByText(text, { exact: true }) });
}

function texts(page) {
    return page.locator(".msg .text").allTextContents();
}

/* Messages put on the server past the browser. */
async function seed(server, from, to, contents) {
    const { token } = await (await fetch(`${server.url}/demo/token?user=${from}`)).json();
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/chat`);
    const requests = [["registerMessages", { token }], ...contents.map((content) => ["message", { to, content }])];
    await once(socket, "open");
    for (const [event, data] of requests) {
        socket.send(JSON.stringify({ event, data }));
        const [answer] = await once(socket, "message");
        assert.equal(JSON.parse(answer).event, event);
    }
    socket.close();
}

/* ---- the tests ---- */

if (skip)
    test("the web client in a browser", { skip }, () => {});

/* A test, where there is what it needs. */
function check(name, run) {
    if (!skip)
        test(name, run);
}

check("two people chat both ways and see acknowledgements", async (t) => {
    const [alice, bob] = await pair(await startServer(t));
    await alice.getByText("No messages yet").waitFor();
    await send(alice, "hello bob");
    await message(bob, "hello bob").waitFor();
    await send(bob, "hello alice");
    await message(alice, "hello alice").waitFor();
    for (const page of [alice, bob])
        assert.deepEqual(await texts(page), ["hello bob", "hello alice"]);
});

check("typing shows in the list and in the conversation, and ends", async (t) => {
    const [alice, bob] = await pair(await startServer(t)), dots = bob.locator(".dots");
    await send(alice, "first");
    await alice.clock.install();
    await alice.clock.pauseAt(Date.now() + 60e3);
    await field(alice).pressSequentially("so");
    await bob.locator("#activity", { hasText: "typing…" }).waitFor();
    await bob.locator("#list", { hasText: "typing…" }).waitFor();
    await field(alice).fill("");
    await dots.waitFor({ state: "detached" });
    await field(alice).pressSequentially("again");
    await dots.waitFor();
    await alice.clock.runFor(3000);             /* silence */
    await dots.waitFor({ state: "detached" });
    await field(alice).pressSequentially("!");
    await dots.waitFor();
    await send(alice, "done");
    await dots.waitFor({ state: "detached" });
});

check("whatever is written arrives as text", async (t) => {
    const [alice, bob] = await pair(await startServer(t));
    const contents = [
        "<script>document.title = 'owned'</script><img src=x onerror=alert(1)>",
        "\"quotes\", 'more' & back\\slashes \u2028 \u0007",
        "👩‍👩‍👧‍👦 🇪🇺 ❤️", "שלום, مرحبا", "w".repeat(3000),
        "constructor", "__proto__",
    ];
    for (const content of contents)
        await send(alice, content);
    await field(alice).fill("line one");
    await field(alice).press("Shift+Enter");
    await field(alice).press("Shift+Enter");
    await field(alice).pressSequentially("line three");
    await field(alice).press("Enter");
    contents.push("line one\n\nline three");
    await bob.locator(".msg").nth(contents.length - 1).waitFor();
    for (const page of [alice, bob]) {
        assert.deepEqual(await texts(page), contents);
        const [wide, room] = await page.locator("#log").evaluate((log) => [log.scrollWidth, log.clientWidth]);
        assert.ok(wide <= room, "a long word does not widen the log");
    }
});

check("any name works, also one that means something to a program", async (t) => {
    const server = await startServer(t), page = await openPage(server);
    await seed(server, "__proto__", "<b>me</b>", ["hi"]);
    await enter(page, server, "<b>me</b>");
    await page.locator("#list button", { hasText: "__proto__" }).click();
    await message(page, "hi").waitFor();
    await openConversation(page, "50% #1/?&é");
    await send(page, "to a strange name");
    await page.reload();
    await message(page, "to a strange name").waitFor();
});

check("unread messages are counted until they are looked at", async (t) => {
    const server = await startServer(t), page = await openPage(server);
    const row = (name) => page.locator("#list button", { hasText: name });
    const top = () => page.locator("#list li").first().textContent();
    await enter(page, server, "alice");
    await page.getByText("No conversations yet").waitFor();
    await seed(server, "carol", "alice", ["one"]);
    await seed(server, "bob", "alice", ["one", "two"]);
    await row("bob").getByText("2 unread").waitFor();
    assert.equal(await page.title(), "(3) parley");
    assert.match(await top(), /bob.*two/);
    await seed(server, "carol", "alice", ["two"]);
    await row("carol").getByText("2 unread").waitFor();
    assert.match(await top(), /carol.*two/);
    await row("carol").click();
    await message(page, "two").waitFor();
    assert.equal(await page.title(), "(2) carol · parley");
    await seed(server, "carol", "alice", ["three"]);
    await message(page, "three").waitFor();
    await openConversation(page, "dave");
    await page.reload();
    await row("bob").getByText("1 unread").waitFor();   /* how many is forgotten, but not that there are */
    await page.getByText("No messages yet").waitFor();
    assert.equal(await page.title(), "(1) dave · parley");
});

check("another window of the same person shows what was sent", async (t) => {
    const [alice, bob] = await pair(await startServer(t));
    const second = await alice.context().newPage();
    await second.goto(alice.url());
    await second.getByLabel("Your name").fill("alice");
    await second.keyboard.press("Enter");
    await second.getByText("No messages yet").waitFor();
    await send(alice, "from the first");
    await message(second, "from the first").waitFor();
    await send(second, "from the second");
    await message(alice, "from the second").waitFor();
    await message(bob, "from the second").waitFor();
    assert.deepEqual(await texts(alice), await texts(second));
});

check("history survives a reload; older pages come on scrolling and leave the view in place", async (t) => {
    const server = await startServer(t), page = await openPage(server);
    const contents = Array.from({ length: 130 }, (_, i) => `number ${i}`);
    await seed(server, "bob", "alice", contents);
    await enter(page, server, "alice");
    await page.locator("#list button", { hasText: "bob" }).click();
    await message(page, "number 129").waitFor();
    await page.reload();
    await message(page, "number 129").waitFor();
    assert.deepEqual(await texts(page), contents.slice(80), "one page at first");

    const before = await page.locator("#log").evaluate((log) => {
        log.scrollTop = 200;
        const view = [...log.querySelectorAll(".msg")].find((m) => m.offsetTop > log.scrollTop);
        return { text: view.querySelector(".text").textContent, y: view.getBoundingClientRect().y };
    });
    await message(page, "number 30").waitFor();
    const kept = await message(page, before.text).evaluate((m) => m.getBoundingClientRect().y);
    assert.ok(Math.abs(kept - before.y) < 2, `the view stays in place (${before.y}, now ${kept})`);

    await page.locator("#log").evaluate((log) => { log.scrollTop = 0; });
    await message(page, "number 0").waitFor();
    assert.deepEqual(await texts(page), contents);
    await page.getByRole("button", { name: "Jump to the newest message" }).click();
    await page.getByRole("button", { name: "Jump to the newest message" }).waitFor({ state: "hidden" });
});

for (const signal of ["SIGKILL", "SIGTERM"])
    check(`after ${signal} both come back by themselves, with nothing lost and nothing double`, async (t) => {
        const server = await startServer(t), [alice, bob] = await pair(server, { outage: true });
        await send(alice, "before");
        await message(bob, "before").waitFor();
        await server.kill(signal);
        for (const page of [alice, bob])
            await page.getByText("Reconnecting…").waitFor();
        await write(alice, "written while away");
        await alice.getByRole("img", { name: "Waiting for the connection" }).waitFor();
        await server.start();
        for (const page of [alice, bob])
            await page.getByText("Reconnecting…").waitFor({ state: "hidden" });
        await message(bob, "written while away").waitFor();
        await message(alice, "written while away").and(alice.locator(".stored")).waitFor();
        await send(bob, "after");
        await message(alice, "after").waitFor();
        for (const page of [alice, bob]) {
            assert.deepEqual(await texts(page), ["before", "written while away", "after"]);
            await page.reload();
            await message(page, "after").waitFor();
            assert.deepEqual(await texts(page), ["before", "written while away", "after"]);
        }
    });

/*
 * A page whose connections pass through here: frames of the client that `keep` returns false for
 * are lost, and cut(code) ends the connection; so does an answer that `keep` returns false for.
 */
async function openRelayed(server, keep) {
    const page = await openPage(server), relay = { page, cut: null };
    await page.routeWebSocket("**/chat", (socket) => {
        const upstream = socket.connectToServer();
        relay.cut = async (code) => {
            await upstream.close();
            await socket.close({ code });
        };
        socket.onMessage((text) => keep(JSON.parse(text), "up") && upstream.send(text));
        upstream.onMessage((text) => keep(JSON.parse(text), "down") ? socket.send(text) : relay.cut(1001));
    });
    await enter(page, server, "alice");
    await openConversation(page, "bob");
    return relay;
}

check("what was sent without an answer is sent again only on request", async (t) => {
    let deaf = true;
    const relay = await openRelayed(await startServer(t),
        ({ event }, way) => !(deaf && way === "up" && event === "message"));
    const { page } = relay;
    await write(page, "lost");
    await page.getByRole("img", { name: "Sending…" }).waitFor();
    await relay.cut(1001);
    await message(page, "lost").getByText("Not confirmed").waitFor();
    await page.getByText("Reconnecting…").waitFor({ state: "hidden" });
    deaf = false;
    await message(page, "lost").getByRole("button", { name: "Retry" }).click();
    await message(page, "lost").and(page.locator(".stored")).waitFor();
    assert.deepEqual(await texts(page), ["lost"]);
});

check("what was stored without an answer is found in the history", async (t) => {
    let mute = false;
    const { page } = await openRelayed(await startServer(t),
        ({ event }, way) => !(mute && way === "down" && event === "message"));
    await send(page, "known");
    mute = true;
    await write(page, "stored all the same");
    await message(page, "stored all the same").and(page.locator(".stored")).waitFor();
    assert.deepEqual(await texts(page), ["known", "stored all the same"]);
});

check("an expired token is replaced by a fresh one", async (t) => {
    const relay = await openRelayed(await startServer(t), () => true), { page } = relay;
    await send(page, "with the first token");
    const fetched = page.waitForRequest("**/demo/token?user=alice");
    await relay.cut(4001);
    await fetched;
    await page.getByText("Reconnecting…").waitFor({ state: "hidden" });
    await send(page, "with the second");
});

check("a refused message says why, and can be discarded", async (t) => {
    const server = await startServer(t), page = await openPage(server);
    await enter(page, server, "alice");
    await openConversation(page, "bob");
    for (const length of [17_000, 70_000]) {        /* over the limit of a message, and of a frame */
        await write(page, "x".repeat(length));
        assert.notEqual((await page.locator(".failed .trouble").textContent()).trim(), "RetryDiscard");
        await page.getByRole("button", { name: "Discard" }).click();
        await page.locator(".msg").waitFor({ state: "detached" });
    }
    await send(page, "short enough");
});

check("on a phone the back button leads from the conversation to the list", async (t) => {
    const server = await startServer(t), page = await openPage(server, PHONE);
    await seed(server, "bob", "alice", ["hello"]);
    await enter(page, server, "alice");
    const row = page.locator("#list button", { hasText: "bob" });
    for (const back of [() => page.getByRole("button", { name: "Back" }).click(), () => page.goBack()]) {
        await row.click();
        await message(page, "hello").waitFor();
        assert.equal(await row.isVisible(), false);
        await back();
        await row.waitFor();
        assert.equal(await page.locator("#log").isVisible(), false);
    }
    await row.click();
    await send(page, "from the phone");
    await page.reload();
    await message(page, "from the phone").waitFor();
    await page.getByRole("button", { name: "Back" }).click();
    await row.waitFor();
});

check("a second person can be opened in a new tab", async (t) => {
    const server = await startServer(t), page = await openPage(server);
    await enter(page, server, "alice");
    const opened = page.context().waitForEvent("page");
    await page.getByRole("link", { name: "Open another person in a new tab" }).click();
    const other = await opened;
    await other.getByLabel("Your name").fill("bob");
    await other.keyboard.press("Enter");
    await openConversation(other, "alice");
    await send(other, "hi, me");
    await page.locator("#list button", { hasText: "hi, me" }).waitFor();
    await page.getByRole("button", { name: "Leave" }).click();
    await page.getByLabel("Your name").waitFor();
});
