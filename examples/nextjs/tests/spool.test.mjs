// A site in Rust and one in TypeScript on one spool: each delivers what the other kept.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { World, filled, post, ticketIn, until } from './world.mjs';

const KEY = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff';
/** In the short form; KILLS=100 makes it a long one. */
const KILLS = Number(process.env.KILLS ?? 8);

async function inWorld(work, isSealed = false) {
  const world = await World.make();
  if (isSealed) {
    const keys = join(world.folder, 'keys');
    writeFileSync(keys, KEY);
    world.env.FASTCORE_SITE_SPOOL_KEYS = keys;
  }
  try {
    await work(world);
  } finally {
    await world.end();
  }
}

const SITES = [
  ['Rust', 'TypeScript', (world) => world.rustSite(), (world) => world.nextSite()],
  ['TypeScript', 'Rust', (world) => world.nextSite(), (world) => world.rustSite()],
];

for (const isSealed of [false, true]) {
  for (const [writer, reader, write, read] of SITES) {
    test(`what ${writer} kept, ${reader} delivers${isSealed ? ', encrypted' : ''}`, () =>
      inWorld(async (world) => {
        const first = await write(world);
        const ticket = ticketIn(await (await fetch(first.url)).text());
        for (let number = 0; number < 5; number += 1) {
          assert.equal((await post(first, filled(ticket, `Un message d’avant, le numéro ${number} de tous.`))).status, 202);
        }
        const files = world.waiting();
        assert.equal(files.length, 5);
        for (const file of files) {
          const bytes = readFileSync(join(world.env.FASTCORE_SITE_STATE, 'spool', file));
          assert.equal(bytes.includes('jean@example.com'), !isSealed, file);
        }
        await first.kill();
        await world.fastcore();
        await read(world);
        await until('all are delivered', () => world.waiting().length === 0);
        const leads = world.leads();
        assert.equal(leads.length, 5);
        assert.equal(new Set(leads.map(({ message }) => message)).size, 5);
      }, isSealed));
  }
}

test(`two sites on one spool, killed in turns ${KILLS} times: each lead once`, () =>
  inWorld(async (world) => {
    const starts = [() => world.rustSite(), () => world.nextSite()];
    const sites = [await starts[0](), await starts[1]()];
    const ticket = ticketIn(await (await fetch(sites[0].url)).text());
    const confirmed = new Set();
    let number = 0;
    let isOver = false;
    const visit = async (which) => {
      while (!isOver) {
        const message = `Un message pendant la panne, le numéro ${(number += 1)}.`;
        for (;;) {
          // Whichever site runs: a form that was sent to one may be sent to the other.
          const answer = await post(sites[which], filled(ticket, message)).catch(() => undefined);
          if (answer?.status === 202) break;
          assert.ok(answer === undefined, `status ${answer?.status}`);
          which = 1 - which;
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        confirmed.add(message);
        // As many as are delivered within the patience of a test, however long the run is.
        await new Promise((resolve) => setTimeout(resolve, 5 * KILLS));
      }
    };
    const visitors = [visit(0), visit(1), visit(0)];
    for (let kill = 0; kill < KILLS; kill += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      const which = kill % 2;
      await sites[which].kill();
      sites[which] = await starts[which]();
    }
    isOver = true;
    await Promise.all(visitors);
    assert.ok(confirmed.size > KILLS && world.waiting().length >= confirmed.size);
    await world.fastcore();
    await until('all are delivered', () => world.waiting().length === 0);
    const messages = world.leads().map(({ message }) => message);
    assert.equal(messages.length, new Set(messages).size, 'none is doubled');
    assert.deepEqual([...confirmed].filter((message) => !messages.includes(message)), [], 'none is lost');
    assert.equal(messages.length, confirmed.size);
  }));
