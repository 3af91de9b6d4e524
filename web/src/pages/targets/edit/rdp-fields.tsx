import { Checkbox, Group, Select, Switch, TagsInput, TextInput } from '@mantine/core';
import classes from './edit.module.css';
import type { RDP } from './settings';

const security = [
  { value: 'auto', label: 'Network level authentication where there is, else TLS' },
  { value: 'nla', label: 'Network level authentication only' },
  { value: 'tls', label: 'TLS only' },
];

const looks = [
  ['wallpaper', 'Wallpaper'],
  ['themes', 'Themes'],
  ['font_smoothing', 'Smooth fonts'],
  ['composition', 'Composition'],
  ['animations', 'Animations'],
  ['window_drag', 'Window while dragged'],
] as const;

/** What only targets of protocol RDP have. */
export function RDPFields({ rdp, onChange }: { rdp: RDP; onChange: (rdp: RDP) => void }) {
  const set = (change: Partial<RDP>) => onChange({ ...rdp, ...change });
  const kerberos = rdp.kerberos ?? { realm: '' };
  const shownByDefault = (key: (typeof looks)[number][0]) => key !== 'animations' && key !== 'window_drag';
  return (
    <>
      <h3 className={classes.group}>Remote Desktop</h3>
      <Select
        label="Security"
        allowDeselect={false}
        data={security}
        value={rdp.security ?? 'auto'}
        onChange={(value) => value && set({ security: value as 'auto' })}
      />
      <div className={classes.pair}>
        <TextInput
          label="Keyboard layout of the target"
          placeholder="Its own choice"
          description="A name such as de-CH, or a number such as 0x0807"
          maxLength={64}
          value={rdp.keyboard_layout ?? ''}
          onChange={(event) => set({ keyboard_layout: event.currentTarget.value })}
        />
        <Select
          label="Keys travel as"
          description="Places of keys suit nearly every target"
          allowDeselect={false}
          data={[
            { value: 'scancodes', label: 'Places of keys' },
            { value: 'unicode', label: 'Characters they make' },
          ]}
          value={rdp.keyboard ?? 'scancodes'}
          onChange={(value) => value && set({ keyboard: value })}
        />
      </div>
      <div className={classes.pair}>
        <TextInput
          label="Kerberos realm"
          placeholder="None: NTLM"
          maxLength={255}
          value={kerberos.realm}
          onChange={(event) => set({ kerberos: { ...kerberos, realm: event.currentTarget.value } })}
        />
        <TagsInput
          label="Kerberos servers"
          placeholder={kerberos.kdcs?.length ? '' : 'Found by DNS'}
          maxTags={16}
          disabled={kerberos.realm === ''}
          value={kerberos.kdcs ?? []}
          onChange={(kdcs) => set({ kerberos: { ...kerberos, kdcs } })}
        />
      </div>
      <TagsInput
        label="May send sessions to"
        description="Host names, *.example.com, IP addresses or networks"
        maxTags={64}
        value={rdp.redirect_to ?? []}
        onChange={(redirect_to) => set({ redirect_to })}
      />
      <TextInput
        label="Load balancing information"
        maxLength={238}
        classNames={{ input: 'mono' }}
        value={rdp.load_balance_info ?? ''}
        onChange={(event) => set({ load_balance_info: event.currentTarget.value })}
      />
      <Switch
        label="Restricted admin: sign in without giving the target the password"
        checked={rdp.restricted_admin ?? false}
        onChange={(event) => set({ restricted_admin: event.currentTarget.checked })}
      />
      <div>
        <div className={classes.label} id="looks-label">
          Shown
        </div>
        <Group gap="lg" role="group" aria-labelledby="looks-label">
          {looks.map(([key, label]) => (
            <Checkbox
              key={key}
              label={label}
              checked={rdp.performance?.[key] ?? shownByDefault(key)}
              onChange={(event) =>
                set({ performance: { ...rdp.performance, [key]: event.currentTarget.checked } })
              }
            />
          ))}
        </Group>
      </div>
    </>
  );
}
