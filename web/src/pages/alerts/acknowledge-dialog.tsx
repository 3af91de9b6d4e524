import { Button, Group, Modal, Textarea } from '@mantine/core';
import { useState } from 'react';
import { useAcknowledge } from '../../api/detection';
import { ProblemNotice } from '../../components/states';
import { count } from '../../lib/format';

interface AcknowledgeDialogProps {
  alerts: string[];
  onClose: () => void;
  onDone: () => void;
}

/** Notes that alerts were seen to, with a word about them. */
export function AcknowledgeDialog({ alerts, onClose, onDone }: AcknowledgeDialogProps) {
  const [note, setNote] = useState('');
  const acknowledge = useAcknowledge();
  return (
    <Modal
      opened
      onClose={onClose}
      title={
        alerts.length === 1 ? 'Acknowledge this alert?' : `Acknowledge ${count(alerts.length, 'alert')}?`
      }
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          acknowledge.mutate({ alerts, note }, { onSuccess: onDone });
        }}
      >
        <Textarea
          label="Note"
          description="What it was, or what was done. Others see it, and the audit log keeps it."
          value={note}
          onChange={(event) => setNote(event.currentTarget.value)}
          autosize
          minRows={3}
          maxLength={2000}
          data-autofocus
        />
        {acknowledge.error && <ProblemNotice error={acknowledge.error} />}
        <Group justify="flex-end" mt="lg" gap="sm">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={acknowledge.isPending}>
            Acknowledge
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
