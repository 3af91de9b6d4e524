import { Modal } from '@mantine/core';
import classes from './help.module.css';

const groups: [string, [string, string][]][] = [
  [
    'Play',
    [
      ['Space, K', 'Play, pause'],
      ['[ and ]', 'Slower, faster'],
      ['S', 'Skip idle time, or not'],
      ['L', 'Go live, while the session runs'],
      ['F', 'Full screen'],
    ],
  ],
  [
    'Go',
    [
      ['← and →', '5 seconds back, on'],
      ['Shift ← and →', '30 seconds back, on'],
      [', and .', 'Picture before, next picture'],
      ['Home and End', 'Beginning, end'],
      ['M and Shift M', 'Next mark on the timeline, mark before'],
      ['N and Shift N', 'Next hit of the search, hit before'],
      ['G', 'Go to a time'],
    ],
  ],
  [
    'Review',
    [
      ['/', 'Search in this recording'],
      ['W', 'Write a note'],
      ['C', 'Copy a link to this moment'],
      ['+ and −', 'Zoom the timeline, when it has the focus; so does the wheel'],
      ['?', 'This help'],
    ],
  ],
];

/** The keys of the player. */
export function Help({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Keys of the player" size="lg">
      <div className={classes.groups}>
        {groups.map(([title, keys]) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {keys.map(([key, act]) => (
                <div key={key}>
                  <dt>
                    <kbd>{key}</kbd>
                  </dt>
                  <dd>{act}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Modal>
  );
}
