// Runs oauth2-mock-server with Clever's paths.
//
// The server validates the form of both requests, but accepts any client secret and any code. The
// hooks below refuse wrong client secrets and used codes.

import { Events, OAuth2Issuer, OAuth2Service } from 'oauth2-mock-server';

import { claims, clientId, clientSecret, redirectUri, serve } from './serve.mjs';

const basic = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;
const unused = new Set();

serve(async (url) => {
  const issuer = new OAuth2Issuer();
  issuer.url = url;
  await issuer.keys.generate('RS256');
  const service = new OAuth2Service(issuer, {
    authorize: '/oauth/authorize',
    token: '/oauth/tokens',
    introspect: '/oauth/introspect',
  });
  service.on(Events.BeforeTokenSigning, (token) => {
    Object.assign(token.payload, claims);
  });
  service.on(Events.BeforeAuthorizeRedirect, (redirect) => {
    unused.add(redirect.url.searchParams.get('code'));
  });
  service.on(Events.BeforeResponse, (response, request) => {
    const refusal = refuse(request);
    if (refusal) {
      Object.assign(response, refusal);
    }
  });
  return service.requestHandler;
});

function refuse({ headers, body }) {
  if (headers.authorization !== basic) {
    return { statusCode: 401, body: { error: 'invalid_client' } };
  }
  if (body.redirect_uri !== redirectUri || !unused.delete(body.code)) {
    return { statusCode: 400, body: { error: 'invalid_grant' } };
  }
  return undefined;
}
