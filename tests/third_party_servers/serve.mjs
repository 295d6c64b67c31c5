// What both servers are started with, and how each listens: on a free port of this machine alone.

import { createServer } from 'node:http';

export const [clientId, clientSecret, redirectUri, person = '{}'] = process.argv.slice(2);

/** Who logs in, as Clever's id tokens tell it: `sub`, and what else there is. */
export const claims = { sub: 'somebody', ...JSON.parse(person) };

/**
 * Listen, and only then make the handler: an issuer has to know its own address.
 *
 * Says `listening at URL`, and then of each request its method and path, one a line. Never its
 * query, which has the code.
 */
export function serve(makeHandler) {
  const server = createServer();
  server.listen(0, '127.0.0.1', async () => {
    const url = `http://127.0.0.1:${server.address().port}`;
    const handler = await makeHandler(url);
    server.on('request', (request, response) => {
      console.log(request.method, request.url.split('?')[0]);
      handler(request, response);
    });
    console.log('listening at', url);
  });
}
