import { ActionIcon, Button, Popover, Tooltip } from '@mantine/core';
import { IconKeyboard } from '@tabler/icons-react';
import { useState } from 'react';
import classes from './keys-menu.module.css';
import type { Desktop } from './use-desktop';

const combos = [
  { label: 'Ctrl+Alt+Del', codes: ['ControlLeft', 'AltLeft', 'Delete'] },
  { label: 'Windows', codes: ['MetaLeft'] },
  { label: 'Alt+Tab', codes: ['AltLeft', 'Tab'] },
  { label: 'Alt+F4', codes: ['AltLeft', 'F4'] },
  { label: 'Ctrl+Esc', codes: ['ControlLeft', 'Escape'] },
  { label: 'Ctrl+Shift+Esc', codes: ['ControlLeft', 'ShiftLeft', 'Escape'] },
  { label: 'Print Screen', codes: ['PrintScreen'] },
  { label: 'Esc', codes: ['Escape'] },
];

const modifiers = [
  { label: 'Ctrl', code: 'ControlLeft', key: 'Control' },
  { label: 'Alt', code: 'AltLeft', key: 'Alt' },
  { label: 'Shift', code: 'ShiftLeft', key: 'Shift' },
  { label: 'Win', code: 'MetaLeft', key: 'Meta' },
];

const functionKeys = Array.from({ length: 12 }, (_, i) => `F${i + 1}`);

/** Keys the browser or the system would keep for itself. */
export function KeysMenu({ desktop: { stage } }: { desktop: Desktop }) {
  const [opened, setOpened] = useState(false);
  const [held, setHeld] = useState<ReadonlySet<string>>(new Set());

  function press(codes: string[]) {
    stage.combo(codes);
    setOpened(false);
    stage.focus();
  }

  function hold(code: string, key: string) {
    const next = new Set(held);
    if (!next.delete(code)) next.add(code);
    stage.keyboard.hold(code, key, next.has(code));
    setHeld(next);
  }

  function change(open: boolean) {
    // What was let go of meanwhile, because the window lost the focus, is no longer held.
    if (open) setHeld(new Set(stage.keyboard.heldCodes()));
    setOpened(open);
    if (!open) stage.focus();
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
        <Tooltip label="Special keys" disabled={opened}>
          <ActionIcon
            variant={held.size > 0 ? 'light' : 'subtle'}
            color={held.size > 0 ? 'verdigris' : 'gray'}
            size="lg"
            aria-label="Special keys"
            onClick={() => change(!opened)}
          >
            <IconKeyboard size={19} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown>
        <div className={classes.panel}>
          <div className={classes.combos}>
            {combos.map(({ label, codes }) => (
              <Button key={label} size="compact-sm" variant="default" fw={400} onClick={() => press(codes)}>
                {label}
              </Button>
            ))}
          </div>
          <div>
            <p className={classes.label}>Hold down until pressed again</p>
            <div className={classes.row}>
              {modifiers.map(({ label, code, key }) => (
                <Button
                  key={code}
                  size="compact-sm"
                  fw={400}
                  variant={held.has(code) ? 'filled' : 'default'}
                  aria-pressed={held.has(code)}
                  onClick={() => hold(code, key)}
                >
                  {label}
                </Button>
              ))}
            </div>
          </div>
          <div>
            <p className={classes.label}>Function keys</p>
            <div className={classes.fkeys}>
              {functionKeys.map((code) => (
                <Button
                  key={code}
                  size="compact-sm"
                  px={0}
                  variant="default"
                  fw={400}
                  onClick={() => press([code])}
                >
                  {code}
                </Button>
              ))}
            </div>
          </div>
        </div>
      </Popover.Dropdown>
    </Popover>
  );
}
