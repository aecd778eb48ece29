// A proxy between a browser and the site that changes the page's script on its way: what an old browser does not have, or a blocked
// script. It works alike in every engine.
import { createServer, request } from 'node:http';

/** `change` gets the script's text; what it returns is sent in its place, nothing is "not found". */
export async function between(site, change) {
  const { hostname, port } = new URL(site);
  let calls = 0;
  const server = createServer((incoming, outgoing) => {
    const { method, url: path, headers } = incoming;
    const isScript = path.startsWith('/assets/site.js');
    const onward = request({ hostname, port, method, path, headers }, (answer) => {
      if (!isScript) {
        outgoing.writeHead(answer.statusCode, answer.headers);
        answer.pipe(outgoing);
        return;
      }
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part) => (text += part));
      answer.on('end', () => {
        calls += 1;
        const changed = change(text);
        const { 'content-length': _, ...others } = answer.headers;
        outgoing.writeHead(changed === undefined ? 404 : answer.statusCode, others);
        outgoing.end(changed);
      });
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    /** How often the script was asked for. */
    calls: () => calls,
    url: `http://127.0.0.1:${server.address().port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
