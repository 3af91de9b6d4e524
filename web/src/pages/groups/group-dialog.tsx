import { Button, Group as Row, Modal, Stack, TextInput } from '@mantine/core';
import { useState, type SyntheticEvent } from 'react';
import { useNavigate } from 'react-router';
import { useSaveGroup, type Group } from '../../api/users';
import { ProblemNotice } from '../../components/states';

/** Makes a group, or changes one. */
export function GroupDialog({ group, onClose }: { group?: Group; onClose: () => void }) {
  const save = useSaveGroup(group?.id);
  const navigate = useNavigate();
  const [name, setName] = useState(group?.name ?? '');
  const [description, setDescription] = useState(group?.description ?? '');

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    save.mutate(
      { name, description },
      {
        onSuccess: (saved) => {
          onClose();
          if (!group) void navigate(`/groups/${saved.id}`);
        },
      },
    );
  }

  return (
    <Modal opened onClose={onClose} title={group ? `Change ${group.name}` : 'New group'}>
      <form onSubmit={submit}>
        <Stack gap="md">
          <TextInput
            label="Name"
            description={group ? 'Policies name groups by this name: change them too.' : undefined}
            required
            withAsterisk={false}
            maxLength={128}
            data-autofocus
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <TextInput
            label="Description"
            maxLength={500}
            value={description}
            onChange={(event) => setDescription(event.currentTarget.value)}
          />
          {save.error && <ProblemNotice error={save.error} />}
          <Row justify="flex-end" gap="sm">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending} disabled={!name.trim()}>
              {group ? 'Save' : 'Make group'}
            </Button>
          </Row>
        </Stack>
      </form>
    </Modal>
  );
}
