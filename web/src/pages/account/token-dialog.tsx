import { Button, Checkbox, Group, Modal, Select, Stack, TextInput } from '@mantine/core';
import { useState, type SyntheticEvent } from 'react';
import { useMe } from '../../api/me';
import { useCreateToken } from '../../api/users';
import { SecretOnce } from '../../components/secret-once';
import { ProblemNotice } from '../../components/states';
import { actionLabel } from './actions';

const lifetimes = [
  { value: '7', label: '7 days' },
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'A year' },
];

/** Makes an API token and shows it once. */
export function TokenDialog({ onClose }: { onClose: () => void }) {
  const { permissions } = useMe();
  const create = useCreateToken();
  const [name, setName] = useState('');
  const [scopes, setScopes] = useState<string[]>([]);
  const [days, setDays] = useState('30');

  if (create.data) {
    return (
      <SecretOnce title="The token is made" label="Token" secret={create.data.secret} onClose={onClose}>
        Copy it now; it is not shown again. Send it as <code className="mono">Authorization: Bearer</code>.
      </SecretOnce>
    );
  }

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    create.mutate({
      name,
      scopes,
      expires_at: new Date(Date.now() + Number(days) * 86_400_000).toISOString(),
    });
  }

  return (
    <Modal opened onClose={onClose} title="New API token" size="lg">
      <form onSubmit={submit}>
        <Stack gap="md">
          <TextInput
            label="Name"
            description="What it is for, so that you know it again."
            required
            withAsterisk={false}
            maxLength={128}
            data-autofocus
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Checkbox.Group
            label="It may"
            description="And nothing that you may not."
            value={scopes}
            onChange={setScopes}
          >
            <div
              style={{
                display: 'grid',
                gridTemplateColumns: 'repeat(auto-fill, minmax(210px, 1fr))',
                gap: '10px 16px',
                marginTop: 10,
              }}
            >
              {permissions.map((p) => (
                <Checkbox key={p} value={p} label={actionLabel(p)} />
              ))}
            </div>
          </Checkbox.Group>
          <Select
            label="Expires after"
            data={lifetimes}
            value={days}
            onChange={(value) => setDays(value ?? '30')}
            allowDeselect={false}
            w={200}
          />
          {create.error && <ProblemNotice error={create.error} />}
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={create.isPending} disabled={!name.trim() || scopes.length === 0}>
              Make token
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
