// The engines that people have besides Chromium: Gecko (Firefox) and WebKit (Safari), by WebDriver.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, afterEach, before, describe } from 'node:test';
import { Builder } from 'selenium-webdriver';

export const PATIENCE = 30_000;
const MINI_BROWSERS = ['4.1', '4.0', '6.0'].map((version) => `/usr/lib/x86_64-linux-gnu/webkit2gtk-${version}/MiniBrowser`);

const find = (what, paths) => {
  const path = paths.filter(Boolean).find((candidate) => existsSync(candidate));
  assert.ok(path, `${what} is missing: ./test --browser installs it`);
  return path;
};

const ENGINES = {
  firefox: {
    driver: (port) => [
      find('geckodriver', [process.env.GECKODRIVER, '/usr/bin/geckodriver', '/usr/local/bin/geckodriver']),
      ['--port', String(port), '--log', 'fatal'],
    ],
    capabilities: () => ({
      browserName: 'firefox',
      'moz:firefoxOptions': {
        binary: find('Firefox', [process.env.FIREFOX, '/usr/bin/firefox-esr', '/usr/bin/firefox']),
        args: ['-headless'],
        prefs: { 'intl.accept_languages': 'fr' },
      },
    }),
  },
  webkit: {
    // It has no mode without a screen: a virtual one.
    driver: (port) => [
      find('xvfb-run', ['/usr/bin/xvfb-run']),
      ['-a', find('WebKitWebDriver', ['/usr/bin/WebKitWebDriver']), `--port=${port}`],
    ],
    capabilities: () => ({
      browserName: 'MiniBrowser',
      'webkitgtk:browserOptions': { binary: find('MiniBrowser', MINI_BROWSERS), args: ['--automation'] },
    }),
  },
};

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Makes the same tests for each engine. */
export function inEachEngine(tests) {
  for (const [name, engine] of Object.entries(ENGINES)) {
    describe(name, () => {
      let process_;
      let output = '';
      /** The driver, and what is stopped after each test. */
      const it = { name, stops: [] };

      before(async () => {
        const port = await freePort();
        const [program, args] = engine.driver(port);
        process_ = spawn(program, args, {
          detached: true,
          stdio: ['ignore', 'pipe', 'pipe'],
          env: { ...process.env, LC_ALL: 'fr_FR.UTF-8', LANGUAGE: 'fr' },
        });
        for (const stream of [process_.stdout, process_.stderr]) stream.on('data', (text) => (output += text));
        const server = `http://127.0.0.1:${port}`;
        const end = Date.now() + PATIENCE;
        while (!(await fetch(`${server}/status`).then((answer) => answer.ok, () => false))) {
          assert.ok(process_.exitCode === null && Date.now() < end, `${program} does not answer: ${output}`);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        it.driver = await new Builder().usingServer(server).withCapabilities(engine.capabilities()).build();
      });
      after(async () => {
        await it.driver?.quit().catch(() => {});
        try {
          process.kill(-process_.pid, 'SIGKILL');
        } catch {
          // It has ended.
        }
      });
      afterEach(async () => {
        for (const stop of it.stops.splice(0).reverse()) await stop();
      });

      tests(it);
    });
  }
}
