// Walks through the board in a real browser, and says what it found as JSON
// lines. Where the test has something to do first, it waits for a line.
//   node walk.mjs --chromium PATH --base URL --login NAME:PASSWORD [--shots DIR] WALK...
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const { values: given, positionals: walks } = parseArgs({
  allowPositionals: true,
  options: { chromium: { type: 'string' }, base: { type: 'string' }, login: { type: 'string' }, shots: { type: 'string' } },
});
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const [name, password] = given.login.split(':');
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');
const told = async () => (await lines.next()).value;
const browser = await chromium.launch({ executablePath: given.chromium, args: ['--no-sandbox', '--disable-gpu'] });

const PHONE = { width: 390, height: 844 };
const DESK = { width: 1280, height: 900 };
const PAGES = ['/', '/warnings', '/sensors', '/sensors/qj-1/level', '/sensors/qj-2/level', '/deliveries', '/quarantine', '/help', '/nowhere'];

function context(options) {
  return browser.newContext({ baseURL: given.base, reducedMotion: 'reduce', ...options });
}

async function logIn(page) {
  await page.goto('/');
  await page.fill('#name', name);
  await page.fill('#password', password);
  await Promise.all([page.waitForURL((url) => url.pathname === '/'), page.press('#password', 'Enter')]);
}

async function shot(page, of) {
  if (given.shots) { await page.screenshot({ path: `${given.shots}/${of}.png`, fullPage: true }); }
}

async function judge(page, of) {
  await page.addScriptTag({ path: axe }).catch(() => {});
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] });
    return violations.map((it) => `${it.id}: ${it.nodes.map((node) => `${node.target} ${node.failureSummary}`).join(' | ')}`);
  });
  const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - window.innerWidth);
  if (wide > 0) { found.push(`wider than the screen by ${wide}`); }
  const text = await page.evaluate(() => document.body.innerText);
  for (const broken of ['{{', '{count}', '{time}', 'undefined', 'board.']) {
    if (text.includes(broken)) { found.push(`says ${broken}`); }
  }
  say({ judged: of, title: await page.title(), lang: await page.getAttribute('html', 'lang'), violations: found });
}

const WALKS = {
  // Every page, in both languages, on a phone and a desk, by day and by night.
  async pages() {
    for (const [locale, viewport, colorScheme] of [['zh-CN', PHONE, 'light'], ['en-GB', DESK, 'light'], ['zh-CN', DESK, 'dark'], ['en-GB', PHONE, 'dark']]) {
      // The content security policy keeps foreign scripts out; axe is one.
      const there = await context({ locale, viewport, colorScheme, bypassCSP: true });
      const page = await there.newPage();
      await logIn(page);
      const warning = await page.getAttribute('#standing .card a', 'href');
      for (const path of [...PAGES, warning]) {
        await page.goto(path);
        const of = `${locale.slice(0, 2)}-${viewport === PHONE ? 'phone' : 'desk'}-${colorScheme}-${path === warning ? 'warning' : path.slice(1).replaceAll('/', '-') || 'home'}`;
        await judge(page, of);
        await shot(page, of);
      }
      await there.close();
    }
  },

  // From the login to an acknowledgement by keys alone.
  async keys() {
    const there = await context({ locale: 'en-GB', viewport: DESK });
    const page = await there.newPage();
    await page.goto('/');
    // The page focuses the name by itself, some time after it has loaded.
    await page.waitForFunction(() => document.activeElement?.id === 'name');
    await page.keyboard.type(name);
    await page.keyboard.press('Tab');
    await page.keyboard.type(password);
    await Promise.all([page.waitForURL((url) => url.pathname === '/'), page.keyboard.press('Enter')]);
    const tabTo = async (selector) => {
      for (let n = 0; n < 80; n += 1) {
        await page.keyboard.press('Tab');
        if (await page.evaluate((it) => document.activeElement.matches(it), selector)) { return n + 1; }
      }
      throw new Error(`no key leads to ${selector}`);
    };
    await page.keyboard.press('Tab');
    const skips = await page.evaluate(() => document.activeElement.className);
    await page.keyboard.press('Enter');
    const toWarning = await tabTo('#standing .card a');
    await Promise.all([page.waitForURL(/warnings\//), page.keyboard.press('Enter')]);
    const before = await page.textContent('#acks');
    const outline = async () => page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    const toButton = await tabTo('.actions form button');
    const seen = await outline();
    await Promise.all([page.waitForURL(/done=/), page.keyboard.press('Enter')]);
    say({ keys: { skips, toWarning, toButton, outline: seen, before, done: await page.textContent('.done'), after: await page.textContent('#acks') } });
    await there.close();
  },

  // Without a script: it works, and says that it stands still.
  async still() {
    const there = await context({ locale: 'zh-CN', viewport: PHONE, javaScriptEnabled: false });
    const page = await there.newPage();
    await logIn(page);
    const frozen = await page.isVisible('.frozen');
    const moving = await page.isVisible('.moving');
    await page.click('.self a[hreflang=en]');
    const lang = await page.getAttribute('html', 'lang');
    await page.click('#standing .card a');
    const form = await page.isVisible('.actions form button');
    await page.click('#d-clear summary');
    await page.fill('#clear-reason', 'said by the test');
    const reason = await page.inputValue('#clear-reason');
    say({ still: { frozen, moving, lang, form, reason } });
    await there.close();
  },

  // Open before something happens, it shows it by itself; when nothing is heard any more it says so.
  async live() {
    const there = await context({ locale: 'en-GB', viewport: DESK });
    const page = await there.newPage();
    await logIn(page);
    await page.waitForSelector('.is-live');
    // What has the focus keeps it while the parts around change.
    await page.focus('#standing .card a');
    say({ live: 'open' });
    await told();
    await page.waitForFunction(() => document.querySelector('#levels .red strong')?.textContent === '1');
    say({ live: 'red', focus: await page.evaluate(() => document.activeElement.getAttribute('href')) });
    say({ said: await page.textContent('#said') });
    await told();
    const from = Date.now();
    await page.waitForSelector('#lost:not([hidden])');
    const after = Date.now() - from;
    const shown = await page.isVisible('#lost');
    const moving = await page.isVisible('.moving');
    await shot(page, 'lost');
    say({ lost: { after, shown, moving, text: await page.textContent('#lost') } });
    await there.close();
  },

  // A drill is seen to be one, wherever one looks.
  async drill() {
    for (const locale of ['zh-CN', 'en-GB']) {
      const there = await context({ locale, viewport: DESK, bypassCSP: true });
      const page = await there.newPage();
      await logIn(page);
      for (const path of ['/', '/sensors', '/help']) {
        await page.goto(path);
        const of = `drill-${locale.slice(0, 2)}-${path.slice(1) || 'home'}`;
        await judge(page, of);
        await shot(page, of);
        say({ drill: { marks: await page.locator('.mark').allTextContents(), watermark: await page.isVisible('.watermark'), top: await page.evaluate(() => getComputedStyle(document.querySelector('.top')).backgroundColor), title: await page.title() } });
      }
      await there.close();
    }
  },
};

for (const walk of walks) { await WALKS[walk](); }
await browser.close();
say({ over: true });
process.exit(0);
