import { Button, Menu } from '@mantine/core';
import { IconChevronDown, IconUser } from '@tabler/icons-react';
import type { Target, TargetAccount } from '../../api/targets';

interface ConnectButtonProps {
  target: Target;
  label: string;
  variant: 'default' | 'filled';
  /** Tells whether a session may begin with it now. */
  open: (account: TargetAccount) => boolean;
  /** The others may be asked for. */
  mayAsk: boolean;
  onConnect: (account: TargetAccount) => void;
  onAsk: (account?: TargetAccount) => void;
}

/** Connects; with several accounts it asks which, in a menu. */
export function ConnectButton(props: ConnectButtonProps) {
  const { target, label, variant, open, mayAsk, onConnect, onAsk } = props;
  const [only, ...others] = target.accounts;
  if (!only) {
    return (
      <Button size="sm" disabled title="It has no account to connect with">
        {label}
      </Button>
    );
  }
  if (mayAsk && !target.accounts.some(open)) {
    return (
      <Button
        size="sm"
        variant="light"
        aria-label={`Ask for access to ${target.name}`}
        onClick={() => onAsk()}
      >
        Ask for access
      </Button>
    );
  }
  if (others.length === 0) {
    return (
      <Button
        size="sm"
        variant={variant}
        disabled={!open(only)}
        aria-label={`Connect to ${target.name}`}
        onClick={() => onConnect(only)}
      >
        {label}
      </Button>
    );
  }
  return (
    <Menu position="bottom-end" width={260}>
      <Menu.Target>
        <Button
          size="sm"
          variant={variant}
          rightSection={<IconChevronDown size={14} aria-hidden="true" />}
          aria-label={`Connect to ${target.name}`}
        >
          {label}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Connect as</Menu.Label>
        {target.accounts.map((account) => (
          <Menu.Item
            key={account.id}
            leftSection={<IconUser size={16} stroke={1.6} aria-hidden="true" />}
            disabled={!open(account) && !mayAsk}
            onClick={() => (open(account) ? onConnect(account) : onAsk(account))}
          >
            {account.name}
            <Hint account={account} text={open(account) ? undefined : 'Ask for access'} />
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function Hint({ account, text }: { account: TargetAccount; text: string | undefined }) {
  const hint = text ?? account.description ?? account.username;
  if (!hint || hint === account.name) return null;
  return (
    <div style={{ color: 'var(--v-ink-3)', fontSize: '0.8125rem', overflowWrap: 'anywhere' }}>{hint}</div>
  );
}
