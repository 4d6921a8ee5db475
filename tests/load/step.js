// From a quarter of RATE up to RATE, a quarter more each fourth of DURATION: where it breaks, and at which rate.

import { RATE, SECONDS, SUMMARY, act, eraseUsers, makeUsers, thresholds } from './api.js';

const STEPS = 4;
const length = Math.max(1, Math.floor(SECONDS / STEPS));
const steps = [1, 2, 3, 4].map((step) => ({ name: `step_${step}`, rate: Math.ceil((RATE * step) / STEPS), start: (step - 1) * length }));

export const options = {
  ...SUMMARY,
  scenarios: Object.fromEntries(
    steps.map(({ name, rate, start }) => [
      name,
      {
        executor: 'constant-arrival-rate',
        rate,
        timeUnit: '1s',
        startTime: `${start}s`,
        duration: `${length}s`,
        preAllocatedVUs: Math.ceil(rate / 4),
        maxVUs: rate,
      },
    ]),
  ),
  thresholds: Object.assign({}, ...steps.map(({ name }) => thresholds(name))),
};

export const setup = () => makeUsers();
export const teardown = eraseUsers;
export default act;
