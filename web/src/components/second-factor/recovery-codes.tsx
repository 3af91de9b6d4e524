import { Button, CopyButton, Group } from '@mantine/core';
import { IconCheck, IconCopy, IconDownload } from '@tabler/icons-react';
import classes from './second-factor.module.css';

/** Recovery codes for the one time they are shown. */
export function RecoveryCodes({ codes, onDone }: { codes: string[]; onDone: () => void }) {
  const text = codes.join('\n') + '\n';

  function download() {
    const url = URL.createObjectURL(
      new Blob([`Vitrine recovery codes of ${window.location.host}\n\n${text}`], { type: 'text/plain' }),
    );
    const link = document.createElement('a');
    link.href = url;
    link.download = 'vitrine-recovery-codes.txt';
    link.click();
    URL.revokeObjectURL(url);
  }

  return (
    <div className={classes.form}>
      <p className={classes.text}>
        Keep these recovery codes where you find them without your phone. Each signs you in once when you have
        no other second factor at hand. They are not shown again.
      </p>
      <ul className={`${classes.codes ?? ''} mono`} aria-label="Recovery codes">
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      <Group gap="sm" grow>
        <CopyButton value={text}>
          {({ copied, copy }) => (
            <Button
              variant="default"
              leftSection={copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
              onClick={copy}
            >
              {copied ? 'Copied' : 'Copy'}
            </Button>
          )}
        </CopyButton>
        <Button variant="default" leftSection={<IconDownload size={16} />} onClick={download}>
          Download
        </Button>
      </Group>
      <Button size="md" onClick={onDone}>
        I have kept them
      </Button>
    </div>
  );
}
