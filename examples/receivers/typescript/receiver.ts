// A receiver of FASTCore's webhooks: verifies, drops what it has, prints the rest.
//
// WEBHOOK_KEY=whsec_... node dist/receiver.js [PORT]     a shared secret, by Standard Webhooks' own library
// WEBHOOK_KEY=whpk_... node dist/receiver.js [PORT]      a public key (ed25519), by node:crypto

import { createPublicKey, verify as verifyEd25519 } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";

const LONGEST = 1 << 20;
const TOLERANCE_SECONDS = 5 * 60;

type Verify = (body: string, headers: Record<string, string>) => void;

function shared(secret: string): Verify {
  const webhook = new Webhook(secret);
  return (body, headers) => void webhook.verify(body, headers);
}

/** What the library cannot: `v1a` signatures. */
function publicKey(key: string): Verify {
  const x = Buffer.from(key.slice("whpk_".length), "base64").toString("base64url");
  const imported = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  return (body, headers) => {
    const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures } = headers;
    if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= TOLERANCE_SECONDS)) throw new Error("too old");
    const signed = Buffer.from(`${id}.${timestamp}.${body}`);
    const fits = (signatures ?? "").split(" ").some((signature) => {
      const [version, value] = signature.split(",");
      return version === "v1a" && verifyEd25519(null, signed, imported, Buffer.from(value ?? "", "base64"));
    });
    if (!fits) throw new Error("no signature fits");
  };
}

async function read(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > LONGEST) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function single(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

const key = process.env.WEBHOOK_KEY ?? "";
const verify = key.startsWith("whpk_") ? publicKey(key) : shared(key);
// A real receiver keeps these in its database, in the transaction that does what the event asks for.
const seen = new Set<string>();

async function receive(request: IncomingMessage): Promise<number> {
  const body = await read(request);
  if (body === undefined) return 413;
  const headers = single(request.headers);
  try {
    verify(body, headers);
  } catch {
    return 401;
  }
  const id = headers["webhook-id"] ?? "";
  if (!seen.has(id)) {
    console.log(JSON.stringify({ id, ...JSON.parse(body) }));
    seen.add(id);
  }
  return 204;
}

const server = createServer((request, response) => {
  receive(request).then(
    (status) => response.writeHead(status, status === 413 ? { connection: "close" } : {}).end(),
    // Whoever sent it went away in the middle of it.
    () => response.destroy(),
  );
});
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  console.error(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});
