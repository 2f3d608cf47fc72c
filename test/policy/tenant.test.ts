/** Tenants: their keys, and the names in their namespaces. */
import t from 'tap';
import { makeIdentity } from 'vkmemd/dist/policy/identity.js';
import {
  byTenant,
  nameKeyOf,
  parseScopedName,
  sameTenant,
  shownNameKey,
  shownUid,
  tenantOfKey,
  tenantOfUid,
} from 'vkmemd/dist/policy/tenant.js';

t.test('a uid maps to a tenant', async (t) => {
  const { tenant } = makeIdentity({ uid: 1000, gid: 5, pid: 7, groups: [] });
  t.strictSame(tenant, { key: 'uid:1000', uid: 1000, name: '1000' });
  t.equal(tenantOfUid(1000), tenant, 'the same object');
  t.equal(tenantOfKey('uid:1000'), tenant);
  for (let uid = 1_000_000; uid < 1_010_000; uid += 1) tenantOfUid(uid);
  t.ok(sameTenant(tenantOfUid(1000), tenant), 'and equal after many others were created');
});

t.test('a key that no current rule creates is its own name', async (t) => {
  for (const key of ['pod:7', 'unit:a.service', 'uid:01', 'uid:', 'uid:x', '']) {
    const tenant = tenantOfKey(key);
    t.strictSame(tenant, { key, uid: undefined, name: key });
    t.equal(shownUid(tenant), 0xffff_ffff, 'the uid of an unknown user');
  }
});

t.test('tenants are sorted by uid, then by key', async (t) => {
  const keys = ['pod:b', 'uid:10', 'pod:a', 'uid:9'];
  const sorted = keys.map(tenantOfKey).sort(byTenant);
  t.strictSame(
    sorted.map(({ key }) => key),
    ['uid:9', 'uid:10', 'pod:a', 'pod:b'],
  );
});

t.test('names are scoped by tenant', async (t) => {
  const key = nameKeyOf(tenantOfUid(1000), 'frames');
  t.equal(key, 'uid:1000/frames');
  t.equal(shownNameKey(key), '1000/frames');
  t.equal(shownNameKey('pod:7/frames'), 'pod:7/frames');
  for (const text of ['1000/frames', 'uid:1000/frames']) {
    t.strictSame(parseScopedName(text), { tenant: tenantOfUid(1000), name: 'frames' });
  }
  for (const text of [
    'frames',
    '01/frames',
    '-1/frames',
    'uid:/frames',
    'x/frames',
    '/frames',
    ' 1/frames',
  ]) {
    t.equal(parseScopedName(text), undefined, text);
  }
});
