// A real browser with a real player: headless Chromium driven by playwright-core. Samples the media clock every 250 ms; a
// clock that stands still for more than 0.6 s while the video is neither paused, ended nor seeking is a stall.
// usage: node browser.mjs CACHE LAB_DIR hls|dash|shaka|fetch CONTROL_HOST MEDIA_HOST SECONDS LOG
import {execFileSync} from "node:child_process";
import {createRequire} from "node:module";
import {appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from "node:fs";
import {tmpdir} from "node:os";
import {join} from "node:path";

const [cache, lab, player, control, media, seconds, logPath] = process.argv.slice(2);
const {chromium} = createRequire(join(cache, "package.json"))("playwright-core");
const spki = execFileSync("sh", ["-c", `openssl x509 -in ${lab}/leaf.pem -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64`]).toString().trim();
const profile = mkdtempSync(join(tmpdir(), "weir-browser-"));
const log = (event, more = {}) => appendFileSync(logPath, JSON.stringify({t: Date.now() / 1000, event, ...more}) + "\n");

// A browser is started in a session of its own: it takes this one's place among the machine's others, too.
const nice = readFileSync("/proc/self/autogroup", "ascii").match(/nice (-?\d+)/)?.[1] ?? "0", starter = join(profile, "chromium");
writeFileSync(starter, `#!/bin/sh\necho ${nice} >/proc/self/autogroup\nexec /usr/bin/chromium "$@"\n`, {mode: 0o755});

const context = await chromium.launchPersistentContext(profile, {
    executablePath: starter, headless: true, ignoreHTTPSErrors: true,
    args: ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", "--mute-audio", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-default-apps", "--disable-domain-reliability",
        // Chromium speaks QUIC to nobody whom a private CA vouches for, unless some port of that host has to: then on 443 as well.
        `--ignore-certificate-errors-spki-list=${spki}`, `--origin-to-force-quic-on=${control}:444,${media}:444`, "--disable-features=OptimizationHints,MediaRouter,DialMediaRouteProvider"],
});
const page = context.pages()[0] ?? await context.newPage();
const begun_at = new Map();
let asked = false;
page.on("request", request => {
    if (request.url().startsWith(`https://${media}/`)) {
        begun_at.set(request, Date.now() / 1000);
        if (!asked)
            log("asked"), asked = true;
    }
});
page.on("requestfailed", request => log("failed", {began: begun_at.get(request) ?? Date.now() / 1000, what: new URL(request.url()).pathname, why: request.failure()?.errorText}));
page.on("requestfinished", async request => {
    const name = new URL(request.url()).pathname.split("/").pop(), began = begun_at.get(request);
    if (name.startsWith("chunk-") && (await request.response().catch(() => null))?.status() === 200)
        log("segment", {began, name});
});
const start = Date.now(), end = start + 1000 * Number(seconds);
let begun = false, stalled = false, clock = -1, moved = 0;

async function open() {
    while (Date.now() < end) {
        try {
            await page.goto(`https://${control}/watch?player=${player}&media=https://${media}/vod/`, {timeout: 20000, waitUntil: "domcontentloaded"});
            return;
        } catch (error) {
            log("failed", {began: Date.now() / 1000, what: "page", why: String(error).slice(0, 200)});
        }
    }
}

async function sample() {
    const now = await page.evaluate(() => window.sample());
    const t = Date.now();
    if (now.clock !== clock || now.still && now.buffer > 1) {
        if (stalled)
            log("resumed", {buffer: now.buffer});
        if (!begun && now.clock > 0)
            log("started", {buffer: now.buffer}), begun = true;
        moved = t, stalled = false, clock = now.clock;
    } else if (begun && !stalled && t - moved > 600) {
        stalled = true;
        appendFileSync(logPath, JSON.stringify({t: moved / 1000, event: "stalled", buffer: now.buffer}) + "\n");
    }
    log("sample", now);
}

try {
    await open();
    while (Date.now() < end) {
        await sample().catch(() => {});
        await new Promise(done => setTimeout(done, 250));
    }
    log("ended");
} finally {
    await context.close();
    rmSync(profile, {recursive: true, force: true});
}
