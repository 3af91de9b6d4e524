import { Button, Group, Modal, Stack } from '@mantine/core';
import { useState } from 'react';
import { useSetCredential, type NewCredential, type Target, type TargetAccount } from '../../../api/targets';
import { ProblemNotice } from '../../../components/states';
import { CredentialFields } from './credential-fields';

interface CredentialDialogProps {
  target: Target;
  account: TargetAccount;
  onClose: () => void;
}

/** Says where an account's password is, or what it is. What it is was never shown and never will be. */
export function CredentialDialog({ target, account, onClose }: CredentialDialogProps) {
  const now = account.credential;
  const [credential, setCredential] = useState<NewCredential>({
    kind: now && now.kind !== 'config' && now.kind !== 'none' ? now.kind : 'stored',
    ...(now?.vault ? { vault: now.vault } : {}),
    ...(now?.command ? { command: now.command } : {}),
  });
  const set = useSetCredential(target.id, account.id);
  return (
    <Modal opened onClose={onClose} title={`Password of ${account.name}`}>
      <form
        autoComplete="off"
        onSubmit={(event) => {
          event.preventDefault();
          set.mutate({ revision: account.revision ?? 1, credential }, { onSuccess: onClose });
        }}
      >
        <Stack gap="md">
          <CredentialFields credential={credential} onChange={setCredential} />
        </Stack>
        {set.error ? <ProblemNotice error={set.error} /> : null}
        <Group justify="flex-end" mt="lg" gap="sm">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={set.isPending}>
            Save
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
