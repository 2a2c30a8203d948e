// Opens a report in Chromium and uses it as a reader would; prints what was seen as JSON.
//
// usage: node browse.mjs <chromium> <page> <folder for screenshots>

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const [executablePath, file, shots] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const seen = { errors: [], requests: [], colors: {} };

async function open(colorScheme) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, colorScheme, offline: true });
  const page = await context.newPage();
  page.on('pageerror', (error) => seen.errors.push(error.message));
  page.on('console', (message) => message.type() === 'error' && seen.errors.push(message.text()));
  page.on('request', (request) => request.url().startsWith('file:') || seen.requests.push(request.url()));
  const started = Date.now();
  await page.goto(pathToFileURL(file).href);
  await page.waitForSelector('#count:not(:empty)');
  seen.loaded = Date.now() - started;
  return page;
}

for (const scheme of ['light', 'dark']) {
  const page = await open(scheme);
  seen.colors[scheme] = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.screenshot({ path: join(shots, `${scheme}.png`) });
}

const page = await open('light');
const count = () => page.textContent('#count');
const routes = () => page.$$eval('tr.row td:first-child', (cells) => cells.map((cell) => cell.firstChild.textContent));
const settled = () => page.waitForTimeout(200);
seen.all = await count();
seen.first = (await routes())[0];
seen.rows = (await routes()).length;
seen.odd = await page.$$eval('.picture .odd', (paths) => paths.length);
seen.bars = await page.$$eval('.bar', (bars) => bars.map((bar) => bar.getAttribute('aria-label')));
await page.keyboard.press('/');
await page.keyboard.type('mobile');
await settled();
seen.filtered = await count();
seen.filteredRoutes = (await routes()).slice(0, 5);
await page.keyboard.press('Escape');
await settled();
seen.cleared = await count();
await page.keyboard.press('d');
await settled();
seen.deviating = await count();
await page.keyboard.press('d');
await page.keyboard.press('j');
await page.keyboard.press('Enter');
seen.detail = await page.textContent('tr.detail');
await page.screenshot({ path: join(shots, 'open.png') });
seen.wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
await page.setViewportSize({ width: 420, height: 900 });
seen.narrow = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
await page.screenshot({ path: join(shots, 'narrow.png') });
await page.emulateMedia({ media: 'print' });
seen.printed = (await page.pdf({ path: join(shots, 'page.pdf') })).length;
await browser.close();
console.log(JSON.stringify(seen));
