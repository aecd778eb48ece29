// Chromium, and what is looked at in it.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import { chromium } from 'playwright-core';

const CHROMIUM = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
  .filter(Boolean)
  .find((path) => existsSync(path));
export const SCREENSHOTS = fileURLToPath(new URL('../../../target/browser', import.meta.url));
mkdirSync(SCREENSHOTS, { recursive: true });
export const DESK = { viewport: { width: 1280, height: 900 } };
export const PHONE = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

export async function launch() {
  assert.ok(CHROMIUM, 'Chromium is missing: ./test --browser installs it, or set CHROMIUM to its path');
  return chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
}

export async function accessible(page, what) {
  // The page's policy lets no script in; the tool comes by way of the debugger.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run({ resultTypes: ['violations'] }));
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help} (${nodes.map(({ target }) => target).join(', ')})`);
  assert.deepEqual(found, [], what);
}

export const shot = (page, name) => page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage: true });

export const MODES = [
  { name: 'with scripts, at a desk', options: {} },
  { name: 'without scripts, at a desk', options: { javaScriptEnabled: false } },
  { name: 'with scripts, on a phone', options: PHONE },
  { name: 'without scripts, on a phone', options: { ...PHONE, javaScriptEnabled: false } },
];
