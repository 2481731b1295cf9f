// What arrives together is committed together, and fails together only when the disk is at fault.
import { expect, test } from 'vitest';
import { createGroupCommit } from '../../../src/servers/radius/group-commit.ts';

const outcomes = (waiting: Promise<void>[]) =>
  Promise.allSettled(waiting).then((all) => all.map(({ status }) => status));

test('one item that the store refuses does not keep the others from the disk', async () => {
  const tried: number[][] = [];
  const group = createGroupCommit<number>(async (items) => {
    tried.push(items);
    if (items.includes(2)) throw new Error('not this one');
  });
  expect(await outcomes([1, 2, 3].map((item) => group.add(item)))).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
  ]);
  expect(tried).toEqual([[1, 2, 3], [1], [2], [3]]);
});

test('a group that the disk refuses is not tried one by one, and the next group is tried anew', async () => {
  const tried: number[][] = [];
  let full = true;
  const group = createGroupCommit<number>(async (items) => {
    tried.push(items);
    if (full) throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
  });
  expect(await outcomes([1, 2, 3].map((item) => group.add(item)))).toEqual(Array(3).fill('rejected'));
  full = false;
  expect(await outcomes([1, 2, 3].map((item) => group.add(item)))).toEqual(Array(3).fill('fulfilled'));
  expect(tried).toEqual([
    [1, 2, 3],
    [1, 2, 3],
  ]);
});
