import { Button, Group, Modal, Stack, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useDeleteList, useSetList, type KeptList } from '../../api/detection';
import { ProblemNotice } from '../../components/states';
import { count } from '../../lib/format';

interface ListDialogProps {
  /** null: a new one. */
  list: KeptList | null;
  manage: boolean;
  onClose: () => void;
}

const wordsOf = (text: string) => [...new Set(text.split(/[\s,]+/).filter(Boolean))];

/** A list of words that rules look for by its name. */
export function ListDialog({ list, manage, onClose }: ListDialogProps) {
  const [name, setName] = useState(list?.name ?? '');
  const [about, setAbout] = useState(list?.about ?? '');
  const [text, setText] = useState(list?.words.join('\n') ?? '');
  const save = useSetList();
  const remove = useDeleteList();
  const words = wordsOf(text);
  const said = (list?.revision ?? 0) > 0;
  return (
    <Modal opened onClose={onClose} size="lg" title={list ? `List ${list.name}` : 'New list of words'}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate({ name, revision: list?.revision ?? 0, about, words }, { onSuccess: onClose });
        }}
      >
        <Stack gap="md">
          {!list && (
            <TextInput
              label="Name"
              description="Rules name it so; it stays."
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              pattern="[a-z0-9][a-z0-9._\-]{0,63}"
              maxLength={64}
              required
              data-autofocus
            />
          )}
          <TextInput
            label="About"
            value={about}
            onChange={(event) => setAbout(event.currentTarget.value)}
            maxLength={1000}
            readOnly={!manage}
          />
          <Textarea
            label="Words"
            description="One in each line, or with spaces between. Case does not matter; a word is found as a whole."
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            autosize
            minRows={8}
            maxRows={16}
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.8125rem' } }}
            readOnly={!manage}
            required
          />
        </Stack>
        {(save.error ?? remove.error) && <ProblemNotice error={save.error ?? remove.error} />}
        <Group justify="space-between" mt="lg">
          {manage && list && said ? (
            <Button
              variant="default"
              loading={remove.isPending}
              onClick={() =>
                remove.mutate({ name: list.name, revision: list.revision }, { onSuccess: onClose })
              }
            >
              {list.origin === 'console' ? 'Delete' : 'As it came'}
            </Button>
          ) : (
            <span>{count(words.length, 'word')}</span>
          )}
          <Group gap="sm">
            <Button variant="default" onClick={onClose}>
              {manage ? 'Cancel' : 'Close'}
            </Button>
            {manage && (
              <Button type="submit" loading={save.isPending} disabled={words.length === 0}>
                Save
              </Button>
            )}
          </Group>
        </Group>
      </form>
    </Modal>
  );
}
