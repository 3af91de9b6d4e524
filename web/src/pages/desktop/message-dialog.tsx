import { Button, Group, Modal } from '@mantine/core';
import { useSyncExternalStore } from 'react';
import { when } from '../../lib/format';
import type { Desktop } from './use-desktop';

/** What somebody has to say to the session's person; it stays until they have read it. */
export function MessageDialog({ desktop }: { desktop: Desktop }) {
  const { viewer, stage } = desktop;
  const { messages } = useSyncExternalStore(viewer.store.subscribe, viewer.store.get);
  const [message] = messages;

  function read() {
    if (!message) return;
    viewer.acknowledge(message.id);
    if (messages.length === 1) stage.focus();
  }

  return (
    <Modal
      opened={message !== undefined}
      onClose={read}
      returnFocus={false}
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      title={message?.from ? `Message from ${message.from}` : 'Message'}
    >
      {/* The focus is on the text: an Enter meant for the desktop must not say that it was read. */}
      <div tabIndex={-1} data-autofocus style={{ outline: 'none' }}>
        <p style={{ margin: 0, whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{message?.text}</p>
        <p style={{ margin: '10px 0 0', color: 'var(--v-ink-2)', fontSize: '0.8125rem' }}>
          {message && when(new Date(message.at).toISOString())}
          {messages.length > 1 && `, ${messages.length - 1} more`}
        </p>
      </div>
      <Group justify="flex-end" mt="lg">
        <Button onClick={read}>OK</Button>
      </Group>
    </Modal>
  );
}
