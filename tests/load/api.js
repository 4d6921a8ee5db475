// What the load scripts share: where the API is, users of their own, the mix of requests.
//
// Must never load another machine unless it is named twice, run longer than a token lives, nor touch a user that it did
// not make: each run registers its own, and erases them at its end.

import { check, fail } from 'k6';
import http from 'k6/http';
import exec from 'k6/execution';

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];
// An access token lives 15 minutes; setting up and erasing need some of them.
const LONGEST_S = 600;
const PASSWORD = 'load test password, of nobody';
const JSON_TYPE = { 'content-type': 'application/json' };

export const BASE = base(__ENV.BASE || 'http://127.0.0.1:3000');
export const RATE = whole('RATE', 100, 1, 10000);
export const SECONDS = seconds(__ENV.DURATION || '60s');
export const P99_MS = whole('P99_MS', 300, 1, 30000);
const USERS = whole('USERS', 20, 1, 1000);
const API = `${BASE}/api/v1`;

function base(url) {
  const host = /^https?:\/\/(\[[0-9a-f:]+\]|[^/:@]+)(:\d+)?$/.exec(url);
  if (host === null) {
    throw new Error(`BASE must be http://HOST:PORT or https://HOST, without a path: ${url}`);
  }
  if (!LOOPBACK.includes(host[1]) && __ENV.ELSEWHERE !== host[1]) {
    throw new Error(`${host[1]} is another machine. If it is yours and meant for this, say so: ELSEWHERE=${host[1]}`);
  }
  return url;
}

function whole(name, otherwise, least, most) {
  const value = Number(__ENV[name] || otherwise);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Error(`${name} is a whole number from ${least} to ${most}`);
  }
  return value;
}

function seconds(text) {
  const parts = /^(\d+)(s|m)$/.exec(text);
  const value = parts === null ? 0 : Number(parts[1]) * (parts[2] === 'm' ? 60 : 1);
  if (value < 1 || value > LONGEST_S) {
    throw new Error(`DURATION is a time as 30s or 5m, of ${LONGEST_S} s at most`);
  }
  return value;
}

// Names without ids: one line of the summary for each route.
function ask(method, route, body, token, more = {}, path = route) {
  const headers = { ...JSON_TYPE, ...more.headers };
  if (token !== undefined) {
    headers.authorization = `Bearer ${token}`;
  }
  const data = body === null ? null : JSON.stringify(body);
  return http.request(method, `${API}${path}`, data, { ...more, headers, tags: { name: `${method} ${route}` } });
}

export function logIn(email, more) {
  return ask('POST', '/auth/login', { email, password: PASSWORD }, undefined, more);
}

function day(back) {
  return new Date(Date.now() - back * 86400000).toISOString().slice(0, 10);
}

function expense(back) {
  const cents = String(1 + Math.floor(Math.random() * 9999)).padStart(3, '0');
  const amount = `${cents.slice(0, -2)}.${cents.slice(-2)}`;
  return { type: 'expense', amount, date: day(back), description: 'Load test' };
}

function owe(answer, status, what) {
  if (answer.status === 429) {
    fail(`${what} was refused by the rate limit: the server needs RATE_LIMIT_AUTH_MAX and RATE_LIMIT_GENERAL_MAX of 100000000`);
  }
  if (answer.status !== status) {
    fail(`${what} was answered ${answer.status}, and ${status} is owed`);
  }
  return answer;
}

// What making users may take: of the 15 minutes of the first one's token what the run leaves, and two for erasing them. k6's own
// limit comes later, so that those that were made are erased.
const SETUP_S = Math.min(900 - SECONDS - 120, 480);
const SETUP_TIMEOUT = '10m';

// Users with a little history, each signed in: their access tokens.
export function makeUsers(rows = 30) {
  const until = Date.now() + SETUP_S * 1000;
  const run = `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`;
  const tokens = [];
  try {
    for (let number = 0; number < USERS; number += 1) {
      const email = `load-${run}-${number}@example.com`;
      if (Date.now() > until) {
        fail(`${number} users were made in ${SETUP_S} s, and USERS is ${USERS}: take fewer`);
      }
      const registered = owe(ask('POST', '/auth/register', { email, password: PASSWORD }), 201, 'a registration');
      tokens.push(registered.json('tokens.accessToken'));
      const token = owe(logIn(email), 200, 'a log-in').json('tokens.accessToken');
      tokens[number] = token;
      for (let row = 0; row < rows; row += 1) {
        owe(ask('POST', '/transactions', expense(row * 6), token), 201, 'a transaction');
      }
    }
  } catch (error) {
    // k6 calls no teardown after a setup that failed.
    tokens.forEach(erase);
    throw error;
  }
  return tokens;
}

function erase(token) {
  return ask('DELETE', '/auth/me', { password: PASSWORD }, token);
}

// Only those that it has made: they are gone afterwards, with all that they had.
export function eraseUsers(tokens) {
  tokens.map(erase).forEach((answer) => owe(answer, 204, 'an erasure'));
}

function read(route, token, query = '') {
  const answer = ask('GET', route, null, token, {}, `${route}${query}`);
  check(answer, { 'reads are 200': (it) => it.status === 200 });
}

function write(token) {
  const key = `${exec.vu.idInTest}-${exec.vu.iterationInScenario}-${Date.now()}`;
  const answer = ask('POST', '/transactions', expense(Math.floor(Math.random() * 180)), token, {
    headers: { 'idempotency-key': key },
  });
  check(answer, { 'writes are 201': (it) => it.status === 201 });
}

// What a person does: looks at the list most of the time, writes every fifth time.
export function act(tokens) {
  const token = tokens[Math.floor(Math.random() * tokens.length)];
  const chance = Math.random() * 100;
  if (chance < 20) {
    write(token);
  } else if (chance < 60) {
    read('/transactions', token, '?limit=50');
  } else if (chance < 75) {
    read('/accounts', token);
  } else if (chance < 85) {
    read('/categories', token);
  } else if (chance < 92) {
    read('/transactions/summary', token, `?from=${day(90)}&to=${day(0)}`);
  } else if (chance < 97) {
    read('/financial-health', token);
  } else {
    read('/auth/me', token);
  }
}

// Of the requests of one scenario: those that set up and erase do not count.
export function thresholds(scenario) {
  const of = `{scenario:${scenario}}`;
  return {
    [`http_req_failed${of}`]: ['rate<0.001'],
    [`http_req_duration${of}`]: [`p(99)<${P99_MS}`],
    [`checks${of}`]: ['rate>0.999'],
    [`dropped_iterations${of}`]: [`count<${Math.ceil(RATE * SECONDS * 0.001) + 1}`],
  };
}

export const SUMMARY = { summaryTrendStats: ['med', 'p(95)', 'p(99)', 'max'], setupTimeout: SETUP_TIMEOUT, teardownTimeout: '5m' };
