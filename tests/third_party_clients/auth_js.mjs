// Auth.js (@auth/core), with Clever as an OpenID Connect provider as its documents describe one.

import { Auth, skipCSRFCheck } from '@auth/core';

export async function authJs({ cleverUrl, clientId, clientSecret, redirectUri }) {
  const site = new URL(redirectUri).origin;
  let problem = '';
  const config = {
    basePath: '/auth',
    logger: { error: (error) => (problem ||= describe(error)), warn: () => {} },
    providers: [
      {
        id: 'clever',
        name: 'Clever',
        type: 'oidc',
        issuer: cleverUrl,
        clientId,
        clientSecret,
        checks: ['state', 'nonce'],
        profile: (claims) => ({ id: claims.sub, name: claims.given_name }),
      },
    ],
    secret: 'a secret of this test',
    skipCSRFCheck,
    trustHost: true,
    callbacks: {
      // Without a database, the account's ID at Clever is known only right after the login.
      jwt: ({ token, account }) => ({ ...token, ...(account && { id: account.providerAccountId }) }),
      session: ({ session, token }) => ({ ...session, id: token.id }),
    },
  };
  const cookies = new Map();
  const send = async (path, init = {}) => {
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ');
    const request = new Request(new URL(path, site), { ...init, headers: { ...init.headers, cookie } });
    const response = await Auth(request, config);
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    return response;
  };
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const started = await send('/auth/signin/clever', { method: 'POST', headers: form, body: '' });
  const finish = async (returned) => {
    await send(returned);
    const session = await (await send('/auth/session')).json();
    if (!session?.user) {
      throw new Error(problem || 'there is no session');
    }
    return { id: session.id, first: session.user.name };
  };
  return { url: started.headers.get('location'), finish };
}

function describe(error) {
  const cause = error.cause?.err ?? error;
  return [cause.name, cause.message].join(': ');
}
