import { Button, Group, Modal, Stack, TagsInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import {
  useCreateAccount,
  useUpdateAccount,
  type AccountSettings,
  type NewCredential,
  type Target,
  type TargetAccount,
} from '../../../api/targets';
import { ProblemNotice } from '../../../components/states';
import { CredentialFields } from './credential-fields';

interface AccountDialogProps {
  target: Target;
  /** The account to change; without one it is a new one. */
  account?: TargetAccount;
  onClose: () => void;
}

/** Adds an account, with its password, or changes one, without. */
export function AccountDialog({ target, account, onClose }: AccountDialogProps) {
  const [name, setName] = useState(account?.name ?? '');
  const [username, setUsername] = useState(account?.username ?? '');
  const [domain, setDomain] = useState(account?.domain ?? '');
  const [description, setDescription] = useState(account?.description ?? '');
  const [tags, setTags] = useState(account?.tags ?? []);
  const [credential, setCredential] = useState<NewCredential>({ kind: 'stored' });
  const create = useCreateAccount(target.id);
  const update = useUpdateAccount(target.id, account?.id ?? '');
  const settings: AccountSettings = {
    name: name.trim(),
    username: username.trim(),
    domain: domain.trim(),
    description: description.trim(),
    tags: tags.map((tag) => tag.trim()).filter(Boolean),
  };
  function save() {
    const done = { onSuccess: onClose };
    if (account) update.mutate({ revision: account.revision ?? 1, settings }, done);
    else create.mutate({ settings, credential }, done);
  }
  const error = create.error ?? update.error;
  return (
    <Modal opened onClose={onClose} title={account ? `Change ${account.name}` : 'Add an account'}>
      <form
        autoComplete="off"
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <Stack gap="md">
          <TextInput
            label="Name"
            description="What people, policies and logs call it"
            required
            maxLength={128}
            pattern="[A-Za-z0-9][A-Za-z0-9._@\-]*"
            title="Letters, digits, dots, dashes, underscores and @"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            data-autofocus
          />
          <TextInput
            label="User name on the target"
            description={target.protocol === 'vnc' ? 'Empty where it asks for a password only' : undefined}
            maxLength={256}
            autoComplete="off"
            value={username}
            onChange={(event) => setUsername(event.currentTarget.value)}
          />
          {target.protocol === 'rdp' && (
            <TextInput
              label="Domain"
              maxLength={256}
              value={domain}
              onChange={(event) => setDomain(event.currentTarget.value)}
            />
          )}
          <TextInput
            label="Description"
            maxLength={2000}
            value={description}
            onChange={(event) => setDescription(event.currentTarget.value)}
          />
          <TagsInput label="Tags" maxTags={64} value={tags} onChange={setTags} />
          {!account && <CredentialFields credential={credential} onChange={setCredential} />}
        </Stack>
        {error ? <ProblemNotice error={error} /> : null}
        <Group justify="flex-end" mt="lg" gap="sm">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending || update.isPending}>
            {account ? 'Save' : 'Add account'}
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
