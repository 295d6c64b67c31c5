// The arguments of both servers, and how they listen: on a free port, on loopback only.

import { createServer } from 'node:http';

export const [clientId, clientSecret, redirectUri, person = '{}'] = process.argv.slice(2);

/** The claims of the user who logs in: `sub`, and any others from Clever's id tokens. */
export const claims = { sub: 'somebody', ...JSON.parse(person) };

/**
 * Listen first, and then create the handler, because an issuer has to know its own URL.
 *
 * Prints `listening at URL`, and then the method and path of each request, one per line. The query
 * is never printed, because it has the code.
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
