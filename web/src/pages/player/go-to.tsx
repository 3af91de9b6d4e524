import { Button, Popover, TextInput, Tooltip } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import { parseClock } from '../../player/heat';

interface GoToProps {
  opened: boolean;
  onOpened: (opened: boolean) => void;
  onGo: (ms: number) => void;
  className: string;
  children: ReactNode;
}

/** The time that is shown; leads to one that is typed. */
export function GoTo({ opened, onOpened, onGo, className, children }: GoToProps) {
  const [text, setText] = useState('');
  const ms = parseClock(text);
  const close = () => {
    onOpened(false);
    setText('');
  };
  return (
    <Popover
      opened={opened}
      onChange={(open) => (open ? onOpened(true) : close())}
      position="top-start"
      trapFocus
    >
      <Popover.Target>
        <Tooltip label="Go to a time  (G)" disabled={opened}>
          <button
            type="button"
            className={className}
            data-testid="player-time"
            onClick={() => (opened ? close() : onOpened(true))}
          >
            {children}
          </button>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (ms === null) return;
            onGo(ms);
            close();
          }}
        >
          <TextInput
            label="Go to"
            placeholder="1:23:45"
            size="xs"
            w={150}
            data-autofocus
            value={text}
            error={text !== '' && ms === null ? 'Hours, minutes, seconds' : null}
            onChange={(event) => setText(event.currentTarget.value)}
          />
          <Button type="submit" size="compact-sm" mt="xs" disabled={ms === null}>
            Go
          </Button>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}
