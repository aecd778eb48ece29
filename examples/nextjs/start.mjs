// Starts the built site. Next.js believes whatever a client says in X-Forwarded-For; without a proxy in front nobody else may say it.
import http from 'node:http';

if (Number(process.env.FASTCORE_PROXY_HOPS ?? 0) === 0) {
  const { createServer } = http;
  http.createServer = (...settings) =>
    createServer(...settings).prependListener('request', ({ headers, socket }) => {
      headers['x-forwarded-for'] = socket.remoteAddress ?? '';
    });
}
await import('./.next/standalone/server.js');
