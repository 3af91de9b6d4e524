import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { useState, type SyntheticEvent } from 'react';
import { useCreateUser, type Role } from '../../api/users';
import { SecretOnce } from '../../components/secret-once';
import { ProblemNotice } from '../../components/states';
import { GroupsField, RolesField } from './fields';

/** Makes a user with a generated password, which is shown once. */
export function CreateUserDialog({ onClose }: { onClose: () => void }) {
  const create = useCreateUser();
  const [username, setUsername] = useState('');
  const [displayName, setDisplayName] = useState('');
  const [email, setEmail] = useState('');
  const [roles, setRoles] = useState<Role[]>(['user']);
  const [groups, setGroups] = useState<string[]>([]);

  if (create.data?.password) {
    return (
      <SecretOnce
        title={`${create.data.user.username} is made`}
        label="Password"
        secret={create.data.password}
        onClose={onClose}
      >
        This is the password to begin with; it is not shown again. At the first sign-in they choose their own.
      </SecretOnce>
    );
  }

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    create.mutate({ username, display_name: displayName, email, roles, groups });
  }

  return (
    <Modal opened onClose={onClose} title="New user">
      <form onSubmit={submit}>
        <Stack gap="md">
          <TextInput
            label="User name"
            description="Letters, digits and . _ @ - ; it stays as it is."
            autoComplete="off"
            required
            withAsterisk={false}
            maxLength={128}
            data-autofocus
            value={username}
            onChange={(event) => setUsername(event.currentTarget.value)}
          />
          <TextInput
            label="Display name"
            autoComplete="off"
            maxLength={128}
            value={displayName}
            onChange={(event) => setDisplayName(event.currentTarget.value)}
          />
          <TextInput
            label="E-mail address"
            type="email"
            autoComplete="off"
            maxLength={254}
            value={email}
            onChange={(event) => setEmail(event.currentTarget.value)}
          />
          <RolesField value={roles} onChange={setRoles} />
          <GroupsField value={groups} onChange={setGroups} />
          {create.error && <ProblemNotice error={create.error} />}
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={create.isPending} disabled={!username.trim()}>
              Make user
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
