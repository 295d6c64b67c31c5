// passport-clever, without Express: its strategy needs only a request and four functions.
//
// Its addresses of Clever's API are constants, so requests to that host go to the simulator.

import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export async function passportClever({ cleverUrl, clientId, clientSecret, redirectUri }) {
  const { hostname, port } = new URL(cleverUrl);
  const toSimulator = { protocol: 'http:', hostname, host: hostname, port, agent: undefined };
  https.request = (options, done) => http.request({ ...options, ...toSimulator }, done);
  const { Strategy } = require('passport-clever');
  const strategy = new Strategy(
    {
      clientID: clientId,
      clientSecret,
      callbackURL: redirectUri,
      authorizationURL: `${cleverUrl}/oauth/authorize`,
      tokenURL: `${cleverUrl}/oauth/tokens`,
    },
    (_access, _refresh, profile, done) => done(null, profile),
  );
  const { redirected } = await authenticate(strategy, {});
  const finish = async (returned) => {
    const query = Object.fromEntries(new URL(returned).searchParams);
    const { user } = await authenticate(strategy, query);
    return { id: user.id, first: user.name.first };
  };
  return { url: redirected, finish };
}

function authenticate(strategy, query) {
  return new Promise((resolve, reject) => {
    const outcome = Object.create(strategy);
    outcome.redirect = (url) => resolve({ redirected: url });
    outcome.success = (user) => resolve({ user });
    outcome.fail = (challenge) => reject(new Error(JSON.stringify(challenge)));
    outcome.error = reject;
    process.once('uncaughtException', reject);
    outcome.authenticate({ query, headers: {} }, {});
  });
}
