// openid-client 6, as in its own example: discovery, a state and a nonce, and the ID token's claims.

import * as client from 'openid-client';

export async function openidClient({ cleverUrl, clientId, clientSecret, redirectUri }) {
  const config = await client.discovery(
    new URL(cleverUrl),
    clientId,
    undefined,
    client.ClientSecretBasic(clientSecret),
    { execute: [client.allowInsecureRequests] }, // the simulator has no certificate
  );
  const expected = { expectedState: client.randomState(), expectedNonce: client.randomNonce() };
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: 'openid',
    state: expected.expectedState,
    nonce: expected.expectedNonce,
  });
  const finish = async (returned) => {
    const tokens = await client.authorizationCodeGrant(config, new URL(returned), expected);
    const { sub, given_name: first } = tokens.claims();
    return { id: sub, first };
  };
  return { url: url.href, finish };
}
