// A burst of wrong log-ins from one address, with the server's own limits: the first few are looked at (401), all others
// refused (429) and told when to come again, and no password is hashed for them. It makes no user.

import { check } from 'k6';
import { Counter } from 'k6/metrics';
import http from 'k6/http';
import { P99_MS, RATE, SECONDS, SUMMARY, logIn } from './api.js';

// RateLimitAuthMax of the template.
const LIMIT = 5;
const looked = new Counter('answered_401');
const refused = new Counter('answered_429');

export const options = {
  ...SUMMARY,
  scenarios: {
    burst: {
      executor: 'constant-arrival-rate',
      rate: RATE,
      timeUnit: '1s',
      duration: `${SECONDS}s`,
      preAllocatedVUs: Math.ceil(RATE / 4),
      maxVUs: RATE,
    },
  },
  thresholds: {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    answered_429: ['count>0'],
    answered_401: [`count<=${LIMIT}`],
    'http_req_duration{status:429}': [`p(99)<${P99_MS}`],
  },
};

const expected = { responseCallback: http.expectedStatuses(401, 429) };

export default function burst() {
  const answer = logIn('nobody-of-the-load-test@example.com', expected);
  check(answer, {
    'looked at or refused': (it) => it.status === 401 || it.status === 429,
    'a refusal says when to come again': (it) => it.status !== 429 || Number(it.headers['Retry-After']) > 0,
  });
  (answer.status === 429 ? refused : looked).add(1);
}
