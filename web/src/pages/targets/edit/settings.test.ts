import { expect, it } from 'vitest';
import { slug, tidy, withPort } from './settings';

it('makes ids of names', () => {
  expect(slug('Build server')).toBe('build-server');
  expect(slug('  Zürich / Bench #2 ')).toBe('zurich-bench-2');
  expect(slug('日本')).toBe('');
});

it('adds the port of the protocol where there is none', () => {
  expect(withPort(' desk.test ', 'vnc')).toBe('desk.test:5900');
  expect(withPort('desk.test:5901', 'vnc')).toBe('desk.test:5901');
  expect(withPort('2001:db8::1', 'rdp')).toBe('[2001:db8::1]:3389');
  expect(withPort('[2001:db8::1]', 'rdp')).toBe('[2001:db8::1]:3389');
  expect(withPort('[2001:db8::1]:1', 'rdp')).toBe('[2001:db8::1]:1');
  expect(withPort('', 'rdp')).toBe('');
});

it('sends only what belongs to what was chosen', () => {
  const settings = tidy({
    name: ' Desk ',
    protocol: 'vnc',
    address: 'desk',
    description: '  ',
    tls: { mode: 'pin', fingerprint: ' ab ', server_name: 'x', ca: 'y' },
    rdp: { security: 'nla' },
  });
  expect(settings).toEqual({
    name: 'Desk',
    protocol: 'vnc',
    address: 'desk:5900',
    tls: { mode: 'pin', fingerprint: 'ab' },
  });
  const rdp = { security: 'nla', kerberos: { realm: ' ' }, keyboard_layout: '' } as const;
  expect(tidy({ name: 'W', protocol: 'rdp', address: 'w', tls: { mode: 'verify', ca: ' ' }, rdp })).toEqual({
    name: 'W',
    protocol: 'rdp',
    address: 'w:3389',
    tls: { mode: 'verify' },
    rdp: { security: 'nla' },
  });
});
