// RATE requests a second for DURATION: four reads to a write, of USERS signed-in users.

import { RATE, SECONDS, SUMMARY, act, eraseUsers, makeUsers, thresholds } from './api.js';

export const options = {
  ...SUMMARY,
  scenarios: {
    steady: {
      executor: 'constant-arrival-rate',
      rate: RATE,
      timeUnit: '1s',
      duration: `${SECONDS}s`,
      preAllocatedVUs: Math.ceil(RATE / 4),
      maxVUs: RATE,
    },
  },
  thresholds: thresholds('steady'),
};

export const setup = () => makeUsers();
export const teardown = eraseUsers;
export default act;
