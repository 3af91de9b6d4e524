import { Button, Menu } from '@mantine/core';
import { IconChevronDown, IconLogout } from '@tabler/icons-react';
import { Suspense } from 'react';
import { Link, NavLink, Outlet, useNavigate } from 'react-router';
import { useMe } from '../api/me';
import { useSignOut } from '../api/queries';
import { ColorSchemeMenu } from './color-scheme';
import { Logo } from './logo';
import { PageLoading } from './states';
import classes from './shell.module.css';

const pages = [
  { to: '/targets', label: 'Targets' },
  { to: '/sessions', label: 'Sessions' },
  { to: '/recordings', label: 'Recordings' },
];

/** The frame around every page but the desktop itself. */
export function Shell() {
  return (
    <div className={classes.shell}>
      <a className={classes.skip} href="#content">
        Skip to the content
      </a>
      <header className={classes.header}>
        <div className={classes.bar}>
          <Link to="/targets" className={classes.brand} aria-label="Vitrine">
            <Logo />
            <span className={classes.brandName}>Vitrine</span>
          </Link>
          <nav className={classes.nav} aria-label="Main">
            {pages.map(({ to, label }) => (
              <NavLink key={to} to={to} className={classes.link ?? ''}>
                {label}
              </NavLink>
            ))}
          </nav>
          <div className={classes.side}>
            <ColorSchemeMenu />
            <UserMenu />
          </div>
        </div>
      </header>
      <main id="content" className={classes.main} tabIndex={-1}>
        <Suspense fallback={<PageLoading />}>
          <Outlet />
        </Suspense>
      </main>
    </div>
  );
}

function UserMenu() {
  const me = useMe();
  const signOut = useSignOut();
  const navigate = useNavigate();
  return (
    <Menu position="bottom-end" width={200}>
      <Menu.Target>
        <Button
          variant="subtle"
          color="gray"
          size="sm"
          px={10}
          rightSection={<IconChevronDown size={14} />}
          aria-label={`Account: ${me.username}`}
        >
          {me.username}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Signed in as {me.username}</Menu.Label>
        <Menu.Item
          leftSection={<IconLogout size={16} stroke={1.6} />}
          onClick={() => signOut.mutate(undefined, { onSettled: () => void navigate('/sign-in') })}
        >
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
