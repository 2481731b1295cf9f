// What the session page says of disconnects and changes.
import { expect, it } from 'vitest';
import { changeAnswer, endWords, plainDetail } from '../../ui/admin/parts/session-words.ts';

it.each([
  ['expired: The router agreed.', 'The plan’s time is over.'],
  ['suspended', 'The subscriber was suspended.'],
  [
    'plan_lowered: The router refused (Session-Context-Not-Found).',
    'The plan was made slower. The router refused (it does not know this session).',
  ],
  [
    'suspended: The router did not answer. It was removed through the API.',
    'The subscriber was suspended. The router did not answer. It was removed through the API.',
  ],
  ['Disconnected by Wanjiru: The router agreed.', 'Disconnected by Wanjiru: The router agreed.'],
  ['constructor: The router refused (toString).', 'constructor: The router refused (toString).'],
  [null, ''],
])('%s reads %s', (detail, words) => {
  expect(plainDetail(detail)).toBe(words);
});

it('a session that was never changed says nothing of it', () => {
  expect(changeAnswer({ change_state: null })).toBeUndefined();
  expect(changeAnswer({ change_state: 'timeout' })).toContain('did not answer');
});

it.each([
  ['User-Request', 'signed out'],
  ['NAS-Request', 'data was used up'],
  ['cause 99', 'cause 99'],
  ['constructor', 'constructor'],
  [null, 'closed'],
])('a session that ended by %s is %s', (cause, words) => {
  expect(endWords(cause)).toBe(words);
});
