// Runs oidc-provider, a certified server with the app as its only client. It validates everything.
//
// It uses Clever's paths, so nothing stands between the app and the server. PKCE is not required,
// because Clever has none.
//
// This file adds a default scope. The app requests no scope, as Clever expects, and this server
// then grants nothing. RFC 6749, section 3.3 allows a default value, which is `openid` here.

import Provider from 'oidc-provider';

import { claims, clientId, clientSecret, redirectUri, serve } from './serve.mjs';

const AUTHORIZE = '/oauth/authorize';
const INTERACTION = '/interaction/';
const DEFAULT_SCOPE = 'openid';

serve((url) => {
  const provider = new Provider(url, {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        token_endpoint_auth_method: 'client_secret_basic',
        grant_types: ['authorization_code'],
        response_types: ['code'],
        redirect_uris: [redirectUri],
      },
    ],
    routes: {
      authorization: AUTHORIZE,
      token: '/oauth/tokens',
      introspection: '/oauth/introspect',
    },
    features: { devInteractions: { enabled: false }, introspection: { enabled: true } },
    interactions: { url: (_, interaction) => INTERACTION + interaction.uid },
    allowOmittingSingleRegisteredRedirectUri: false,
    pkce: { required: () => false },
    // Clever's claims in an id token, in addition to the standard ones.
    claims: { openid: Object.keys(claims) },
    conformIdTokenClaims: false,
    findAccount: (_, accountId) => ({ accountId, claims: () => claims }),
    cookies: { keys: ['a key of this test'] },
  });
  const handler = provider.callback();
  return (request, response) => {
    if (request.url.startsWith(INTERACTION)) {
      return answerForThePerson(provider, request, response);
    }
    request.url = withScope(request.url);
    return handler(request, response);
  };
});

function withScope(path) {
  const asksForNone = path.startsWith(`${AUTHORIZE}?`) && !/[?&]scope=/.test(path);
  return asksForNone ? `${path}&scope=${DEFAULT_SCOPE}` : path;
}

/** Log in and consent immediately, or deny the request if there is a cookie `says=no`. */
async function answerForThePerson(provider, request, response) {
  const { params } = await provider.interactionDetails(request, response);
  if ((request.headers.cookie ?? '').includes('says=no')) {
    await provider.interactionFinished(request, response, { error: 'access_denied' });
    return;
  }
  const person = { accountId: claims.sub, clientId: params.client_id };
  const grant = new provider.Grant(person);
  grant.addOIDCScope(DEFAULT_SCOPE);
  const consent = { grantId: await grant.save() };
  const result = { login: { accountId: person.accountId }, consent };
  await provider.interactionFinished(request, response, result);
}
