import type { TargetSettings } from '../../../api/targets';

export type RDP = NonNullable<TargetSettings['rdp']>;
export type TLS = NonNullable<TargetSettings['tls']>;

/** What a form for a new target begins with. */
export const emptySettings: TargetSettings = {
  name: '',
  protocol: 'rdp',
  address: '',
  tags: [],
  tls: { mode: 'verify' },
  clipboard: { to_target: true, from_target: true },
};

export const ports = { vnc: 5900, rdp: 3389 } as const;

/** An id made of a name, as the gateway takes it: "Build server" is build-server. */
export function slug(name: string): string {
  return name
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')
    .slice(0, 128);
}

/** The address with the protocol's port where none is given. */
export function withPort(address: string, protocol: 'vnc' | 'rdp'): string {
  const text = address.trim();
  const colons = text.split(':').length - 1;
  const bare = !text.startsWith('[') && colons > 1; // an IPv6 address, whose colons are its own
  if (text === '' || (!bare && /:\d+$/.test(text))) return text;
  return `${bare ? `[${text}]` : text}:${String(ports[protocol])}`;
}

/** Without what belongs to another way of proving who one is, and without what is empty. */
export function tidy(settings: TargetSettings): TargetSettings {
  const { rdp, description, ...rest } = settings;
  const tls = settings.tls ?? { mode: 'verify' as const };
  const out: TargetSettings = {
    ...rest,
    name: settings.name.trim(),
    address: withPort(settings.address, settings.protocol),
    tls: { mode: tls.mode },
  };
  if (description?.trim()) out.description = description.trim();
  if (out.tls && tls.mode === 'pin' && tls.fingerprint) out.tls.fingerprint = tls.fingerprint.trim();
  if (out.tls && tls.mode === 'verify') {
    if (tls.server_name?.trim()) out.tls.server_name = tls.server_name.trim();
    if (tls.ca?.trim()) out.tls.ca = tls.ca;
  }
  if (settings.protocol === 'rdp' && rdp) out.rdp = tidyRDP(rdp);
  return out;
}

function tidyRDP({ kerberos, keyboard_layout, load_balance_info, ...rest }: RDP): RDP {
  const out: RDP = { ...rest };
  if (kerberos?.realm.trim()) out.kerberos = { ...kerberos, realm: kerberos.realm.trim() };
  if (keyboard_layout?.trim()) out.keyboard_layout = keyboard_layout.trim();
  if (load_balance_info?.trim()) out.load_balance_info = load_balance_info.trim();
  return out;
}
