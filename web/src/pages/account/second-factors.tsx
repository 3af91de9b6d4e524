import { Button, Modal, Skeleton, TextInput } from '@mantine/core';
import { IconDeviceMobile, IconFingerprint } from '@tabler/icons-react';
import { useState } from 'react';
import {
  changes,
  factorsQuery,
  ownEnrolment,
  useFactorChange,
  useFactors,
  type Factors,
} from '../../api/sign-in';
import { useQueryClient } from '@tanstack/react-query';
import { Badge } from '../../components/badge';
import { Confirm } from '../../components/confirm';
import table from '../../components/page.module.css';
import { Panel } from '../../components/panel';
import classes from '../../components/panel.module.css';
import { Enrol } from '../../components/second-factor/enrol';
import { RecoveryCodes } from '../../components/second-factor/recovery-codes';
import form from '../../components/second-factor/second-factor.module.css';
import { StepUpForm } from '../../components/second-factor/step-up-form';
import { ProblemNotice } from '../../components/states';
import { fullTime, when } from '../../lib/format';
import { hasPasskeys } from '../../lib/passkeys';

type Act =
  | { kind: 'totp' | 'passkey' | 'codes' | 'remove-totp' }
  | { kind: 'remove-passkey' | 'rename-passkey'; id: string; name: string };

/** How long before the gateway wants a second factor proved again this asks for it, in milliseconds. */
const freshMs = 5 * 60_000;

function mustProve(f: Factors, act: Act): boolean {
  const any = f.totp !== undefined || f.passkeys.length > 0;
  const fresh = f.mfa_at !== undefined && Date.now() - Date.parse(f.mfa_at) < freshMs;
  return any && !fresh && act.kind !== 'rename-passkey';
}

/** What one proves oneself with besides the password, and what is done about it. */
export function SecondFactorsPanel() {
  const query = useFactors();
  const [act, setAct] = useState<Act>();
  const [proving, setProving] = useState<Act>();
  const f = query.data;

  function begin(next: Act) {
    if (f && mustProve(f, next)) setProving(next);
    else setAct(next);
  }

  const passkeys = f?.available.includes('passkey') && hasPasskeys();
  return (
    <Panel
      title="Second factors"
      sub="What you prove yourself with besides your password."
      flush
      tools={
        f &&
        f.available.length > 0 && (
          <div className={table.tools}>
            {passkeys && (
              <Button size="xs" variant="default" onClick={() => begin({ kind: 'passkey' })}>
                Add a passkey
              </Button>
            )}
            {!f.totp && (
              <Button size="xs" variant="default" onClick={() => begin({ kind: 'totp' })}>
                Add an authenticator app
              </Button>
            )}
          </div>
        )
      }
    >
      {query.isPending && <Skeleton height={90} radius={0} aria-hidden="true" />}
      {query.error && <ProblemNotice error={query.error} onRetry={() => void query.refetch()} />}
      {f && !f.totp && f.passkeys.length === 0 && (
        <div className={classes.none}>
          {f.available.length > 0
            ? 'None. With one, whoever learns your password cannot sign in as you.'
            : 'Second factors are off at this gateway.'}
        </div>
      )}
      {f && (f.totp ?? f.passkeys.length > 0) && <List factors={f} onAct={begin} />}
      {f && proving && (
        <StepUp
          factors={f}
          onProved={() => {
            setAct(proving);
            setProving(undefined);
          }}
          onClose={() => setProving(undefined)}
        />
      )}
      {act && <Dialog act={act} onClose={() => setAct(undefined)} />}
    </Panel>
  );
}

function List({ factors, onAct }: { factors: Factors; onAct: (act: Act) => void }) {
  return (
    <div className={table.scroll}>
      <table className={table.table} aria-label="Second factors">
        <thead>
          <tr>
            <th>Factor</th>
            <th>Added</th>
            <th>Last used</th>
            <th aria-label="Actions" />
          </tr>
        </thead>
        <tbody>
          {factors.totp && (
            <tr>
              <td>
                <span className={table.strong}>
                  <IconDeviceMobile size={16} aria-hidden="true" /> Authenticator app
                </span>
              </td>
              <td title={fullTime(factors.totp.created_at)}>{when(factors.totp.created_at)}</td>
              <td />
              <td>
                <div className={table.actions}>
                  <Button size="xs" variant="default" onClick={() => onAct({ kind: 'totp' })}>
                    Replace
                  </Button>
                  <Button
                    size="xs"
                    variant="default"
                    aria-label="Remove the authenticator app"
                    onClick={() => onAct({ kind: 'remove-totp' })}
                  >
                    Remove
                  </Button>
                </div>
              </td>
            </tr>
          )}
          {factors.passkeys.map((p) => (
            <tr key={p.id}>
              <td>
                <span className={table.strong}>
                  <IconFingerprint size={16} aria-hidden="true" /> {p.name}
                </span>
                {p.cloned && (
                  <div className={table.small}>
                    <Badge tone="bad" label="Not taken any more" /> It was used in a way that only a copy is.
                  </div>
                )}
              </td>
              <td title={fullTime(p.created_at)}>{when(p.created_at)}</td>
              <td title={p.last_used_at ? fullTime(p.last_used_at) : undefined}>
                {p.last_used_at ? when(p.last_used_at) : 'Never'}
              </td>
              <td>
                <div className={table.actions}>
                  <Button
                    size="xs"
                    variant="default"
                    aria-label={`Rename ${p.name}`}
                    onClick={() => onAct({ kind: 'rename-passkey', id: p.id, name: p.name })}
                  >
                    Rename
                  </Button>
                  <Button
                    size="xs"
                    variant="default"
                    aria-label={`Remove ${p.name}`}
                    onClick={() => onAct({ kind: 'remove-passkey', id: p.id, name: p.name })}
                  >
                    Remove
                  </Button>
                </div>
              </td>
            </tr>
          ))}
          <tr>
            <td>
              <span className={table.strong}>Recovery codes</span>
              <div className={table.small}>{factors.recovery_codes} left</div>
            </td>
            <td />
            <td />
            <td>
              <div className={table.actions}>
                <Button size="xs" variant="default" onClick={() => onAct({ kind: 'codes' })}>
                  Make new ones
                </Button>
              </div>
            </td>
          </tr>
        </tbody>
      </table>
    </div>
  );
}

/** Asks to prove a second factor again before they are changed. */
function StepUp(props: { factors: Factors; onProved: () => void; onClose: () => void }) {
  const { factors, onProved, onClose } = props;
  return (
    <Modal opened onClose={onClose} title="Prove that it is you">
      <StepUpForm factors={factors} onProved={onProved}>
        Second factors are changed only after one was proved a moment ago.
      </StepUpForm>
    </Modal>
  );
}

function Dialog({ act, onClose }: { act: Act; onClose: () => void }) {
  const client = useQueryClient();
  const done = () => {
    void client.invalidateQueries({ queryKey: factorsQuery.queryKey });
    onClose();
  };
  switch (act.kind) {
    case 'totp':
    case 'passkey':
      return (
        <Modal
          opened
          onClose={done}
          closeOnClickOutside={false}
          title={act.kind === 'totp' ? 'Authenticator app' : 'New passkey'}
        >
          <Enrol enrolment={ownEnrolment} methods={[act.kind]} method={act.kind} onDone={done} />
        </Modal>
      );
    case 'codes':
      return <NewCodes onClose={done} />;
    case 'rename-passkey':
      return <Rename id={act.id} name={act.name} onClose={onClose} />;
    default:
      return <Remove act={act} onClose={onClose} />;
  }
}

function Remove({ act, onClose }: { act: Act; onClose: () => void }) {
  const remove = useFactorChange(() =>
    act.kind === 'remove-passkey' ? changes.removePasskey(act.id) : changes.removeTOTP(),
  );
  return (
    <Confirm
      opened
      title={act.kind === 'remove-passkey' ? `Remove ${act.name}?` : 'Remove the authenticator app?'}
      action="Remove"
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate(undefined, { onSuccess: onClose })}
      onClose={onClose}
    >
      You can no longer sign in with it.
    </Confirm>
  );
}

function NewCodes({ onClose }: { onClose: () => void }) {
  const make = useFactorChange(changes.newCodes);
  if (make.data) {
    return (
      <Modal opened onClose={onClose} closeOnClickOutside={false} title="Recovery codes">
        <RecoveryCodes codes={make.data} onDone={onClose} />
      </Modal>
    );
  }
  return (
    <Confirm
      opened
      title="Make new recovery codes?"
      action="Make them"
      busy={make.isPending}
      error={make.error}
      onConfirm={() => make.mutate()}
      onClose={onClose}
    >
      Those you have stop working.
    </Confirm>
  );
}

function Rename({ id, name, onClose }: { id: string; name: string; onClose: () => void }) {
  const [fresh, setFresh] = useState(name);
  const rename = useFactorChange(changes.renamePasskey);
  return (
    <Modal opened onClose={onClose} title="Rename the passkey">
      <form
        className={form.form}
        onSubmit={(event) => {
          event.preventDefault();
          rename.mutate({ passkey: id, name: fresh }, { onSuccess: onClose });
        }}
      >
        <TextInput
          label="Name"
          required
          withAsterisk={false}
          maxLength={64}
          data-autofocus
          value={fresh}
          onChange={(event) => setFresh(event.currentTarget.value)}
        />
        {rename.error && <ProblemNotice error={rename.error} />}
        <Button type="submit" loading={rename.isPending}>
          Rename
        </Button>
      </form>
    </Modal>
  );
}
