import {
  Button,
  Group,
  SegmentedControl,
  Select,
  Switch,
  TagsInput,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useState } from 'react';
import { isProblem } from '../../../api/problem';
import type { TargetSettings } from '../../../api/targets';
import { ProblemNotice } from '../../../components/states';
import classes from './edit.module.css';
import { RDPFields } from './rdp-fields';
import { ports, slug, tidy, type TLS } from './settings';

interface SettingsFormProps {
  initial: TargetSettings;
  /** The target's id; without one it is new, and the form asks for it. */
  id?: string;
  action: string;
  readOnly?: boolean;
  busy: boolean;
  error: unknown;
  /** The last change was saved. */
  saved?: boolean;
  onSave: (settings: TargetSettings, id: string) => void;
  /** Somebody else was faster: shows what is there now. */
  onStale?: () => void;
}

const trust = [
  { value: 'verify', label: 'By its certificate’s chain and name' },
  { value: 'pin', label: 'By its certificate’s fingerprint' },
  { value: 'first_use', label: 'By the certificate it shows first' },
  { value: 'off', label: 'Not at all: plaintext is allowed' },
];

const keys = [
  { value: '', label: 'As the gateway is configured' },
  { value: 'full', label: 'Every key' },
  { value: 'commands', label: 'Shortcuts and commands, no text' },
  { value: 'none', label: 'Only that keys were typed' },
];

export function SettingsForm(props: SettingsFormProps) {
  const { initial, id, action, readOnly = false, busy, error, saved = false, onSave, onStale } = props;
  const [settings, setSettings] = useState(initial);
  const [ownId, setOwnId] = useState<string | null>(null);
  const shownId = id ?? ownId ?? slug(settings.name);
  const [touched, setTouched] = useState(false);
  const set = (change: Partial<TargetSettings>) => {
    setTouched(true);
    setSettings({ ...settings, ...change });
  };
  const tls = settings.tls ?? { mode: 'verify' };
  const clipboard = settings.clipboard ?? { to_target: true, from_target: true };
  const setTLS = (change: Partial<TLS>) => set({ tls: { ...tls, ...change } });
  const stale = isProblem(error, 'stale');

  return (
    <form
      className={classes.card}
      onSubmit={(event) => {
        event.preventDefault();
        setTouched(false);
        onSave(tidy(settings), shownId);
      }}
    >
      <fieldset className={classes.fields} disabled={readOnly}>
        <div className={classes.pair}>
          <TextInput
            label="Name"
            required
            maxLength={128}
            value={settings.name}
            onChange={(event) => set({ name: event.currentTarget.value })}
          />
          <TextInput
            label="Id"
            description={id ? undefined : 'Policies and logs know it by this; it stays.'}
            required
            readOnly={id !== undefined}
            variant={id ? 'filled' : 'default'}
            maxLength={128}
            pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
            title="Letters, digits, dots, dashes and underscores"
            classNames={{ input: 'mono' }}
            value={shownId}
            onChange={(event) => setOwnId(event.currentTarget.value)}
          />
        </div>
        <Textarea
          label="Description"
          autosize
          minRows={1}
          maxRows={6}
          maxLength={2000}
          value={settings.description ?? ''}
          onChange={(event) => set({ description: event.currentTarget.value })}
        />
        <div className={classes.pair}>
          <div>
            <div className={classes.label} id="protocol-label">
              Protocol
            </div>
            <SegmentedControl
              fullWidth
              aria-labelledby="protocol-label"
              disabled={readOnly || id !== undefined}
              data={[
                { value: 'rdp', label: 'RDP' },
                { value: 'vnc', label: 'VNC' },
              ]}
              value={settings.protocol}
              onChange={(value) =>
                set({
                  protocol: value,
                  ...(value === 'rdp' && tls.mode === 'off' ? { tls: { mode: 'verify' } } : {}),
                })
              }
            />
          </div>
          <TextInput
            label="Address"
            required
            maxLength={262}
            placeholder={`desk.example.com:${String(ports[settings.protocol])}`}
            classNames={{ input: 'mono' }}
            value={settings.address}
            onChange={(event) => set({ address: event.currentTarget.value })}
          />
        </div>
        <TagsInput
          label="Tags"
          description="Policies and searches use them. Enter ends one."
          maxTags={64}
          disabled={readOnly}
          value={settings.tags ?? []}
          onChange={(tags) => set({ tags: tags.map((tag) => tag.trim()).filter(Boolean) })}
        />

        <h3 className={classes.group}>Identity</h3>
        <Select
          label="How it proves who it is"
          allowDeselect={false}
          data={settings.protocol === 'rdp' ? trust.filter(({ value }) => value !== 'off') : trust}
          value={tls.mode}
          onChange={(mode) => mode && setTLS({ mode: mode as TLS['mode'] })}
        />
        {tls.mode === 'verify' && (
          <>
            <TextInput
              label="Certificate’s name"
              placeholder="The host of the address"
              maxLength={253}
              value={tls.server_name ?? ''}
              onChange={(event) => setTLS({ server_name: event.currentTarget.value })}
            />
            <Textarea
              label="Certification authorities"
              description="In PEM. Empty: those of the gateway’s system."
              autosize
              minRows={2}
              maxRows={8}
              spellCheck={false}
              classNames={{ input: 'mono' }}
              value={tls.ca ?? ''}
              onChange={(event) => setTLS({ ca: event.currentTarget.value })}
            />
          </>
        )}
        {tls.mode === 'pin' && (
          <TextInput
            label="SHA-256 fingerprint"
            required
            maxLength={128}
            classNames={{ input: 'mono' }}
            value={tls.fingerprint ?? ''}
            onChange={(event) => setTLS({ fingerprint: event.currentTarget.value })}
          />
        )}
        {tls.mode === 'first_use' && (
          <p className={classes.warn}>Whoever sits on the network at the first session can pose as it.</p>
        )}
        {tls.mode === 'off' && (
          <p className={classes.warn}>
            Anybody on the way to the target can read along and change what is shown.
          </p>
        )}

        <h3 className={classes.group}>Sessions</h3>
        <Group gap="xl">
          <Switch
            label="Paste into it"
            checked={clipboard.to_target}
            onChange={(event) => set({ clipboard: { ...clipboard, to_target: event.currentTarget.checked } })}
          />
          <Switch
            label="Copy out of it"
            checked={clipboard.from_target}
            onChange={(event) =>
              set({ clipboard: { ...clipboard, from_target: event.currentTarget.checked } })
            }
          />
          <Switch
            label="View only"
            checked={settings.view_only ?? false}
            onChange={(event) => set({ view_only: event.currentTarget.checked })}
          />
        </Group>
        <Select
          label="Keys in the recording"
          allowDeselect={false}
          data={keys}
          value={settings.record_keys ?? ''}
          onChange={(value) => {
            const next = { ...settings };
            delete next.record_keys;
            setTouched(true);
            setSettings(value ? { ...next, record_keys: value as 'full' } : next);
          }}
        />

        {settings.protocol === 'rdp' && (
          <RDPFields rdp={settings.rdp ?? {}} onChange={(rdp) => set({ rdp })} />
        )}
      </fieldset>
      {error ? <ProblemNotice error={error} {...(stale && onStale ? { onRetry: onStale } : {})} /> : null}
      {!readOnly && (
        <Group justify="flex-end" gap="sm" mt="md">
          {saved && !touched && (
            <span role="status" className={classes.saved}>
              Saved
            </span>
          )}
          <Button type="submit" loading={busy} disabled={id !== undefined && !touched}>
            {action}
          </Button>
        </Group>
      )}
    </form>
  );
}
