import { Button, CopyButton, Group, Modal, Text } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import classes from './panel.module.css';

interface SecretOnceProps {
  title: string;
  /** What it is, for those who do not see it. */
  label: string;
  secret: string;
  children: ReactNode;
  onClose: () => void;
}

/** Shows a secret the one time it is known. Only the button closes it, so that a stray click cannot lose it. */
export function SecretOnce({ title, label, secret, children, onClose }: SecretOnceProps) {
  return (
    <Modal
      opened
      onClose={onClose}
      title={title}
      closeOnClickOutside={false}
      closeOnEscape={false}
      withCloseButton={false}
    >
      <Text size="sm" mb="md">
        {children}
      </Text>
      <div className={classes.secret}>
        <code className="mono" aria-label={label} data-testid="secret">
          {secret}
        </code>
        <CopyButton value={secret}>
          {({ copied, copy }) => (
            <Button
              size="xs"
              variant="default"
              leftSection={copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
              onClick={copy}
            >
              {copied ? 'Copied' : 'Copy'}
            </Button>
          )}
        </CopyButton>
      </div>
      <Group justify="flex-end" mt="lg">
        <Button onClick={onClose} data-autofocus>
          Done
        </Button>
      </Group>
    </Modal>
  );
}
