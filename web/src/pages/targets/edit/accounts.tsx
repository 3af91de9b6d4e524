import { Button } from '@mantine/core';
import { IconPlus, IconUserOff } from '@tabler/icons-react';
import { useState } from 'react';
import { useSearchParams } from 'react-router';
import { useDeleteAccount, type Target, type TargetAccount } from '../../../api/targets';
import { Tag } from '../../../components/badge';
import { Confirm } from '../../../components/confirm';
import pageClasses from '../../../components/page.module.css';
import { Empty } from '../../../components/states';
import { when } from '../../../lib/format';
import { AccountDialog } from './account-dialog';
import { CredentialDialog } from './credential-dialog';
import classes from './edit.module.css';

type Shown = { what: 'new' } | { what: 'edit' | 'credential' | 'remove'; account: TargetAccount } | null;

/** The accounts of a target, and where their passwords are. */
export function Accounts({ target, readOnly }: { target: Target; readOnly: boolean }) {
  const [params] = useSearchParams();
  const [shown, setShown] = useState<Shown>(
    params.has('new') && target.accounts.length === 0 ? { what: 'new' } : null,
  );
  const close = () => setShown(null);
  return (
    <>
      <div className={classes.sectionHead}>
        <h2 className={classes.section}>Accounts</h2>
        {!readOnly && (
          <Button
            size="sm"
            variant="default"
            leftSection={<IconPlus size={16} stroke={1.8} />}
            onClick={() => setShown({ what: 'new' })}
          >
            Add account
          </Button>
        )}
      </div>
      {target.accounts.length === 0 ? (
        <Empty icon={<IconUserOff size={38} stroke={1.3} />} title="No account yet">
          Sessions sign in to the target as one of its accounts. Add one, also for a target that asks for no
          password.
        </Empty>
      ) : (
        <div className={`${pageClasses.card ?? ''} ${pageClasses.scroll ?? ''}`}>
          <table className={pageClasses.table}>
            <thead>
              <tr>
                <th>Account</th>
                <th>Signs in as</th>
                <th>Password</th>
                <th>
                  <span className="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {target.accounts.map((account) => (
                <tr key={account.id}>
                  <td>
                    <div className={pageClasses.strong}>{account.name}</div>
                    {account.description && <div className={pageClasses.small}>{account.description}</div>}
                    {account.tags.length > 0 && (
                      <div className={classes.tags}>
                        {account.tags.map((tag) => (
                          <Tag key={tag}>{tag}</Tag>
                        ))}
                      </div>
                    )}
                  </td>
                  <td className="mono">{signsInAs(account)}</td>
                  <td>
                    <CredentialText account={account} />
                  </td>
                  <td>
                    {!readOnly && (
                      <div className={pageClasses.actions}>
                        <Button
                          size="xs"
                          variant="default"
                          aria-label={`Set the password of ${account.name}`}
                          onClick={() => setShown({ what: 'credential', account })}
                        >
                          Password…
                        </Button>
                        <Button
                          size="xs"
                          variant="default"
                          aria-label={`Change ${account.name}`}
                          onClick={() => setShown({ what: 'edit', account })}
                        >
                          Change
                        </Button>
                        <Button
                          size="xs"
                          variant="subtle"
                          color="brick"
                          aria-label={`Remove ${account.name}`}
                          onClick={() => setShown({ what: 'remove', account })}
                        >
                          Remove
                        </Button>
                      </div>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {shown?.what === 'new' && <AccountDialog target={target} onClose={close} />}
      {shown?.what === 'edit' && <AccountDialog target={target} account={shown.account} onClose={close} />}
      {shown?.what === 'credential' && (
        <CredentialDialog target={target} account={shown.account} onClose={close} />
      )}
      {shown?.what === 'remove' && <Remove target={target} account={shown.account} onClose={close} />}
    </>
  );
}

function signsInAs({ username, domain }: TargetAccount): string {
  if (!username) return '—';
  return domain ? `${domain}\\${username}` : username;
}

function CredentialText({ account }: { account: TargetAccount }) {
  const { credential } = account;
  switch (credential?.kind) {
    case 'stored':
      return (
        <>
          <div>Sealed here</div>
          {credential.set_at && <div className={pageClasses.small}>Set {when(credential.set_at)}</div>}
        </>
      );
    case 'vault':
      return (
        <>
          <div>Vault {credential.vault?.vault}</div>
          <div className={`mono ${pageClasses.small ?? ''}`}>{credential.vault?.path}</div>
        </>
      );
    case 'command':
      return (
        <>
          <div>Command {credential.command?.command}</div>
          <div className={`mono ${pageClasses.small ?? ''}`}>{credential.command?.reference}</div>
        </>
      );
    case 'config':
      return <>In the configuration file</>;
    default:
      return <span className={pageClasses.dim}>None</span>;
  }
}

function Remove(props: { target: Target; account: TargetAccount; onClose: () => void }) {
  const { target, account, onClose } = props;
  const remove = useDeleteAccount(target.id);
  return (
    <Confirm
      opened
      title={`Remove the account ${account.name}?`}
      action="Remove"
      busy={remove.isPending}
      error={remove.error}
      onClose={onClose}
      onConfirm={() =>
        remove.mutate({ id: account.id, revision: account.revision ?? 1 }, { onSuccess: onClose })
      }
    >
      <p style={{ margin: 0 }}>Its password goes with it. Sessions that run go on.</p>
    </Confirm>
  );
}
