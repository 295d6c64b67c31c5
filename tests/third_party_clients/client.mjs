// Logs one user in with a client of Clever that nobody here wrote, or reads data with one.
//
// `node client.mjs NAME CLEVER_URL CLIENT_ID CLIENT_SECRET REDIRECT_URI` prints the URL to which the
// client sends the browser, reads from a line of its input the URL with which the browser returns,
// and prints what the client knows about the user, or its error, as JSON.
// `node client.mjs clever CLEVER_URL TOKEN` prints the number of students and their first names.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

import { authJs } from './auth_js.mjs';
import { openidClient } from './openid_client.mjs';
import { passportClever } from './passport_clever.mjs';

const require = createRequire(import.meta.url);
const LOGINS = {
  'openid-client': openidClient,
  'auth.js': authJs,
  'passport-clever': passportClever,
  'passport-clever+base64': withBase64,
};
const [name, cleverUrl, ...options] = process.argv.slice(2);

try {
  print(name === 'clever' ? await readStudents(...options) : await logIn(...options));
} catch (error) {
  print({ error: [error.name, error.message, error.cause?.message].filter(Boolean).join(': ') });
}
process.exit();

async function logIn(clientId, clientSecret, redirectUri) {
  const login = await LOGINS[name]({ cleverUrl, clientId, clientSecret, redirectUri });
  console.log(login.url);
  const [returned] = await new Promise((resolve) => {
    createInterface({ input: process.stdin }).once('line', (line) => resolve([line]));
  });
  return { user: await login.finish(returned) };
}

/** The strategy uses a global name that it does not load; an app can define it. */
function withBase64(options) {
  globalThis.Base64 = require('js-base64').Base64;
  return passportClever(options);
}

function readStudents(token) {
  const clever = require('clever')({ token }, cleverUrl);
  return new Promise((resolve, reject) => {
    clever.Student.find().exec((error, students) => {
      if (error) {
        reject(error);
      } else {
        resolve({ students: students.map((student) => student.get('name.first')) });
      }
    });
  });
}

function print(result) {
  console.log(JSON.stringify(result));
}
