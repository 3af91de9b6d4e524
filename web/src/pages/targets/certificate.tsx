import { UnstyledButton } from '@mantine/core';
import { IconCertificate, IconLock, IconLockExclamation, IconLockOpen } from '@tabler/icons-react';
import { Fragment, useState } from 'react';
import type { Target } from '../../api/client';
import { useCan } from '../../api/me';
import { useForgetCertificate } from '../../api/queries';
import { Confirm } from '../../components/confirm';
import { fingerprint, when } from '../../lib/format';
import classes from './certificate.module.css';

type Certificate = NonNullable<Target['certificate']>;

/** The first bytes, enough to tell two apart at a glance; the whole is in the title. */
const short = (hex: string) => `${fingerprint(hex.slice(0, 12))}…`;

/** The whole in parts of eight bytes, between which a line may break. */
const groups = (hex: string) => fingerprint(hex).match(/.{1,24}/g) ?? [];

function describe({ trust, fingerprint: hex }: Certificate) {
  switch (trust) {
    case 'verify':
      return { Icon: IconLock, text: 'Certificate verified', tone: '' };
    case 'pin':
      return { Icon: IconCertificate, text: 'Certificate pinned', tone: '' };
    case 'first_use':
      return hex
        ? { Icon: IconLock, text: 'Certificate trusted on first use', tone: '' }
        : { Icon: IconLockExclamation, text: 'Trusts the first certificate it sees', tone: classes.warn };
    case 'none':
      return { Icon: IconLockOpen, text: 'No certificate asked for', tone: classes.warn };
  }
}

/** How a target proves who it is, and a way to forget what it is held to since its first use. */
export function CertificateLine({ target }: { target: Target }) {
  const can = useCan();
  const [asking, setAsking] = useState(false);
  const { certificate } = target;
  if (!certificate) return null;
  const { Icon, text, tone } = describe(certificate);
  const hex = certificate.fingerprint;
  const forgettable = certificate.trust === 'first_use' && hex !== undefined && can('manage_targets');
  return (
    <div className={`${classes.line ?? ''} ${tone ?? ''}`}>
      <Icon size={15} stroke={1.7} aria-hidden="true" />
      <span className={classes.text}>
        {text}
        {hex && (
          <>
            {', '}
            <span className="mono" title={`SHA-256 ${fingerprint(hex)}`}>
              {short(hex)}
            </span>
          </>
        )}
      </span>
      {forgettable && (
        <UnstyledButton
          className={classes.forget}
          aria-label={`Forget the certificate of ${target.name}`}
          onClick={() => setAsking(true)}
        >
          Forget
        </UnstyledButton>
      )}
      {forgettable && <ForgetDialog target={target} opened={asking} onClose={() => setAsking(false)} />}
    </div>
  );
}

function ForgetDialog(props: { target: Target; opened: boolean; onClose: () => void }) {
  const { target, opened, onClose } = props;
  const forget = useForgetCertificate();
  const hex = target.certificate?.fingerprint ?? '';
  const seen = target.certificate?.first_seen;
  const close = () => {
    forget.reset();
    onClose();
  };
  return (
    <Confirm
      opened={opened}
      title="Forget this certificate?"
      action="Forget"
      busy={forget.isPending}
      error={forget.error}
      onClose={close}
      onConfirm={() => forget.mutate(target.id, { onSuccess: close })}
    >
      <p style={{ margin: 0 }}>
        The next session takes whichever certificate “{target.name}” shows. Do this only when you know that
        its certificate was replaced: whoever sits on the network then can pose as it.
      </p>
      <p className={`mono ${classes.whole ?? ''}`}>
        {groups(hex).map((group, i) => (
          <Fragment key={i}>
            {group}
            <wbr />
          </Fragment>
        ))}
      </p>
      {seen && <p className={classes.seen}>First seen {when(seen)}</p>}
    </Confirm>
  );
}
