// Accounts, logins and the audit: who may in, what is kept of it.
import { describe, expect, it } from 'vitest';
import {
  createAccount,
  createFirstAccount,
  findAccountByEmail,
  getAccount,
  hasAccounts,
  updateAccount,
} from '../../src/operators/accounts.ts';
import { audit, listAudit } from '../../src/operators/audit.ts';
import { readBusiness, updateBusiness } from '../../src/operators/business.ts';
import {
  closeLogin,
  findLogin,
  forgetLogins,
  LOGIN_LIFETIME_MS,
  logIn,
  openLogin,
} from '../../src/operators/logins.ts';
import { hashPassword, verifyPassword } from '../../src/operators/passwords.ts';
import { NOW } from '../access/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';

const PASSWORD = 'correct horse';
const FROM = { address: '10.0.0.9', agent: 'x'.repeat(500) };

describe('a password', () => {
  it('is kept as argon2id of its own salt, and never as itself', async () => {
    const [one, two] = [await hashPassword(PASSWORD), await hashPassword(PASSWORD)];
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(one).not.toBe(two);
    expect(await verifyPassword(PASSWORD, one)).toBe(true);
    expect(await verifyPassword(`${PASSWORD} `, one)).toBe(false);
    expect(await verifyPassword('', one)).toBe(false);
  });

  it.each([
    // The same password hashed by hash-wasm on Node and by Bun: a store moves between the two.
    ['$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$'],
  ])('of either runtime has one form: %s…', async (start) => {
    const { argon2id } = await import('hash-wasm');
    const options = {
      salt: Buffer.from('saltsaltsaltsalt'),
      parallelism: 1,
      iterations: 2,
      memorySize: 19_456,
      hashLength: 32,
    };
    const hash = await argon2id({ password: PASSWORD, ...options, outputType: 'encoded' });
    expect(hash.startsWith(start)).toBe(true);
    expect(await verifyPassword(PASSWORD, hash)).toBe(true);
    expect(await verifyPassword('wrong', hash)).toBe(false);
  });
});

onEveryStore('accounts', (store) => {
  const owner = (email = 'owner@example.com') =>
    createAccount(store(), { email, name: 'Owner', role: 'owner', password: PASSWORD }, NOW);

  it('begin with one owner, also when two are set up at once', async () => {
    expect(await hasAccounts(store())).toBe(false);
    const made = await Promise.allSettled(
      ['a', 'b', 'c'].map((n) =>
        createFirstAccount(store(), { email: `${n}@x.co`, name: n, password: PASSWORD }, NOW),
      ),
    );
    expect(made.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
    expect(await store().selectFrom('accounts').select('role').execute()).toEqual([{ role: 'owner' }]);
  });

  it('made on the command line are the first as well', async () => {
    await owner();
    await expect(
      createFirstAccount(store(), { email: 'b@x.co', name: 'b', password: PASSWORD }, NOW),
    ).rejects.toMatchObject({ code: 'conflict' });
  });

  it('are one for each address, however it is written', async () => {
    await owner(' Owner@Example.com ');
    await expect(owner('OWNER@example.COM')).rejects.toMatchObject({
      code: 'conflict',
      fields: { email: expect.any(String) },
    });
    expect(await findAccountByEmail(store(), ' owner@EXAMPLE.com')).toMatchObject({
      email: 'owner@example.com',
    });
    await expect(
      createAccount(store(), { email: 'c@x.co', name: 'C', role: 'cashier', password: 'short' }, NOW),
    ).rejects.toMatchObject({ code: 'invalid' });
  });

  it('keep one active owner, whoever is changed and also when two step down at once', async () => {
    const one = await owner('one@x.co');
    await expect(updateAccount(store(), one.id, { role: 'admin' }, NOW)).rejects.toMatchObject({
      code: 'conflict',
    });
    await expect(updateAccount(store(), one.id, { state: 'disabled' }, NOW)).rejects.toMatchObject({
      code: 'conflict',
    });
    const two = await owner('two@x.co');
    const both = await Promise.allSettled(
      [one, two].map(({ id }) => updateAccount(store(), id, { role: 'admin' }, NOW)),
    );
    expect(both.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected']);
    const owners = await store().selectFrom('accounts').select('id').where('role', '=', 'owner').execute();
    expect(owners).toHaveLength(1);
  });

  it('that are disabled, or get a new password, lose every login', async () => {
    await owner();
    const cashier = await createAccount(
      store(),
      { email: 'c@x.co', name: 'C', role: 'cashier', password: PASSWORD },
      NOW,
    );
    const tokens = [
      await openLogin(store(), cashier, FROM, NOW),
      await openLogin(store(), cashier, FROM, NOW),
    ];
    await updateAccount(store(), cashier.id, { name: 'Renamed' }, NOW);
    expect(await findLogin(store(), tokens[0] as string, NOW)).toMatchObject({ name: 'Renamed' });
    await updateAccount(store(), cashier.id, { password: 'another good one' }, NOW);
    for (const token of tokens) expect(await findLogin(store(), token, NOW)).toBeUndefined();
    const fresh = await openLogin(store(), cashier, FROM, NOW);
    await updateAccount(store(), cashier.id, { state: 'disabled' }, NOW);
    await updateAccount(store(), cashier.id, { state: 'active' }, NOW);
    expect(await findLogin(store(), fresh, NOW)).toBeUndefined();
  });
});

onEveryStore('logins', (store) => {
  const account = () =>
    createAccount(store(), { email: 'a@x.co', name: 'A', role: 'owner', password: PASSWORD }, NOW);

  it('are found by their token until they are over or closed, and only the hash is kept', async () => {
    const { id } = await account();
    const { token } = await logIn(store(), 'A@x.co', PASSWORD, FROM, NOW);
    expect(await findLogin(store(), token, NOW + LOGIN_LIFETIME_MS - 1)).toMatchObject({ id });
    expect(await findLogin(store(), token, NOW + LOGIN_LIFETIME_MS)).toBeUndefined();
    expect(await findLogin(store(), token.slice(1), NOW)).toBeUndefined();
    const [row] = await store().selectFrom('logins').selectAll().execute();
    expect(JSON.stringify(row)).not.toContain(token);
    expect(row?.agent).toHaveLength(200);
    expect(await getAccount(store(), id)).toMatchObject({ last_login_at: NOW });
    await closeLogin(store(), token);
    expect(await findLogin(store(), token, NOW)).toBeUndefined();
  });

  it('are refused in the same words for a wrong password, an unknown address and a disabled account', async () => {
    const { id } = await account();
    await createAccount(store(), { email: 'b@x.co', name: 'B', role: 'owner', password: PASSWORD }, NOW);
    const refusal = async (email: string, password: string) =>
      logIn(store(), email, password, FROM, NOW).then(
        () => 'in',
        (error) => `${error.code} ${error.message}`,
      );
    const words = await refusal('a@x.co', 'wrong');
    expect(words).toMatch(/^unauthorized /);
    expect(await refusal('nobody@x.co', PASSWORD)).toBe(words);
    await updateAccount(store(), id, { state: 'disabled' }, NOW);
    expect(await refusal('a@x.co', PASSWORD)).toBe(words);
  });

  it('that are over are forgotten', async () => {
    const made = await account();
    await openLogin(store(), made, FROM, NOW);
    const later = await openLogin(store(), made, FROM, NOW + 1);
    await forgetLogins(store(), NOW + LOGIN_LIFETIME_MS);
    expect(await store().selectFrom('logins').select('id').execute()).toHaveLength(1);
    expect(await findLogin(store(), later, NOW)).toBeDefined();
  });
});

onEveryStore('the audit', (store) => {
  const actor = { account_id: 'a1', name: 'owner@x.co', address: '10.0.0.9' };

  it('keeps before and after, and no secret wherever it stands', async () => {
    const before = {
      name: 'R',
      radius_secret: 'S3',
      api_password_sealed: 'v1.x',
      nested: [{ passkey: 'S3' }],
      empty_password: null,
    };
    const after = {
      consumer_key: 'S3',
      consumer_secret: 'S3',
      password: 'S3',
      password_hash: 'S3',
      token: 'S3',
      name: 'R2',
    };
    await audit(store(), actor, { action: 'update', entity: 'router', entity_id: 'r1', before, after }, NOW);
    const { items } = await listAudit(store(), {});
    expect(items).toMatchObject([
      { at: NOW, actor: 'owner@x.co', account_id: 'a1', address: '10.0.0.9', entity_id: 'r1' },
    ]);
    expect(JSON.stringify(items)).not.toMatch(/S3|v1\.x/);
    expect(JSON.parse(items[0]?.before ?? '')).toMatchObject({ name: 'R', empty_password: null });
    expect(JSON.parse(items[0]?.after ?? '')).toMatchObject({ name: 'R2' });
  });

  it('is listed newest first, by thing and by account', async () => {
    for (let i = 0; i < 3; i++) {
      await audit(
        store(),
        { ...actor, account_id: `a${i}` },
        { action: 'x', entity: 'plan', entity_id: `p${i % 2}` },
        NOW + i,
      );
    }
    const at = async (filter: Parameters<typeof listAudit>[2]) =>
      (await listAudit(store(), {}, filter)).items.map((entry) => entry.at - NOW);
    expect(await at({})).toEqual([2, 1, 0]);
    expect(await at({ entity: 'plan', entity_id: 'p0' })).toEqual([2, 0]);
    expect(await at({ account_id: 'a1' })).toEqual([1]);
    expect(await at({ entity: 'router' })).toEqual([]);
  });
});

onEveryStore('the business', (store) => {
  it('has words before anyone wrote them, and keeps what was not changed', async () => {
    expect(await readBusiness(store())).toMatchObject({
      name: 'Karibu WiFi',
      currency: 'KES',
      default_language: 'en',
    });
    await updateBusiness(store(), { name: 'Mama WiFi' }, NOW);
    await updateBusiness(store(), { support_phone: '0712' }, NOW);
    expect(await readBusiness(store())).toMatchObject({
      name: 'Mama WiFi',
      support_phone: '0712',
      currency: 'KES',
    });
  });
});
