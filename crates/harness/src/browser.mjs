// Opens the page in a headless browser, and says what is on it as JSON: run by browser.rs.
// Arguments: the browser, the URL, and what to do as JSON: {width, dark, waitFor, customer, screenshot}.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [modules, browserPath, url, text] = process.argv.slice(2);
const require = createRequire(modules + "/");
const puppeteer = require("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const wanted = JSON.parse(text);

const browser = await puppeteer.launch({
  executablePath: browserPath, headless: true,
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
});
try {
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
  // axe-core is put into the page from outside, which the page's own policy would refuse
  await page.setBypassCSP(true);
  await page.setViewport({ width: wanted.width, height: 1000 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: wanted.dark ? "dark" : "light" }]);
  await page.goto(url, { waitUntil: "load" });
  if (wanted.waitFor) {
    await page.waitForFunction((text) => document.body.innerText.includes(text), { timeout: 60000 }, wanted.waitFor);
  }
  if (wanted.customer) {
    await page.type("#customer", wanted.customer);
    await page.click("#lookup button");
    await page.waitForFunction(() => !document.getElementById("snapshot").hidden || !document.getElementById("lookup-message").hidden, { timeout: 30000 });
  }
  const found = await page.evaluate(() => {
    const tables = {};
    for (const table of document.querySelectorAll("table")) {
      tables[table.id] = [...table.rows].map((row) => [...row.cells].map((cell) => cell.innerText));
    }
    return {
      title: document.title,
      text: document.body.innerText,
      status: document.getElementById("status").innerText,
      problems: [...document.querySelectorAll("#problems li")].map((one) => one.innerText),
      tables,
      links: [...document.querySelectorAll("#instances a")].map((one) => one.href),
      // something is wider than the window, so that the page as a whole must be scrolled sideways
      overflows: document.documentElement.scrollWidth > document.documentElement.clientWidth,
    };
  });
  if (wanted.screenshot) await page.screenshot({ path: wanted.screenshot, fullPage: true });
  await page.evaluate(axe);
  const checked = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const violations = checked.violations.map((one) => one.id + ": " + one.help + " at " + one.nodes.map((node) => node.target.join(" ")).join(", "));
  console.log(JSON.stringify({ ...found, errors, violations }));
} finally {
  await browser.close();
}
