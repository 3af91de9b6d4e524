import { ActionIcon, Button, Popover, Tooltip } from '@mantine/core';
import { IconClipboardText } from '@tabler/icons-react';
import { useState, useSyncExternalStore } from 'react';
import classes from './clipboard-panel.module.css';
import type { Desktop } from './use-desktop';

/** Text to and from the desktop by hand, for what the clipboard keys cannot do. */
export function ClipboardPanel({ desktop: { viewer, stage } }: { desktop: Desktop }) {
  const { clipboard: remote } = useSyncExternalStore(viewer.store.subscribe, viewer.store.get);
  const [opened, setOpened] = useState(false);
  const [text, setText] = useState('');
  const [message, setMessage] = useState<{ text: string; bad: boolean } | null>(null);
  // Absent on insecure origins, whatever the types say.
  const system = navigator.clipboard as Clipboard | undefined;

  function change(open: boolean) {
    setOpened(open);
    setMessage(null);
    if (!open) stage.focus();
  }

  function fail(error: unknown) {
    setMessage({ text: error instanceof Error ? error.message : String(error), bad: true });
  }

  function send(value: string) {
    try {
      viewer.sendClipboard(value);
      setMessage({ text: 'On the desktop’s clipboard: paste it there.', bad: false });
    } catch (error) {
      fail(error);
    }
  }

  async function fetchLocal() {
    try {
      const value = await system?.readText();
      if (value) {
        setText(value);
        send(value);
      } else setMessage({ text: 'This computer’s clipboard holds no text.', bad: true });
    } catch {
      setMessage({
        text: 'The browser does not allow reading the clipboard. Paste into the field instead.',
        bad: true,
      });
    }
  }

  async function copyRemote() {
    try {
      await system?.writeText(remote ?? '');
      setMessage({ text: 'Copied to this computer.', bad: false });
    } catch (error) {
      fail(error);
    }
  }

  return (
    <Popover
      opened={opened}
      onChange={change}
      position="bottom-end"
      trapFocus
      shadow="md"
      radius="md"
      returnFocus={false}
    >
      <Popover.Target>
        <Tooltip label="Clipboard" disabled={opened}>
          <ActionIcon
            variant="subtle"
            color="gray"
            size="lg"
            aria-label="Clipboard"
            onClick={() => change(!opened)}
          >
            <IconClipboardText size={19} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown>
        <div className={classes.panel}>
          <div className={classes.head}>
            <label htmlFor="clip-to">To the desktop</label>
            {system && (
              <Button size="compact-xs" variant="subtle" onClick={() => void fetchLocal()}>
                Take from this computer
              </Button>
            )}
          </div>
          <textarea
            id="clip-to"
            className={classes.text}
            value={text}
            spellCheck={false}
            placeholder="Type or paste text here"
            onChange={(event) => setText(event.currentTarget.value)}
          />
          <div className={classes.row}>
            <Button size="xs" disabled={text === ''} onClick={() => send(text)}>
              Send to the desktop
            </Button>
          </div>
          <div className={classes.head}>
            <label htmlFor="clip-from">From the desktop</label>
            {system && (
              <Button size="compact-xs" variant="subtle" disabled={!remote} onClick={() => void copyRemote()}>
                Copy to this computer
              </Button>
            )}
          </div>
          <textarea
            id="clip-from"
            className={classes.text}
            value={remote ?? ''}
            readOnly
            spellCheck={false}
            placeholder="Nothing was copied on the desktop yet"
          />
          {message ? (
            <p className={classes.message} data-bad={message.bad} role="status">
              {message.text}
            </p>
          ) : (
            <p className={classes.hint}>
              Copying and pasting with the keyboard keeps both clipboards the same. What passes is recorded.
            </p>
          )}
        </div>
      </Popover.Dropdown>
    </Popover>
  );
}
