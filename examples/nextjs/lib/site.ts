import { join } from 'node:path';
import { Client } from './fastcore/client';
import { Pepper } from './fastcore/pseudonym';
import { SpoolKeys } from './fastcore/seal';
import { Spool } from './fastcore/spool';
import { Limiter } from './limiter';

export interface Site {
  client: Client;
  pepper: Pepper;
  limiter: Limiter;
  source: string;
  /** Proxies in front, each of which adds to `X-Forwarded-For`. */
  proxyHops: number;
  minFillMs: number;
}

function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

async function make(): Promise<Site> {
  const state = process.env.FASTCORE_SITE_STATE;
  const keys = process.env.FASTCORE_SITE_SPOOL_KEYS;
  // Without a disk, as on serverless platforms, there is no spool: a visitor is thanked once FASTCore has the lead.
  const spool = state ? new Spool(join(state, 'spool'), keys ? SpoolKeys.fromFile(keys) : undefined) : undefined;
  await spool?.start();
  const client = new Client({
    baseUrl: setting('FASTCORE_BASE_URL'),
    token: setting('FASTCORE_SITE_INGEST_TOKEN'),
    ...(spool ? { spool } : {}),
  });
  return {
    client,
    pepper: new Pepper(setting('FASTCORE_IP_PEPPER')),
    limiter: new Limiter(Number(process.env.FASTCORE_SITE_POSTS_PER_MINUTE ?? 10)),
    source: process.env.FASTCORE_SITE_SOURCE ?? 'fast-techservices.com',
    proxyHops: Number(process.env.FASTCORE_PROXY_HOPS ?? 0),
    minFillMs: Number(process.env.FASTCORE_SITE_MIN_FILL_MS ?? 3000),
  };
}

// Next.js loads modules more than once; the process has one site.
const global_ = globalThis as { fastcoreSite?: Promise<Site> };

export function site(): Promise<Site> {
  global_.fastcoreSite ??= make();
  return global_.fastcoreSite;
}
